// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"libpool.example/go/pool"
)

type hooks = pool.Hooks[*connection]

func TestHooksSeeTheLifeOfAConnection(t *testing.T) {
	var seen []string
	see := func(what string) { seen = append(seen, what) }
	p, _ := newPool(t, pool.Config{MaxOpen: 1}, pool.WithHooks(hooks{
		Opened:       func(context.Context, *connection) error { see("opened"); return nil },
		BeforeLend:   func(context.Context, *connection) (bool, error) { see("lend"); return true, nil },
		AfterRelease: func(*connection) bool { see("release"); return true },
		Closing:      func(*connection) { see("close") },
	}))
	release(t, get(t, p))
	succeed(t, get(t, p).Discard())
	drain(t, p)
	want := []string{"opened", "lend", "release", "lend", "close"}
	if len(seen) != len(want) {
		t.Fatalf("seen were %v", seen)
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Errorf("seen were %v", seen)
		}
	}
}

func TestAHookMayRefuseWhatIsToBeLent(t *testing.T) {
	stale := map[int64]bool{}
	p, f := newPool(t, pool.Config{MaxOpen: 3}, pool.WithHooks(hooks{
		BeforeLend: func(_ context.Context, conn *connection) (bool, error) { return !stale[conn.number], nil },
	}))
	first, second := get(t, p), get(t, p)
	stale[first.Conn().number], stale[second.Conn().number] = true, true
	release(t, first)
	release(t, second)
	third := get(t, p)
	if number := third.Conn().number; number != 3 {
		t.Errorf("got connection %d", number)
	}
	eventually(t, "the others are closed", func() bool { return f.closed.Load() == 2 })
	release(t, third)
}

// The get has a deadline, and what it takes instead is there.
func TestAGetWaitsForNoCloseOrResetOfWhatAHookRefused(t *testing.T) {
	for name, refusal := range map[string]struct {
		good bool
		err  error
	}{"another is taken": {}, "the get ends": {false, errHook}, "the connection is good": {true, errHook}} {
		t.Run(name, func(t *testing.T) {
			proceed := make(chan struct{})
			hang := func(*connection) error { <-proceed; return nil }
			refused := false
			p, err := pool.New(pool.Config{MaxOpen: 2, Initial: 2}, new(factory).open, pool.WithClose(hang), pool.WithReset(hang),
				pool.WithHooks(hooks{BeforeLend: func(context.Context, *connection) (bool, error) {
					if refused {
						return true, nil
					}
					refused = true
					return refusal.good, refusal.err
				}}))
			succeed(t, err)
			got := soon(t, "the get ends", begin(p, background))
			if got.err != refusal.err {
				t.Error(got.err)
			}
			close(proceed)
			if got.err == nil {
				release(t, got.lease)
			}
			drain(t, p)
		})
	}
}

func TestATryGetHasThePlaceOfWhatAHookRefused(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 1, Initial: 1}, pool.WithHooks(hooks{
		BeforeLend: func(_ context.Context, conn *connection) (bool, error) { return conn.number != 1, nil },
	}))
	lease, err := p.TryGet(background)
	succeed(t, err)
	if f.closed.Load() != 1 {
		t.Error("the other is not closed")
	}
	release(t, lease)
}

func TestAHookThatRefusesAllEndsTheGet(t *testing.T) {
	p, f := newPool(t, pool.Config{Name: "prices", MaxOpen: 3}, pool.WithHooks(hooks{
		BeforeLend: func(context.Context, *connection) (bool, error) { return false, nil },
	}))
	_, err := p.Get(background)
	expect(t, err, pool.ErrOpen)
	says(t, err, `prices: the hook BeforeLend refused \d connections`)
	if f.opened.Load() > 3 {
		t.Errorf("%d were opened", f.opened.Load())
	}
	eventually(t, "all are closed", func() bool { return p.Stats().Open == 0 })
}

var errHook = errors.New("the hook does not want to")

func TestAnErrorOfAHookEndsTheGetAndSaysWhatBecomesOfTheConnection(t *testing.T) {
	for _, good := range []bool{true, false} {
		p, f := newPool(t, pool.Config{}, pool.WithHooks(hooks{
			BeforeLend: func(context.Context, *connection) (bool, error) { return good, errHook },
		}))
		if _, err := p.Get(background); err != errHook {
			t.Errorf("got %v", err)
		}
		eventually(t, "it is idle or closed", func() bool {
			return p.Stats().Leased == 0 && (p.Len() == 1) == good && (f.closed.Load() == 1) == !good
		})
	}
}

