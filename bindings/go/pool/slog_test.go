// SPDX-License-Identifier: MIT

//go:build go1.21

package pool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"

	"libpool.example/go/pool"
)

// Lines of JSON, as a logger writes them.
type lines struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *lines) Write(text []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(text)
}

func (l *lines) find(message string) map[string]any {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, text := range bytes.Split(l.text.Bytes(), []byte("\n")) {
		var line map[string]any
		if json.Unmarshal(text, &line) == nil && line["msg"] == message {
			return line
		}
	}
	return nil
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestALoggerGetsTheLinesOfTheLog(t *testing.T) {
	written := new(lines)
	p, err := pool.New(pool.Config{Name: "prices"}, func(context.Context) (*connection, error) { return nil, errNo },
		pool.WithSlog[*connection](written.logger()))
	succeed(t, err)
	defer drain(t, p)
	expect(t, errorOf(p.Get(background)), pool.ErrOpen)
	const message = "prices: could not open a connection: no"
	eventually(t, "there is a line", func() bool { return written.find(message) != nil })
	if line := written.find(message); line["level"] != "WARN" || line["pool"] != "prices" {
		t.Errorf("the line is %v", line)
	}
}

func TestWithoutALoggerNothingIsWritten(t *testing.T) {
	p, _ := newPool(t, pool.Config{}, pool.WithSlog[*connection](nil), pool.WithEvents[*connection](pool.LogEvents(nil)))
	release(t, get(t, p))
	if p.WakeUps() != 0 {
		t.Error("somebody is woken to tell nobody")
	}
}

func TestALoggerGetsEvents(t *testing.T) {
	written := new(lines)
	p, _ := newPool(t, pool.Config{}, pool.WithEvents[*connection](pool.LogEvents(written.logger())))
	release(t, get(t, p))
	succeed(t, get(t, p).Discard())
	eventually(t, "there is a line", func() bool { return written.find("closed") != nil })
	if line := written.find("closed"); line["level"] != "DEBUG" || line["reason"] != "unusable" || line["connection"] != 1.0 {
		t.Errorf("the line is %v", line)
	}
	written.logger().Info("told", "event", pool.Event{Name: pool.EventLeaked, Lease: 7, Tag: "a report"})
	event, _ := written.find("told")["event"].(map[string]any)
	if len(event) != 3 || event["name"] != "leaked" || event["lease"] != 7.0 || event["tag"] != "a report" {
		t.Errorf("the event is %v", event)
	}
}
