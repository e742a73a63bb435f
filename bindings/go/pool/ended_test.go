// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// Ends with the error that it is given, and package context does not know its cause.
type ending struct {
	context.Context
	err error
}

func (e ending) Err() error {
	if e.Context.Err() == nil {
		return nil
	}
	return e.err
}

func (ending) Value(any) any { return nil }

func TestAGetThatEndsByADeadlineWhichNobodyToldHasTimedOut(t *testing.T) {
	p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 1})
	held := get(t, p)
	ctx, cancel := context.WithCancel(background)
	waiting := cancelWaiting(p, ending{ctx, context.DeadlineExceeded}, cancel)
	expect(t, waiting, pool.ErrTimeout)
	says(t, waiting, `prices: no connection in time: \d+ ms went by in the queue, .*: context deadline exceeded`)
	expect(t, errorOf(p.Get(ending{ctx, context.DeadlineExceeded})), pool.ErrTimeout)
	if stats := p.Stats(); stats.TimedOut != 2 || stats.Cancelled != 0 {
		t.Errorf("%+v", stats)
	}
	release(t, held)
}

// The library counts in milliseconds.
func TestGetsAreCountedAsTheirErrorsSayHoweverShortTheyAre(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	held := get(t, p)
	for i := 0; i < 100; i++ {
		ctx, cancel := context.WithTimeout(background, time.Duration(i)*20*time.Microsecond)
		expect(t, errorOf(p.Get(ctx)), pool.ErrTimeout)
		cancel()
	}
	if stats := p.Stats(); stats.TimedOut != 100 || stats.Cancelled != 0 {
		t.Errorf("%+v", stats)
	}
	release(t, held)
}

func TestATryGetThatLeavesItsOpenIsCounted(t *testing.T) {
	p, g := newGatedPool(t, pool.Config{MaxOpen: 2})
	late, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	expect(t, errorOf(p.TryGet(late)), pool.ErrTimeout)
	begun := g.begun.Load() // 0 where the first was late before it began
	ctx, cancel := context.WithCancel(background)
	ended := make(chan error, 1)
	go func() { ended <- errorOf(p.TryGet(ctx)) }()
	eventually(t, "another is being opened", func() bool { return g.begun.Load() > begun })
	cancel()
	expect(t, soon(t, "the get ends", ended), pool.ErrCancelled)
	if stats := p.Stats(); stats.TimedOut != 1 || stats.Cancelled != 1 {
		t.Errorf("%+v", stats)
	}
	close(g.proceed)
}

// Whatever comes of the open.
func TestATryGetThatLeavesItsOpenIsCountedOnce(t *testing.T) {
	for name, result := range map[string]error{"opened": nil, "failed": errNo} {
		t.Run(name, func(t *testing.T) {
			begun, proceed := make(chan struct{}), make(chan struct{})
			p, err := pool.New(pool.Config{MaxOpen: 1}, func(context.Context) (*connection, error) {
				close(begun)
				<-proceed
				return new(connection), result
			})
			succeed(t, err)
			ctx, cancel := context.WithCancel(background)
			ended := make(chan error, 1)
			go func() { ended <- errorOf(p.TryGet(ctx)) }()
			<-begun
			cancel()
			expect(t, soon(t, "the get ends", ended), pool.ErrCancelled)
			close(proceed)
			eventually(t, "it was a cancelled get and nothing else", func() bool {
				stats := p.Stats()
				return stats.Opening+stats.Leased == 0 && stats.Cancelled == 1 && stats.FailedOpen+stats.AtOnce+stats.Waited+stats.Lent == 0
			})
			drain(t, p)
		})
	}
}

// With FailFast the get has given up its place before it looks what became of the open.
func TestAGetWhoseOpenFailsWhileItWaitsInTheQueueIsCountedAsThat(t *testing.T) {
	for name, fail := range map[string]func() error{"error": func() error { return errNo }, "panic": func() error { panic(errNo) }} {
		t.Run(name, func(t *testing.T) {
			var failing atomic.Bool
			proceed := make(chan struct{})
			p, err := pool.New(pool.Config{MaxOpen: 2, FailFast: true}, func(context.Context) (*connection, error) {
				if failing.Load() {
					<-proceed
					return nil, fail()
				}
				return new(connection), nil
			})
			succeed(t, err)
			held := get(t, p)
			failing.Store(true)
			ended := make(chan struct{})
			go apart(func() {
				defer close(ended)
				_, _ = p.Get(background)
			})
			eventually(t, "the get is in the queue", func() bool { return p.Stats().OldestWait > 0 })
			close(proceed)
			soon(t, "the get ends", ended)
			if stats := p.Stats(); stats.FailedOpen != 1 || stats.Cancelled != 0 {
				t.Errorf("%+v", stats)
			}
			release(t, held)
			drain(t, p)
		})
	}
}

// Whether the library knew of another connection that might come or not.
func TestAGetWhoseOpenFailsIsCountedAsThat(t *testing.T) {
	for _, fail := range []func() error{func() error { return errNo }, func() error { panic(errNo) }} {
		var failing atomic.Bool
		p, err := pool.New(pool.Config{MaxOpen: 2, FailFast: true}, func(context.Context) (*connection, error) {
			if failing.Load() {
				return nil, fail()
			}
			return new(connection), nil
		})
		succeed(t, err)
		tryGet := func() {
			defer func() { _ = recover() }()
			_, err := p.Get(background)
			expect(t, err, pool.ErrOpen)
		}
		held := get(t, p)
		failing.Store(true)
		tryGet()
		succeed(t, held.Discard())
		tryGet()
		if stats := p.Stats(); stats.FailedOpen != 2 || stats.Cancelled != 0 {
			t.Errorf("%+v", stats)
		}
		drain(t, p)
	}
}
