// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

func TestTheSameObjectComesBack(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 2})
	first := get(t, p)
	conn := first.Conn()
	release(t, first)
	for i := 0; i < 1000; i++ {
		lease := get(t, p)
		if lease.Conn() != conn {
			t.Fatal("another connection came")
		}
		release(t, lease)
		if i%100 == 0 {
			runtime.GC()
		}
	}
	if f.opened.Load() != 1 || p.Len() != 1 {
		t.Errorf("%d opened, %d idle", f.opened.Load(), p.Len())
	}
}

func TestALeaseEndsOnce(t *testing.T) {
	for _, tracked := range []bool{false, true} { // then the pool marks its leases itself
		p, _ := newPool(t, pool.Config{MaxOpen: 1, TrackUse: tracked})
		endOnce(t, p)
	}
}

func endOnce(t *testing.T, p *pool.Pool[*connection]) {
	stale := get(t, p)
	copied := stale
	release(t, stale)
	expect(t, stale.Release(), pool.ErrStale)
	expect(t, copied.Release(), pool.ErrStale)
	expect(t, stale.ReleaseUnused(), pool.ErrStale)
	expect(t, stale.Discard(), pool.ErrStale)
	expect(t, stale.DiscardBroken(), pool.ErrStale)
	if conn, err := stale.Hijack(); conn != nil || !errors.Is(err, pool.ErrStale) {
		t.Errorf("a stale lease gave %v, %v", conn, err)
	}
	fresh := get(t, p)
	expect(t, stale.Release(), pool.ErrStale)
	if stale.Valid() || !fresh.Valid() {
		t.Error("the stale lease is valid, or the fresh one is not")
	}
	expect(t, panicOf(func() { stale.Conn() }), pool.ErrStale)
	fresh.Conn().use(t)
	release(t, fresh)
	var none pool.Lease[*connection]
	expect(t, none.Release(), pool.ErrStale)
	expect(t, none.Discard(), pool.ErrStale)
	expect(t, panicOf(func() { none.Conn() }), pool.ErrStale)
}

// What a function panics with, as an error.
func panicOf(function func()) (err error) {
	defer func() { err, _ = recover().(error) }()
	function()
	return nil
}

func TestOfManyWhoEndALeaseOneSucceeds(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 2})
	for i := 0; i < 500; i++ {
		lease := get(t, p)
		var group sync.WaitGroup
		results := make([]error, 4)
		for each := range results {
			group.Add(1)
			go func(each int) {
				defer group.Done()
				if each%2 == 0 {
					results[each] = lease.Release()
				} else {
					results[each] = lease.Discard()
				}
			}(each)
		}
		group.Wait()
		succeeded := 0
		for _, err := range results {
			if err == nil {
				succeeded++
			} else {
				expect(t, err, pool.ErrStale)
			}
		}
		if succeeded != 1 {
			t.Fatalf("%d succeeded", succeeded)
		}
	}
}

func TestDiscardCloses(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 1})
	lease := get(t, p)
	conn := lease.Conn()
	if err := lease.Discard(); err != nil || !conn.closed.Load() {
		t.Error("not closed: ", err)
	}
	next := get(t, p)
	if next.Conn() == conn || f.opened.Load() != 2 {
		t.Error("the discarded connection came back")
	}
	release(t, next)
	if stats := p.Stats(); stats.ClosedUnusable != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestTryGetDoesNotWait(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	lease, err := p.TryGet(background)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.TryGet(background)
	mustFailAs(t, err, pool.ErrTimeout, "pool: no connection can be had without waiting")
	release(t, lease)
	lease, err = p.TryGet(background)
	if err != nil {
		t.Fatal(err)
	}
	release(t, lease)
}

