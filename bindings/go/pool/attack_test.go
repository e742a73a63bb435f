// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// Functions that end otherwise than by returning; the pool must not notice.
var misdeeds = map[string]func(){
	"panic":             func() { panic("no") },
	"panic with nil":    func() { var nothing any; panic(nothing) },
	"panic with error":  func() { panic(errNo) },
	"nil pointer":       func() { var conn *connection; conn.number = 1 },
	"end of goroutine":  runtime.Goexit,
	"panic in a defer":  func() { defer panic("second"); panic("first") },
	"goexit in a defer": func() { defer runtime.Goexit(); panic("first") },
}

// Does something in a goroutine that may end in any way.
func survive(function func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		function()
	}()
	<-done
}

func TestWhateverAFunctionDoesThePoolLivesOn(t *testing.T) {
	for name, misdeed := range misdeeds {
		for _, part := range []string{"open", "check", "reset", "close"} {
			t.Run(part+"/"+name, func(t *testing.T) { attack(t, part, misdeed) })
		}
	}
}

func attack(t *testing.T, part string, misdeed func()) {
	bad := ""
	doBadly := func(now string) error {
		if now == bad {
			misdeed()
		}
		return nil
	}
	f := new(factory)
	p, err := pool.New(pool.Config{MaxOpen: 3, CheckAfter: pool.Always},
		func(ctx context.Context) (*connection, error) { _ = doBadly("open"); return f.open(ctx) },
		pool.WithCheck(func(context.Context, *connection) error { return doBadly("check") }),
		pool.WithReset(func(*connection) error { return doBadly("reset") }),
		pool.WithClose(func(conn *connection) error { _ = f.close(conn); return doBadly("close") }))
	succeed(t, err)
	for round := 0; round < 3; round++ {
		bad = ""
		leases := []pool.Lease[*connection]{get(t, p), get(t, p), get(t, p)} // all places can be had
		for _, lease := range leases {
			release(t, lease)
		}
		bad = part
		survive(func() {
			lease, err := p.Get(background)
			if err == nil {
				lease.Discard()
			}
		})
		survive(func() {
			lease, err := p.Get(background)
			if err == nil {
				lease.Release()
			}
		})
		survive(func() { p.Flush() })
		survive(func() {
			lease, err := p.TryGet(background)
			if err == nil {
				lease.Release()
			}
		})
		eventually(t, "nothing is under way", func() bool {
			stats := p.Stats()
			return stats.Leased == 0 && stats.Opening == 0 && stats.Idle == stats.Open
		})
	}
	if part != "close" {
		bad = ""
	}
	survive(func() { p.Close(background) }) // closes all, whatever becomes of the first
	drain(t, p)
	if f.opened.Load() != f.closed.Load() {
		t.Errorf("%d opened, %d closed", f.opened.Load(), f.closed.Load())
	}
}

func TestTheKeeperSurvivesWhatItCalls(t *testing.T) {
	for name, misdeed := range misdeeds {
		t.Run(name, func(t *testing.T) {
			p, err := pool.New(pool.Config{MaxOpen: 3, MinIdle: 2, MaxLifetime: 20 * time.Millisecond}, new(factory).open,
				pool.WithClose(func(*connection) error { misdeed(); return nil }))
			succeed(t, err)
			eventually(t, "many are replaced", func() bool { return p.Stats().Closed > 6 })
			survive(func() { p.Close(background) })
			drain(t, p)
		})
	}
}

type unspeakable struct{}

func (unspeakable) Error() string { panic("no words") }

func TestAnErrorWhoseTextPanicsIsAnError(t *testing.T) {
	fails := true
	p, err := pool.New(pool.Config{MaxOpen: 1}, func(context.Context) (*connection, error) {
		if fails {
			return nil, unspeakable{}
		}
		return new(connection), nil
	})
	succeed(t, err)
	defer drain(t, p)
	_, err = p.Get(background)
	expect(t, err, pool.ErrOpen)
	if !errors.As(err, new(unspeakable)) {
		t.Error("the error is lost")
	}
	fails = false
	release(t, get(t, p))
}