func TestTheTimeOfAHookIsThatOfTheGet(t *testing.T) {
	p, _ := newPool(t, pool.Config{GetTimeout: 20 * time.Millisecond}, pool.WithHooks(hooks{
		BeforeLend: func(ctx context.Context, _ *connection) (bool, error) {
			<-ctx.Done()
			return false, nil
		},
	}))
	_, err := p.Get(background)
	expect(t, err, pool.ErrTimeout)
	if errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestAHookMayRefuseWhatIsReleased(t *testing.T) {
	p, f := newPool(t, pool.Config{}, pool.WithHooks(hooks{AfterRelease: func(*connection) bool { return false }}))
	release(t, get(t, p))
	if f.closed.Load() != 1 || p.Stats().ClosedUnusable != 1 {
		t.Errorf("%+v", p.Stats())
	}
}

func TestAnErrorOfTheHookOfOpensIsThatOfTheOpen(t *testing.T) {
	p, f := newPool(t, pool.Config{}, pool.WithHooks(hooks{
		Opened: func(context.Context, *connection) error { return errHook },
	}))
	_, err := p.Get(background)
	expect(t, err, pool.ErrOpen)
	expect(t, err, errHook)
	if stats := p.Stats(); f.closed.Load() != 1 || stats.OpenFailures != 1 || stats.Opened != 0 {
		t.Errorf("%d were closed, %+v", f.closed.Load(), stats)
	}
	f.opened.Store(0) // of the library it was none
	f.closed.Store(0)
}

// ---- hooks that do not return ----

// Calls a function in a goroutine of its own, which it may end, and waits for that.
func apart(function func()) {
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		defer func() { _ = recover() }()
		function()
	}()
	group.Wait()
}

func TestNoConnectionIsLostByAHookThatDoesNotReturn(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("hook") }, "Goexit": runtime.Goexit} {
		for hook, made := range map[string]hooks{
			"Opened":       {Opened: func(context.Context, *connection) error { leave(); return nil }},
			"BeforeLend":   {BeforeLend: func(context.Context, *connection) (bool, error) { leave(); return true, nil }},
			"AfterRelease": {AfterRelease: func(*connection) bool { leave(); return true }},
			"Closing":      {Closing: func(*connection) { leave() }},
		} {
			t.Run(hook+" "+name, func(t *testing.T) { leavesByHook(t, made) })
		}
	}
}

func leavesByHook(t *testing.T, made hooks) {
	f := new(factory)
	p, err := pool.New(pool.Config{MaxOpen: 1}, f.open, pool.WithClose(f.close), pool.WithHooks(made))
	succeed(t, err)
	apart(func() {
		if lease, err := p.Get(background); err == nil {
			_ = lease.Release()
		}
	})
	apart(func() { p.Flush() })
	eventually(t, "the connection is closed", func() bool { return f.closed.Load() == 1 })
	eventually(t, "nothing is left", func() bool { return p.Stats().Open == 0 })
	apart(func() { _ = p.Close(background) })
}

func TestAClosePanicsToNobodyAfterTheHookOfOpensRefused(t *testing.T) {
	refused := errors.New("not this one")
	p, err := pool.New(pool.Config{MaxOpen: 1}, new(factory).open, pool.WithClose(func(*connection) error { panic("close") }),
		pool.WithHooks(hooks{Opened: func(context.Context, *connection) error { return refused }}))
	succeed(t, err)
	_, err = p.Get(background)
	expect(t, err, refused)
	drain(t, p)
}

// ---- tracers ----

type traceKey struct{}

// A tracer that notes what it is told.
type tracer struct {
	mutex sync.Mutex
	notes []string
}

func (r *tracer) note(what string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.notes = append(r.notes, what)
}

func (r *tracer) TraceAcquireStart(ctx context.Context, p pool.Source, _ pool.TraceAcquireStartData) context.Context {
	r.note("acquire of " + p.Name())
	return context.WithValue(ctx, traceKey{}, "span")
}

func (r *tracer) TraceAcquireEnd(ctx context.Context, _ pool.Source, data pool.TraceAcquireEndData) {
	if ctx.Value(traceKey{}) != "span" {
		r.note("no span")
	}
	if (data.Err == nil) != (data.Lease != 0) {
		r.note("neither lease nor error")
	}
	r.note("acquired " + resultOf(data.Conn, data.Err))
}

func (r *tracer) TraceRelease(_ pool.Source, data pool.TraceReleaseData) {
	if data.Discarded {
		r.note("discarded")
	} else {
		r.note("released")
	}
}

func (r *tracer) TraceOpenStart(ctx context.Context, _ pool.Source, _ pool.TraceOpenStartData) context.Context {
	r.note("open")
	return ctx
}

func (r *tracer) TraceOpenEnd(_ context.Context, _ pool.Source, data pool.TraceOpenEndData) {
	r.note("opened " + resultOf(data.Conn, data.Err))
}

func (r *tracer) TraceClose(_ pool.Source, data pool.TraceCloseData) {
	r.note("closed " + resultOf(data.Conn, data.Err))
}

func resultOf(conn any, err error) string {
	switch {
	case conn != nil && err == nil:
		return "well"
	case errors.Is(err, pool.ErrTimeout):
		return "late"
	case err != nil:
		return "badly"
	}
	return "nothing"
}