func TestAGetEndsAtItsDeadline(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, GetTimeout: 300 * time.Millisecond})
	lease := get(t, p)
	for _, limit := range []time.Duration{30 * time.Millisecond, time.Hour} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(background, limit)
		_, err := p.Get(ctx)
		took := time.Since(began)
		cancel()
		expect(t, err, pool.ErrTimeout)
		if errors.Is(err, context.DeadlineExceeded) != (limit < time.Hour) {
			t.Errorf("with %v got %v", limit, err)
		}
		if limit > 300*time.Millisecond {
			limit = 300 * time.Millisecond
		}
		if took < limit || took > limit+patience {
			t.Errorf("took %v instead of %v", took, limit)
		}
	}
	release(t, lease)
	if stats := p.Stats(); stats.TimedOut != 2 {
		t.Errorf("%+v", stats)
	}
}

func TestACancelledGetEnds(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	lease := get(t, p)
	ctx, cancel := context.WithCancel(background)
	failed := make(chan error)
	go func() {
		_, err := p.Get(ctx)
		failed <- err
	}()
	eventually(t, "somebody waits", func() bool { return p.Stats().Waiting == 1 })
	cancel()
	err := <-failed
	expect(t, err, pool.ErrCancelled)
	expect(t, err, context.Canceled)
	_, err = p.Get(ctx)
	expect(t, err, pool.ErrCancelled)
	release(t, lease)
	if stats := p.Stats(); stats.Cancelled != 2 || stats.Waiting != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestTooManyWaitersAreRefused(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, MaxWaiters: 1})
	lease := get(t, p)
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		waited, err := p.Get(background)
		if err != nil {
			t.Error(err)
			return
		}
		waited.Release()
	}()
	eventually(t, "somebody waits", func() bool { return p.Stats().Waiting == 1 })
	_, err := p.Get(background)
	expect(t, err, pool.ErrOverload)
	release(t, lease)
	within(t, patience, "the waiter is served", &group)
}

func TestInitialConnectionsAreOpened(t *testing.T) {
	p, f := newPool(t, pool.Config{Initial: 3, MaxOpen: 5})
	if p.Len() != 3 || f.opened.Load() != 3 {
		t.Errorf("%d idle, %d opened", p.Len(), f.opened.Load())
	}
	failing := errors.New("no more")
	var count, closed atomic.Int64
	_, err := pool.New(pool.Config{Initial: 3},
		func(context.Context) (int64, error) {
			number := count.Add(1)
			if number == 3 {
				return 0, failing
			}
			return number, nil
		}, pool.WithClose(func(int64) error { closed.Add(1); return nil }))
	expect(t, err, failing)
	expect(t, err, pool.ErrOpen)
	if closed.Load() != 2 {
		t.Errorf("%d closed", closed.Load())
	}
}

func TestAFairnessBelowAMicrosecondIsNotTheDefault(t *testing.T) {
	for fairness, want := range map[time.Duration]time.Duration{
		0: time.Millisecond, -1: 0, -time.Hour: 0, 1: time.Microsecond, 1500: 2 * time.Microsecond} {
		p, _ := newPool(t, pool.Config{Fairness: fairness})
		if got := p.Fairness(); got != want {
			t.Errorf("%v became %v instead of %v", fairness, got, want)
		}
	}
}

func TestSettingsAreSetByTheirNames(t *testing.T) {
	settings := map[string]string{"max_open": "2", "initial": "2", "get_timeout_ms": "300", "name": "prices", "queue": "lifo"}
	p, f := newPool(t, pool.Config{MaxOpen: 5, Settings: settings})
	if f.opened.Load() != 2 {
		t.Errorf("%d opened", f.opened.Load())
	}
	one, other := get(t, p), get(t, p)
	_, err := p.Get(context.Background())
	expect(t, err, pool.ErrTimeout)
	if report, _ := p.Report(pool.JSON); !strings.Contains(report, "prices") {
		t.Errorf("%q has not the name", report)
	}
	release(t, one)
	release(t, other)
}