func TestAPoolIsUsedByItsOwnFunctions(t *testing.T) {
	var p *pool.Pool[*connection]
	var err error
	inOpen := func() {}
	p, err = pool.New(pool.Config{MaxOpen: 1},
		func(context.Context) (*connection, error) { inOpen(); return new(connection), nil },
		pool.WithReset(func(*connection) error {
			p.Stats()
			_, err := p.TryGet(background)
			expect(t, err, pool.ErrTimeout)
			return nil
		}),
		pool.WithClose(func(*connection) error {
			over, cancel := context.WithCancel(background)
			cancel()
			expect(t, p.Close(over), pool.ErrCancelled)
			return nil
		}))
	succeed(t, err)
	inOpen = func() { // which has the only place
		short, cancel := context.WithTimeout(background, 10*time.Millisecond)
		defer cancel()
		_, err := p.Get(short)
		expect(t, err, pool.ErrTimeout)
	}
	release(t, get(t, p))
	inOpen = func() {
		over, cancel := context.WithCancel(background)
		cancel()
		expect(t, p.Close(over), pool.ErrCancelled)
	}
	lease := get(t, p)
	if err := lease.Discard(); err != nil { // closes the pool from within
		t.Error(err)
	}
	_, err = p.Get(background)
	expect(t, err, pool.ErrClosed)
	drain(t, p)
}

func TestAPoolIsClosedByWhoOpens(t *testing.T) {
	var p *pool.Pool[*connection]
	f := new(factory)
	var err error
	p, err = pool.New(pool.Config{MaxOpen: 1}, func(ctx context.Context) (*connection, error) {
		over, cancel := context.WithCancel(ctx)
		cancel()
		expect(t, p.Close(over), pool.ErrCancelled)
		return f.open(ctx)
	}, pool.WithClose(f.close))
	succeed(t, err)
	_, err = p.Get(background)
	expect(t, err, pool.ErrClosed)
	drain(t, p)
	if f.closed.Load() != 1 {
		t.Errorf("%d closed", f.closed.Load())
	}
}

func TestALeaseIsReleasedInAFinalizer(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	type owner struct{ lease pool.Lease[*connection] }
	func() {
		forgetful := &owner{get(t, p)}
		runtime.SetFinalizer(forgetful, func(o *owner) { _ = o.lease.Release() })
	}()
	eventually(t, "it is back", func() bool {
		runtime.GC()
		return p.Len() == 1
	})
	release(t, get(t, p))
}

func TestBadInputIsRefused(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	_, err := p.Get(nil) //nolint:staticcheck // on purpose
	expect(t, err, pool.ErrInvalid)
	_, err = p.TryGet(nil) //nolint:staticcheck // on purpose
	expect(t, err, pool.ErrInvalid)
	expect(t, p.Close(nil), pool.ErrInvalid) //nolint:staticcheck // on purpose
	_, err = p.Resize(-1)
	expect(t, err, pool.ErrInvalid)
	_, err = p.Report(99)
	expect(t, err, pool.ErrInvalid)
	_, err = p.Resume()
	expect(t, err, pool.ErrInvalid)
	_, err = pool.New(pool.Config{}, new(factory).open, nil)
	expect(t, err, pool.ErrInvalid)
	release(t, get(t, p)) // and nothing has happened to it
	drain(t, p)
	drain(t, p)
	_, err = p.Get(background)
	expect(t, err, pool.ErrClosed)
	for _, use := range []func() (int, error){p.Pause, p.Resume, func() (int, error) { return p.Resize(2) }} {
		if _, err := use(); err != nil && !errors.Is(err, pool.ErrClosed) && !errors.Is(err, pool.ErrInvalid) {
			t.Error(err)
		}
	}
	p.Flush()
	if _, err := p.Report(pool.JSON); err != nil || p.Len() != 0 {
		t.Error(err)
	}
}