func TestATracerIsToldOfAll(t *testing.T) {
	told := new(tracer)
	p, f := newPool(t, pool.Config{Name: "prices", MaxOpen: 1, Tracer: told})
	lease := get(t, p)
	expect(t, errorOf(p.TryGet(background)), pool.ErrTimeout)
	release(t, lease)
	succeed(t, get(t, p).Discard())
	want := []string{"acquire of prices", "open", "opened well", "acquired well", "acquire of prices", "acquired late",
		"released", "acquire of prices", "acquired well", "discarded", "closed well"}
	told.mutex.Lock()
	defer told.mutex.Unlock()
	if len(told.notes) != len(want) || f.closed.Load() != 1 {
		t.Fatalf("told was %q", told.notes)
	}
	for i := range want {
		if told.notes[i] != want[i] {
			t.Errorf("told was %q instead of %q", told.notes, want)
		}
	}
}

// One that only wants to know of releases.
type releaseTracer struct{ tracer *tracer }

func (r releaseTracer) TraceRelease(p pool.Source, data pool.TraceReleaseData) {
	r.tracer.TraceRelease(p, data)
}

func TestATracerIsToldWhatItHasMethodsFor(t *testing.T) {
	told := new(tracer)
	p, _ := newPool(t, pool.Config{Tracer: releaseTracer{told}})
	release(t, get(t, p))
	if len(told.notes) != 1 || told.notes[0] != "released" {
		t.Errorf("told was %q", told.notes)
	}
	_, err := pool.New(pool.Config{Tracer: "none"}, new(factory).open)
	expect(t, err, pool.ErrInvalid)
}

// One that panics when it is told of the end of a get.
type panickingTracer struct{ pool.AcquireTracer }

func (panickingTracer) TraceAcquireEnd(context.Context, pool.Source, pool.TraceAcquireEndData) {
	panic("tracer")
}

func TestATracerThatPanicsLosesNoConnection(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 1, Tracer: panickingTracer{new(tracer)}})
	for i := 0; i < 3; i++ {
		apart(func() { _, _ = p.Get(background) })
	}
	if stats := p.Stats(); stats.Leased != 0 || f.opened.Load() != 3 {
		t.Errorf("%+v", stats)
	}
}

// One that returns no context.
type contextlessTracer struct{ *tracer }

func (contextlessTracer) TraceAcquireStart(context.Context, pool.Source, pool.TraceAcquireStartData) context.Context {
	return nil
}

func (contextlessTracer) TraceOpenStart(context.Context, pool.Source, pool.TraceOpenStartData) context.Context {
	return nil
}

func TestATracerThatReturnsNoContextChangesNone(t *testing.T) {
	look := func(ctx context.Context) {
		if ctx == nil {
			t.Error("there is no context")
		}
	}
	hooks := pool.Hooks[*connection]{
		Opened:     func(ctx context.Context, _ *connection) error { look(ctx); return nil },
		BeforeLend: func(ctx context.Context, _ *connection) (bool, error) { look(ctx); return true, nil },
	}
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Tracer: contextlessTracer{new(tracer)}}, pool.WithHooks(hooks))
	release(t, get(t, p))
	lease, err := p.TryGetIdle(background)
	succeed(t, err)
	release(t, lease)
}

// One that does not return when it is told of the end of an open.
type leavingTracer struct {
	pool.OpenTracer
	leave func()
}

func (l leavingTracer) TraceOpenEnd(context.Context, pool.Source, pool.TraceOpenEndData) { l.leave() }

func TestWhatWasOpenedIsClosedIfTheTracerDoesNotReturn(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("tracer") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			p, f := newPool(t, pool.Config{MaxOpen: 1, Tracer: leavingTracer{new(tracer), leave}})
			apart(func() { _, _ = p.Get(background) })
			if f.opened.Load() != 1 || f.closed.Load() != 1 || p.Stats().Open != 0 {
				t.Errorf("%d opened, %d closed, %+v", f.opened.Load(), f.closed.Load(), p.Stats())
			}
			f.opened.Store(0) // of the library it was none
			f.closed.Store(0)
		})
	}
}

func TestALeaseOfAllThatIsIdleIsNotLostByAHookThatDoesNotReturn(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("hook") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			lent := 0
			p, f := newPool(t, pool.Config{MaxOpen: 3}, pool.WithHooks(hooks{
				BeforeLend: func(context.Context, *connection) (bool, error) {
					if lent++; lent == 3 {
						leave()
					}
					return true, nil
				},
			}))
			for i := 0; i < 3; i++ {
				create(t, p)
			}
			apart(func() { p.AcquireAllIdle(background) })
			if stats := p.Stats(); stats.Leased != 0 || stats.Idle != 2 {
				t.Errorf("%+v", stats)
			}
			eventually(t, "the third is closed", func() bool { return f.closed.Load() == 1 })
		})
	}
}