func TestWrongSettingsAreNamed(t *testing.T) {
	open := new(factory).open
	for text, config := range map[string]pool.Config{
		"initial is -1":                            {Initial: -1},
		"initial is 3":                             {Initial: 3, MaxOpen: 2},
		"initial is 11":                            {Initial: 11},
		"max_open is -1":                           {MaxOpen: -1},
		"max_open is ":                             {MaxOpen: math.MaxInt},
		"max_idle is -2":                           {MaxIdle: -2},
		"min_idle is -1":                           {MinIdle: -1},
		"max_opening":                              {MaxOpening: math.MinInt},
		"max_waiters":                              {MaxWaiters: -5},
		"queue is 7":                               {Queue: 7},
		"retire_percent is 101":                    {RetirePercent: 101},
		"get_timeout_ms":                           {GetTimeout: math.MaxInt64},
		"min_idle is 3":                            {MinIdle: 3, MaxOpen: 2},
		"check_after_ms is set, but":               {CheckAfter: pool.Always},
		"keepalive_ms is set, but t":               {Keepalive: time.Second},
		"\"max_opn\"; did you mean max_open?":      {Settings: map[string]string{"max_opn": "1"}},
		"max_open is \"many\"; it must be 1 to ":   {Settings: map[string]string{"max_open": "many"}},
		"queue is \"random\"; it must be fifo (0)": {Settings: map[string]string{"queue": "random"}},
		"setting max_open contains a zero byte":    {Settings: map[string]string{"max_open": "1\x002"}},
		"setting name contains a zero byte":        {Name: "shop\x00keeper"},
		"setting budget contains a zero byte":      {Budget: "process:shop\x00?limit=1"},
		"setting \"max\\x00_open\" contains a ze":  {Settings: map[string]string{"max\x00_open": "1"}},
		"openers":                                  {Settings: map[string]string{"openers": "1"}},
	} {
		_, err := pool.New(config, open)
		expect(t, err, pool.ErrInvalid)
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
	_, err := pool.New[*connection](pool.Config{}, nil)
	expect(t, err, pool.ErrInvalid)
	_, err = pool.New(pool.Config{}, open, nil)
	expect(t, err, pool.ErrInvalid)
	p, _ := newPool(t, pool.Config{Name: "prices%s"})
	var none context.Context
	_, err = p.Get(none)
	expect(t, err, pool.ErrInvalid)
	expect(t, p.Close(none), pool.ErrInvalid)
	_, err = p.Resize(-1)
	expect(t, err, pool.ErrInvalid)
	_, err = p.Resume()
	expect(t, err, pool.ErrInvalid)
	_, err = p.Report(99)
	expect(t, err, pool.ErrInvalid)
	release(t, get(t, p))
}

func TestAResetCleans(t *testing.T) {
	resets := 0
	p, _ := newPool(t, pool.Config{MaxOpen: 1}, pool.WithReset(func(*connection) error {
		if resets++; resets == 2 {
			return errors.New("dirty")
		}
		return nil
	}))
	lease := get(t, p)
	first := lease.Conn()
	release(t, lease)
	lease = get(t, p)
	if lease.Conn() != first {
		t.Error("closed although it is clean")
	}
	release(t, lease)
	if !first.closed.Load() || p.Len() != 0 {
		t.Error("not closed although the reset failed")
	}
}

func TestADeadConnectionIsNotLent(t *testing.T) {
	dead := make(map[*connection]bool)
	p, f := newPool(t, pool.Config{MaxOpen: 1, CheckAfter: pool.Always},
		pool.WithCheck(func(_ context.Context, conn *connection) error {
			if dead[conn] {
				return errors.New("dead")
			}
			return nil
		}))
	lease := get(t, p)
	conn := lease.Conn()
	release(t, lease)
	lease = get(t, p)
	if lease.Conn() != conn {
		t.Error("a good connection was closed")
	}
	dead[conn] = true
	release(t, lease)
	lease = get(t, p)
	if lease.Conn() == conn || !conn.closed.Load() {
		t.Error("a dead connection was lent")
	}
	release(t, lease)
	if stats := p.Stats(); stats.Checks != 2 || stats.CheckFailures != 1 || f.opened.Load() != 2 {
		t.Errorf("%+v", stats)
	}
}

// ---- what open can do ----

func TestAnOpenThatFailsTakesNoPlace(t *testing.T) {
	failing := errors.New("refused")
	fails := true
	f := new(factory)
	p, err := pool.New(pool.Config{MaxOpen: 1}, func(ctx context.Context) (*connection, error) {
		if fails {
			return nil, failing
		}
		return f.open(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer drain(t, p)
	for i := 0; i < 20; i++ {
		_, err = p.Get(background)
		expect(t, err, failing)
		expect(t, err, pool.ErrOpen)
	}
	if stats := p.Stats(); stats.Open != 0 || stats.OpenFailures != 20 {
		t.Errorf("%+v", stats)
	}
	fails = false
	release(t, get(t, p))
}

func TestAnOpenThatReturnsNothingFails(t *testing.T) {
	p, err := pool.New(pool.Config{MaxOpen: 1}, func(context.Context) (*connection, error) { return nil, nil })
	if err != nil {
		t.Fatal(err)
	}
	defer drain(t, p)
	_, err = p.Get(background)
	expect(t, err, pool.ErrOpen)
}

func TestTheNextIsServedAfterAnOpenThatFailed(t *testing.T) {
	proceed := make(chan error)
	p, err := pool.New(pool.Config{MaxOpen: 1}, func(context.Context) (*connection, error) {
		if err := <-proceed; err != nil {
			return nil, err
		}
		return new(connection), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer drain(t, p)
	failing := errors.New("refused")
	results := make(chan error)
	for i := 0; i < 3; i++ {
		go func() {
			lease, err := p.Get(background)
			if err == nil {
				err = lease.Release()
			}
			results <- err
		}()
	}
	eventually(t, "two wait for the third", func() bool { return p.Stats().Waiting == 2 })
	proceed <- failing
	expect(t, <-results, failing)
	proceed <- failing
	expect(t, <-results, failing)
	proceed <- nil
	expect(t, <-results, nil)
}

func TestAPanicInOpenLeavesTheCountsRight(t *testing.T) {
	for name, open := range map[string]func(){
		"panic":       func() { panic("no") },
		"error":       func() { panic(errNo) },
		"nil pointer": func() { var conn *connection; conn.number = 1 },
		"Goexit":      runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			misbehaves := true
			p, err := pool.New(pool.Config{MaxOpen: 1}, func(context.Context) (*connection, error) {
				if misbehaves {
					open()
				}
				return new(connection), nil
			})
			if err != nil {
				t.Fatal(err)
			}
			defer drain(t, p)
			for i := 0; i < 10; i++ {
				var panicked *pool.PanicError
				err := panicOf(func() {
					_, err = p.Get(background)
					if name == "Goexit" {
						expect(t, err, pool.ErrOpen)
					} else {
						t.Error("no panic")
					}
				})
				if name != "Goexit" && !errors.As(err, &panicked) {
					t.Fatalf("panicked with %v", err)
				}
				if name == "error" {
					expect(t, err, errNo)
				}
			}
			misbehaves = false
			release(t, get(t, p))
			if stats := p.Stats(); stats.OpenFailures != 10 || stats.Open != 1 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

var errNo = errors.New("no")

func TestAPanicInCloseCheckOrResetLeavesTheCountsRight(t *testing.T) {
	f := new(factory)
	var broken atomic.Value // the close of what a check refused has a goroutine of its own
	broken.Store("")
	misbehave := func(part string) error {
		if broken.Load() == part {
			panic(part)
		}
		return nil
	}
	p, err := pool.New(pool.Config{MaxOpen: 1, CheckAfter: pool.Always}, f.open,
		pool.WithClose(func(conn *connection) error { f.close(conn); return misbehave("close") }),
		pool.WithCheck(func(context.Context, *connection) error { return misbehave("check") }),
		pool.WithReset(func(*connection) error { return misbehave("reset") }))
	if err != nil {
		t.Fatal(err)
	}
	defer drain(t, p)
	panics := func(function func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		function()
	}
	lease := get(t, p)
	broken.Store("close")
	panics(func() { lease.Discard() })
	lease = get(t, p)
	broken.Store("reset")
	panics(func() { lease.Release() })
	expect(t, lease.Release(), pool.ErrStale)
	broken.Store("")
	release(t, get(t, p))
	broken.Store("check")
	panics(func() { p.Get(background) })
	broken.Store("")
	release(t, get(t, p))
	if stats := p.Stats(); stats.Open != 1 || stats.Idle != 1 || stats.Closed != 3 {
		t.Errorf("%+v", stats)
	}
}

func TestAnOpenThatNeverReturnsHoldsNobodyUp(t *testing.T) {
	stuck := make(chan struct{})
	opens := make(chan bool, 3)
	f := new(factory)
	p, err := pool.New(pool.Config{MaxOpen: 2}, func(ctx context.Context) (*connection, error) {
		if <-opens {
			<-stuck
		}
		return f.open(ctx)
	}, pool.WithClose(f.close))
	if err != nil {
		t.Fatal(err)
	}
	opens <- true
	ctx, cancel := context.WithTimeout(background, 30*time.Millisecond)
	_, err = p.Get(ctx)
	cancel()
	expect(t, err, pool.ErrTimeout)
	opens <- false
	lease := get(t, p)
	if stats := p.Stats(); stats.Opening != 1 || stats.Leased != 1 {
		t.Errorf("%+v", stats)
	}
	ctx, cancel = context.WithTimeout(background, 30*time.Millisecond)
	expect(t, p.Close(ctx), pool.ErrTimeout)
	cancel()
	release(t, lease)
	close(stuck)
	drain(t, p)
	if f.opened.Load() != 2 || f.closed.Load() != 2 {
		t.Errorf("%d opened, %d closed", f.opened.Load(), f.closed.Load())
	}
}

func TestAConnectionThatComesTooLateIsKept(t *testing.T) {
	proceed := make(chan struct{})
	f := new(factory)
	p, err := pool.New(pool.Config{MaxOpen: 1}, func(ctx context.Context) (*connection, error) {
		<-proceed
		return f.open(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer drain(t, p)
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	_, err = p.Get(ctx)
	expect(t, err, pool.ErrTimeout)
	close(proceed)
	lease := get(t, p)
	release(t, lease)
	if f.opened.Load() != 1 {
		t.Errorf("%d opened", f.opened.Load())
	}
}

// ---- closing, control ----

func TestCloseWhileLent(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 2})
	lent, idle := get(t, p), get(t, p)
	release(t, idle)
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	err := p.Close(ctx)
	expect(t, err, pool.ErrTimeout)
	expect(t, err, context.DeadlineExceeded)
	if f.closed.Load() != 1 {
		t.Errorf("%d closed", f.closed.Load())
	}
	lent.Conn().use(t) // still good
	_, err = p.Get(background)
	expect(t, err, pool.ErrClosed)
	_, err = p.TryGet(background)
	expect(t, err, pool.ErrClosed)
	if p.Len() != 0 {
		t.Errorf("%d idle", p.Len())
	}
	closed := make(chan error)
	go func() { closed <- p.Close(background) }()
	select {
	case err := <-closed:
		t.Fatal("closed before the last came back: ", err)
	case <-time.After(10 * time.Millisecond):
	}
	release(t, lent)
	expect(t, <-closed, nil)
	expect(t, lent.Release(), pool.ErrStale)
	expect(t, p.Close(background), nil)
}

func TestCloseTellsWhoWaits(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	lease := get(t, p)
	failed := make(chan error)
	for i := 0; i < 20; i++ {
		go func() {
			_, err := p.Get(background)
			failed <- err
		}()
	}
	eventually(t, "all wait", func() bool { return p.Stats().Waiting == 20 })
	ctx, cancel := context.WithCancel(background)
	cancel()
	expect(t, p.Close(ctx), pool.ErrCancelled)
	for i := 0; i < 20; i++ {
		expect(t, <-failed, pool.ErrClosed)
	}
	release(t, lease)
}

func TestFlushPauseAndResize(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 3})
	lent, idle, other := get(t, p), get(t, p), get(t, p)
	release(t, idle)
	release(t, other)
	if count := p.Flush(); count != 3 || f.closed.Load() != 2 {
		t.Errorf("%d flushed, %d closed", count, f.closed.Load())
	}
	release(t, lent)
	if f.closed.Load() != 3 {
		t.Error("the flushed connection was kept")
	}
	if _, err := p.Pause(); err != nil {
		t.Error(err)
	}
	var group sync.WaitGroup
	for i := 0; i < 5; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			release(t, get(t, p))
		}()
	}
	eventually(t, "all wait", func() bool { return p.Stats().Waiting == 5 })
	if _, err := p.Resume(); err != nil {
		t.Error(err)
	}
	within(t, patience, "those who waited for Resume", &group)
	if left, err := p.Resize(1); left != 0 || err != nil || p.Len() > 1 {
		t.Error(left, err, p.Len())
	}
	lease := get(t, p)
	group.Add(1)
	go func() {
		defer group.Done()
		release(t, get(t, p))
	}()
	eventually(t, "one waits", func() bool { return p.Stats().Waiting == 1 })
	if _, err := p.Resize(2); err != nil {
		t.Error(err)
	}
	within(t, patience, "the one that waited for Resize", &group)
	release(t, lease)
}

// ---- what time does ----

func TestIdleConnectionsAreClosed(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 4, IdleTimeout: 20 * time.Millisecond})
	leases := []pool.Lease[*connection]{get(t, p), get(t, p), get(t, p)}
	for _, lease := range leases {
		release(t, lease)
	}
	eventually(t, "all are closed", func() bool { return f.closed.Load() == 3 })
	release(t, get(t, p))
	eventually(t, "the next too", func() bool { return f.closed.Load() == 4 })
	eventually(t, "all four are counted", func() bool { return p.Stats().ClosedIdle == 4 })
}

func TestSomeAreKeptIdle(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 5, MinIdle: 2, IdleTimeout: time.Hour})
	eventually(t, "two are idle", func() bool { return p.Len() == 2 })
	first, second := get(t, p), get(t, p)
	eventually(t, "two others are idle", func() bool { return p.Len() == 2 })
	release(t, first)
	release(t, second)
	if f.opened.Load() != 4 {
		t.Errorf("%d opened", f.opened.Load())
	}
}

func TestSomeAreKeptOpenAndLentOnesCount(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 5, MinOpen: 3})
	eventually(t, "three are idle", func() bool { return p.Len() == 3 })
	first, second := get(t, p), get(t, p)
	if err := first.Discard(); err != nil {
		t.Error(err)
	}
	eventually(t, "it was replaced", func() bool { return p.Len() == 2 })
	release(t, second)
	if f.opened.Load() != 4 {
		t.Errorf("%d opened", f.opened.Load())
	}
}

