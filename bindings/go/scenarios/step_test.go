// SPDX-License-Identifier: MIT

package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"libpool.example/go/pool"
)

// One step: one of the first group, with what it needs of the second.
type step struct {
	Get     *string
	TryGet  *string `json:"try_get"`
	Begin   *string
	End     *string
	Cancel  *string
	Use     *string
	Release *string
	Discard *string
	Factory *string
	LetGo   *bool `json:"let_go"`
	Close   *int64
	Flush   *int
	Pause   *int
	Resume  *int
	Resize  *int
	Expect  map[string]int64

	TimeoutMs *int64 `json:"timeout_ms"`
	Gives     *int64
	Fails     json.RawMessage
	Left      *int64
}

func (s *stage) take(number int, step *step) {
	s.t.Helper()
	text, _ := json.Marshal(step)
	defer func() {
		if s.t.Failed() {
			s.t.Logf("in step %d: %s", number, text)
		}
	}()
	taken := 0
	do := func(word bool, action func()) {
		if word {
			taken++
			action()
		}
	}
	do(step.Get != nil, func() { s.got(*step.Get, step, s.getNow(step, s.pool.Get)) })
	do(step.TryGet != nil, func() { s.got(*step.TryGet, step, s.getNow(step, s.pool.TryGet)) })
	do(step.Begin != nil, func() { s.begun[*step.Begin] = s.begin(step.context()) })
	do(step.Cancel != nil, func() { s.begunAs(*step.Cancel).cancel() })
	do(step.End != nil, func() { s.endNow(*step.End, step) })
	do(step.Use != nil, func() { s.use(s.lease(*step.Use), step) })
	do(step.Release != nil, func() { s.ends(s.lease(*step.Release).Release(), step) })
	do(step.Discard != nil, func() { s.ends(s.lease(*step.Discard).Discard(), step) })
	do(step.Factory != nil, func() { s.succeeds(s.factory.set(*step.Factory)) })
	do(step.LetGo != nil, s.factory.letGo)
	do(step.Close != nil, func() { s.closePool(time.Duration(*step.Close)*time.Millisecond, step) })
	do(step.Flush != nil, func() { s.equal("flushed", int64(s.pool.Flush()), int64(*step.Flush)) })
	do(step.Pause != nil, func() { s.counted(*step.Pause, s.pool.Pause) })
	do(step.Resume != nil, func() { s.counted(*step.Resume, s.pool.Resume) })
	do(step.Resize != nil, func() { s.resize(*step.Resize, step) })
	do(step.Expect != nil, func() { s.expect(step.Expect) })
	if taken != 1 {
		s.t.Fatalf("%d actions in one step", taken)
	}
}

func (s *stage) succeeds(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) equal(what string, got, want int64) {
	s.t.Helper()
	if got != want {
		s.t.Fatalf("%s: got %d, want %d", what, got, want)
	}
}

func (s *stage) lease(name string) lease {
	given, known := s.leases[name]
	if !known {
		s.t.Fatalf("no such lease: %s", name)
	}
	return given
}

func (s *stage) begunAs(name string) *beginning {
	begun := s.begun[name]
	if begun == nil {
		s.t.Fatalf("no such get: %s", name)
	}
	return begun
}

// How a step is to fail in this language, "" that it does not.
func (s *stage) failure(step *step) (word string) {
	if step.Fails == nil {
		return ""
	}
	if json.Unmarshal(step.Fails, &word) == nil { // null too
		return word
	}
	var each map[string]*string
	s.succeeds(json.Unmarshal(step.Fails, &each))
	for named := range each {
		if !contains(languages, named) {
			s.t.Fatalf("no such language: %s", named)
		}
	}
	ours, known := each[language]
	if !known {
		s.t.Fatalf("it does not say how this fails in %s", language)
	}
	if ours == nil {
		return ""
	}
	return *ours
}

// ---- getting ----

// The deadline of a get is that of its context; one that is not given says that something hangs.
func (s *step) context() (context.Context, context.CancelFunc) {
	limit := patience
	if s.TimeoutMs != nil {
		limit = time.Duration(*s.TimeoutMs) * time.Millisecond
	}
	if limit < 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), limit)
}

func (s *stage) getNow(step *step, function getting) outcome {
	ctx, cancel := step.context()
	defer cancel()
	return s.get(ctx, function)
}

func (s *stage) endNow(name string, step *step) {
	s.t.Helper()
	begun := s.begunAs(name)
	delete(s.begun, name)
	s.got(name, step, s.end(begun))
}

func (s *stage) got(name string, step *step, result outcome) {
	s.t.Helper()
	if word := s.failure(step); word != "" {
		s.fails(result.err, word)
		return
	}
	s.succeeds(result.err)
	s.leases[name] = result.lease
	s.numbered(result.lease, step)
}

func (s *stage) numbered(given lease, step *step) {
	s.t.Helper()
	conn := given.Conn()
	if step.Gives != nil {
		s.equal("the connection", conn.number, *step.Gives)
	}
}

func (s *stage) use(given lease, step *step) {
	s.t.Helper()
	if word := s.failure(step); word != "" {
		s.fails(s.get(context.Background(), func(context.Context) (lease, error) {
			return given, fmt.Errorf("connection %d", given.Conn().number)
		}).err, word)
		return
	}
	s.numbered(given, step)
}

func (s *stage) ends(err error, step *step) {
	s.t.Helper()
	if word := s.failure(step); word != "" {
		s.fails(err, word)
		return
	}
	s.succeeds(err)
}

// ---- the whole pool ----

func (s *stage) closePool(limit time.Duration, step *step) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := s.pool.Close(ctx)
	if step.Left == nil || *step.Left == 0 {
		s.succeeds(err)
		return
	}
	s.fails(err, "timeout")
	var failure *pool.Error
	if want := fmt.Sprintf(": %d", *step.Left); !errors.As(err, &failure) || !strings.HasSuffix(failure.Message, want) {
		s.t.Fatalf("%v does not say that %d are left", err, *step.Left)
	}
}

func (s *stage) counted(want int, function func() (int, error)) {
	s.t.Helper()
	count, err := function()
	s.succeeds(err)
	s.equal("count", int64(count), int64(want))
}

func (s *stage) resize(maxOpen int, step *step) {
	s.t.Helper()
	left, err := s.pool.Resize(maxOpen)
	s.succeeds(err)
	if step.Left != nil {
		s.equal("left", int64(left), *step.Left)
	}
}

func (s *stage) expect(counts map[string]int64) {
	s.t.Helper()
	for name := range counts {
		if _, known := s.counts()[name]; !known {
			s.t.Fatalf("no such count: %s", name)
		}
	}
	s.eventually(fmt.Sprint(counts), func() bool {
		now := s.counts()
		for name, want := range counts {
			if now[name] != want {
				return false
			}
		}
		return true
	})
}

// The pool's counts by the names that the scenarios give them, which are C's.
func (s *stage) counts() map[string]int64 {
	stats := s.pool.Stats()
	_, hanging, destroyed := s.factory.counts()
	if stats.Opening != hanging {
		stats.Opening = -1 // the pool counts those that hang a moment before
	}
	counts := map[string]int64{"destroyed": destroyed}
	fields := reflect.ValueOf(stats)
	for i := 0; i < fields.NumField(); i++ {
		if count, is := fields.Field(i).Interface().(int64); is {
			counts[snake(fields.Type().Field(i).Name)] = count
		}
	}
	return counts
}

// snake makes OpenFailures open_failures.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
