// SPDX-License-Identifier: MIT

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"libpool.example/go/pool"
)

const patience = time.Minute

type lease = pool.Lease[*connection]

type getting = func(context.Context) (lease, error)

// The pool of one case, and what its steps have got.
type stage struct {
	t       *testing.T
	factory *factory
	pool    *pool.Pool[*connection]
	leases  map[string]lease
	begun   map[string]*beginning
}

// A get in another goroutine.
type beginning struct {
	cancel context.CancelFunc
	ended  chan outcome
}

type outcome struct {
	lease lease
	err   error
}

// Makes a pool, and sees to it that nothing of it is left when the test is over.
func newStage(t *testing.T, config pool.Config, options ...pool.Option[*connection]) *stage {
	t.Helper()
	s := &stage{t: t, factory: new(factory), leases: map[string]lease{}, begun: map[string]*beginning{}}
	var err error
	s.pool, err = pool.New(config, s.factory.open, append(options, pool.WithClose(s.factory.close))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.tearDown)
	return s
}

func (s *stage) tearDown() {
	s.factory.letGo()
	for name, begun := range s.begun {
		begun.cancel()
		<-begun.ended
		s.t.Errorf("nobody asked what became of %s", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.pool.Close(ctx); err != nil {
		s.t.Error(err)
	}
	s.eventually("all are closed", func() bool {
		stats := s.pool.Stats()
		opened, _, destroyed := s.factory.counts()
		return opened == destroyed && stats.Opened == stats.Closed && stats.Opened == opened && stats.Open == 0 &&
			stats.Leased == 0 && stats.Waiting == 0 && stats.Opening == 0 && stats.CloseFailures == 0
	})
}

// A get; what it panics with is its error.
func (s *stage) get(ctx context.Context, function getting) (result outcome) {
	defer func() {
		if value := recover(); value != nil {
			var known bool
			if result.err, known = value.(error); !known {
				result.err = fmt.Errorf("panicked with %v", value)
			}
		}
	}()
	result.lease, result.err = function(ctx)
	return
}

func (s *stage) begin(ctx context.Context, cancel context.CancelFunc) *beginning {
	begun := &beginning{cancel: cancel, ended: make(chan outcome, 1)}
	go func() { begun.ended <- s.get(ctx, s.pool.Get) }()
	return begun
}

func (s *stage) end(begun *beginning) outcome {
	s.t.Helper()
	defer begun.cancel()
	select {
	case result := <-begun.ended:
		return result
	case <-time.After(patience):
		s.t.Fatal("a get does not end")
		return outcome{}
	}
}

// Waits for what another goroutine sees to.
func (s *stage) eventually(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(deadline) {
			opened, _, destroyed := s.factory.counts()
			s.t.Fatalf("in vain: %s; %d opened, %d destroyed, %+v", what, opened, destroyed, s.pool.Stats())
		}
	}
}

var failures = map[string]error{
	"cancelled": pool.ErrCancelled,
	"closed":    pool.ErrClosed,
	"open":      pool.ErrOpen,
	"overload":  pool.ErrOverload,
	"stale":     pool.ErrStale,
	"timeout":   pool.ErrTimeout,
}

// An error is of its kind, and has behind it what caused it.
func (s *stage) fails(err error, word string) {
	s.t.Helper()
	if word == "panic" {
		var panicked *pool.PanicError
		if !errors.As(err, &panicked) || panicked.Value != panicValue || len(panicked.Stack) == 0 {
			s.t.Fatalf("got %v, want a panic of the factory", err)
		}
		return
	}
	kind := failures[word]
	if kind == nil {
		s.t.Fatalf("no such failure: %s", word)
	}
	if !errors.Is(err, kind) {
		s.t.Fatalf("got %v, want %v", err, kind)
	}
	if word == "open" && !errors.Is(err, errFactory) {
		s.t.Fatalf("%v does not tell what the factory said", err)
	}
	if word == "cancelled" && !errors.Is(err, context.Canceled) {
		s.t.Fatalf("%v does not tell what the context said", err)
	}
}