func TestAPoolMayBeginPaused(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 2, Initial: 1, Paused: true})
	if _, err := p.TryGet(background); !errors.Is(err, pool.ErrTimeout) {
		t.Errorf("TryGet: %v", err)
	}
	if left, err := p.Resume(); left != 0 || err != nil {
		t.Errorf("Resume: %d, %v", left, err)
	}
	release(t, get(t, p))
	if f.opened.Load() != 1 {
		t.Errorf("%d opened", f.opened.Load())
	}
}

func TestAServerThatComesBackIsFound(t *testing.T) {
	failing := errors.New("down")
	var mutex sync.Mutex
	down := true
	p, err := pool.New(pool.Config{MaxOpen: 2, RetryMin: 5 * time.Millisecond, RetryMax: 20 * time.Millisecond, BreakerAfter: 3},
		func(context.Context) (*connection, error) {
			mutex.Lock()
			defer mutex.Unlock()
			if down {
				return nil, failing
			}
			return new(connection), nil
		})
	if err != nil {
		t.Fatal(err)
	}
	defer drain(t, p)
	var group sync.WaitGroup
	for i := 0; i < 10; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				lease, err := p.Get(background)
				if err == nil {
					release(t, lease)
					return
				}
				if !errors.Is(err, failing) || !errors.Is(err, pool.ErrOpen) {
					t.Errorf("got %v", err)
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
	}
	eventually(t, "gets fail fast", func() bool { return p.Stats().FailedFast > 0 })
	mutex.Lock()
	down = false
	mutex.Unlock()
	within(t, patience, "all are served", &group)
}

func TestIdleConnectionsAreCheckedInTheBackground(t *testing.T) {
	var dead atomic.Bool
	p, f := newPool(t, pool.Config{MaxOpen: 3, Keepalive: 10 * time.Millisecond},
		pool.WithCheck(func(context.Context, *connection) error {
			if dead.Load() {
				return errNo
			}
			return nil
		}))
	first, second := get(t, p), get(t, p)
	release(t, first)
	release(t, second)
	eventually(t, "both are checked", func() bool { return p.Stats().Checks >= 2 })
	if p.Len() == 0 && f.closed.Load() > 0 {
		t.Error("good ones were closed")
	}
	dead.Store(true)
	eventually(t, "both are closed", func() bool { return f.closed.Load() == 2 })
}

func TestNoneGetsOlderThanItsLifetime(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 3, MaxLifetime: 50 * time.Millisecond})
	lent, idle := get(t, p), get(t, p)
	release(t, idle)
	eventually(t, "the idle one is closed", func() bool { return f.closed.Load() == 1 })
	time.Sleep(50 * time.Millisecond)
	lent.Conn().use(t)
	release(t, lent)
	eventually(t, "the other too", func() bool { return f.closed.Load() == 2 })
	eventually(t, "both are counted", func() bool { return p.Stats().ClosedLifetime == 2 })
}

func TestTheLateAreShed(t *testing.T) {
	const waiters = 30
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Queue: pool.Shed, OverloadAfter: 10 * time.Millisecond})
	lease := get(t, p)
	ends := make(chan error, waiters)
	for i := 0; i < waiters; i++ {
		go func() {
			lease, err := p.Get(background)
			if err == nil {
				err = lease.Release()
			}
			ends <- err
		}()
	}
	eventually(t, "all wait, or were shed already", func() bool {
		stats := p.Stats()
		return stats.Waiting+stats.Overloaded == waiters
	})
	time.Sleep(50 * time.Millisecond)
	release(t, lease)
	shed := 0
	for i := 0; i < waiters; i++ {
		select {
		case err := <-ends:
			if err != nil {
				expect(t, err, pool.ErrOverload)
				shed++
			}
		case <-time.After(patience):
			t.Fatalf("%d never heard of it: %+v", waiters-i, p.Stats())
		}
	}
	if shed == 0 {
		t.Error("none was shed")
	}
}

func TestOpenGetsTheCallersValuesAndNotItsEnd(t *testing.T) {
	type key struct{}
	contexts, proceed := make(chan context.Context, 1), make(chan struct{})
	p, err := pool.New(pool.Config{}, func(ctx context.Context) (*connection, error) {
		contexts <- ctx
		<-proceed
		return new(connection), ctx.Err()
	})
	succeed(t, err)
	defer drain(t, p)
	ctx, cancel := context.WithCancel(context.WithValue(background, key{}, "value"))
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = p.Get(ctx)
	expect(t, err, pool.ErrCancelled)
	given := <-contexts
	if _, limited := given.Deadline(); !limited || given.Value(key{}) != "value" || given.Err() != nil {
		t.Errorf("limited %v, %v, %v", limited, given.Value(key{}), given.Err())
	}
	close(proceed)
	eventually(t, "the connection is kept", func() bool { return p.Len() == 1 })
}

// ---- seeing ----

func TestWhatIsToBeSeen(t *testing.T) {
	p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 3})
	for i := 0; i < 2048; i++ {
		release(t, get(t, p))
	}
	// One lease in 1,024 is timed.
	if stats := p.Stats(); stats.Lent != 2048 || stats.Idle != 1 || stats.Opened != 1 || stats.Use.Count != 2 {
		t.Errorf("%+v", stats)
	}
	for _, format := range []int{pool.Text, pool.JSON, pool.Prometheus} {
		text, err := p.Report(format)
		if err != nil || !strings.Contains(text, "prices") {
			t.Errorf("%q %v", text, err)
		}
	}
	if pool.Version() == "" {
		t.Error("no version")
	}
}
