// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// A factory whose opens wait until they may proceed; so do its closes, if they are to hang.
type gated struct {
	factory
	proceed chan struct{} // closed: all may
	begun   atomic.Int64
	now     atomic.Int64
	peak    atomic.Int64
	last    atomic.Pointer[context.Context] // of open
}

func newGated() *gated { return &gated{proceed: make(chan struct{})} }

func (g *gated) open(ctx context.Context) (*connection, error) {
	g.begun.Add(1)
	g.last.Store(&ctx)
	for now := g.now.Add(1); ; {
		peak := g.peak.Load()
		if now <= peak || g.peak.CompareAndSwap(peak, now) {
			break
		}
	}
	<-g.proceed
	g.now.Add(-1)
	return g.factory.open(ctx)
}

func newGatedPool(t *testing.T, config pool.Config, options ...pool.Option[*connection]) (*pool.Pool[*connection], *gated) {
	t.Helper()
	g := newGated()
	p, err := pool.New(config, g.open, append([]pool.Option[*connection]{pool.WithClose(g.close)}, options...)...)
	succeed(t, err)
	t.Cleanup(func() { drain(t, p) })
	return p, g
}

// What a Get came to that runs in another goroutine.
type result struct {
	lease pool.Lease[*connection]
	err   error
}

func begin(p *pool.Pool[*connection], ctx context.Context) <-chan result {
	ended := make(chan result, 1)
	go func() {
		lease, err := p.Get(ctx)
		ended <- result{lease, err}
	}()
	return ended
}

func await(t *testing.T, ended <-chan result) result {
	t.Helper()
	return soon(t, "a Get ends", ended)
}

// ---- what comes first ----

func TestAGetTakesAReleaseWhileItsOpenIsUnderWay(t *testing.T) {
	p, g := newGatedPool(t, pool.Config{MaxOpen: 2})
	first := begin(p, background)
	g.proceed <- struct{}{}
	held := await(t, first)
	succeed(t, held.err)
	second := begin(p, background)
	eventually(t, "the second opens", func() bool { return g.begun.Load() == 2 })
	conn := held.lease.Conn()
	release(t, held.lease)
	got := await(t, second)
	succeed(t, got.err)
	if got.lease.Conn() != conn {
		t.Error("not the one that came back")
	}
	close(g.proceed)
	eventually(t, "what was opened is kept", func() bool { return p.Len() == 1 })
	release(t, get(t, p))
	release(t, got.lease)
	if stats := p.Stats(); stats.Opened != 2 || stats.OpenFailures != 0 || stats.Closed != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestAGetTakesWhatAnotherHasBegunToOpen(t *testing.T) {
	p, g := newGatedPool(t, pool.Config{MaxOpen: 1})
	ctx, cancel := context.WithCancel(background)
	first := begin(p, ctx)
	eventually(t, "it opens", func() bool { return g.begun.Load() == 1 })
	cancel()
	expect(t, await(t, first).err, pool.ErrCancelled)
	second := begin(p, background)
	eventually(t, "the second waits", func() bool { return p.Stats().Waiting == 1 })
	close(g.proceed)
	got := await(t, second)
	succeed(t, got.err)
	release(t, got.lease)
	if stats := p.Stats(); stats.Opened != 1 || stats.OpenFailures != 0 || stats.Cancelled != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestImpatientCallersAreServedOnceTheirOpensHaveEnded(t *testing.T) {
	const callers = 40
	p, g := newGatedPool(t, pool.Config{MaxOpen: callers})
	try := func() (served int64) {
		var group sync.WaitGroup
		var count atomic.Int64
		for i := 0; i < callers; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
				defer cancel()
				lease, err := p.Get(ctx)
				if err != nil {
					expect(t, err, pool.ErrTimeout)
					return
				}
				count.Add(1)
				release(t, lease)
			}()
		}
		within(t, patience, "all end", &group)
		return count.Load()
	}
	if served := try(); served != 0 {
		t.Errorf("%d were served although nothing was open", served)
	}
	if stats := p.Stats(); stats.TimedOut != callers {
		t.Errorf("%+v", stats)
	}
	close(g.proceed)
	eventually(t, "all are kept", func() bool { return p.Stats().Opening == 0 && p.Stats().Idle == g.begun.Load() })
	before := g.begun.Load()
	eventually(t, "all are served", func() bool { return try() == callers })
	if stats := p.Stats(); g.begun.Load() != before || stats.OpenFailures != 0 || stats.Closed != 0 {
		t.Errorf("%d opens, then %d; %+v", before, g.begun.Load(), stats)
	}
}

func TestWithoutACapWhatIsLeftOverIsCountedOn(t *testing.T) {
	p, g := newGatedPool(t, pool.Config{})
	for i := 0; i < 20; i++ { // within a moment
		ctx, cancel := context.WithCancel(background)
		ended := begin(p, ctx)
		eventually(t, "it waits or opens", func() bool { return p.Stats().Waiting == 1 || g.begun.Load() > int64(i) })
		cancel()
		expect(t, await(t, ended).err, pool.ErrCancelled)
	}
	close(g.proceed)
	eventually(t, "all have ended", func() bool { return p.Stats().Opening == 0 })
	if opened := g.begun.Load(); opened > 10 {
		t.Errorf("%d opened for one caller at a time", opened)
	}
}

func TestAnOpenThatHangsDoesNotKeepOthersFromOpening(t *testing.T) {
	p, g := newGatedPool(t, pool.Config{})
	for count := int64(1); count <= 3; count++ {
		ctx, cancel := context.WithCancel(background)
		ended := begin(p, ctx)
		eventually(t, "one more is tried", func() bool { return g.begun.Load() == count })
		cancel()
		expect(t, await(t, ended).err, pool.ErrCancelled)
	}
	close(g.proceed)
	release(t, get(t, p))
}

func TestNoMoreAreOpenedAtOneTimeThanMay(t *testing.T) {
	p, g := newGatedPool(t, pool.Config{MaxOpen: 20, MaxOpening: 3})
	var gets []<-chan result
	for i := 0; i < 20; i++ {
		gets = append(gets, begin(p, background))
	}
	eventually(t, "three open and the others wait", func() bool { return g.now.Load() == 3 && p.Stats().Waiting == 17 })
	close(g.proceed)
	for _, each := range gets {
		got := await(t, each)
		succeed(t, got.err)
		defer got.lease.Release()
	}
	if g.peak.Load() != 3 {
		t.Errorf("%d at one time", g.peak.Load())
	}
}

func TestGetsThatOpenDoNotCountAsWaiting(t *testing.T) {
	p, g := newGatedPool(t, pool.Config{MaxOpen: 5, MaxWaiters: 1})
	var gets []<-chan result
	for i := 0; i < 5; i++ {
		gets = append(gets, begin(p, background))
	}
	eventually(t, "all open", func() bool { return g.now.Load() == 5 })
	gets = append(gets, begin(p, background))
	eventually(t, "one waits", func() bool { return p.Stats().Waiting == 1 })
	_, err := p.Get(background)
	expect(t, err, pool.ErrOverload)
	close(g.proceed)
	for _, each := range gets {
		got := await(t, each)
		succeed(t, got.err)
		release(t, got.lease)
	}
}

func TestACheckOutlivesTheGetThatLeaves(t *testing.T) {
	checking, proceed := make(chan context.Context, 1), make(chan struct{})
	p, _ := newPool(t, pool.Config{MaxOpen: 1, CheckAfter: pool.Always},
		pool.WithCheck(func(ctx context.Context, _ *connection) error {
			checking <- ctx
			<-proceed
			return ctx.Err()
		}))
	release(t, get(t, p))
	ctx, cancel := context.WithCancel(background)
	ended := begin(p, ctx)
	seen := <-checking
	cancel()
	expect(t, await(t, ended).err, pool.ErrCancelled)
	if seen.Err() != nil {
		t.Error("the check was ended")
	}
	close(proceed)
	eventually(t, "it is idle again", func() bool { return p.Len() == 1 })
	if stats := p.Stats(); stats.CheckFailures != 0 || stats.Closed != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestAGetTakesAReleaseWhileItsCheckHangs(t *testing.T) {
	var first atomic.Pointer[connection]
	proceed := make(chan struct{})
	p, _ := newPool(t, pool.Config{MaxOpen: 2, CheckAfter: pool.Always},
		pool.WithCheck(func(_ context.Context, conn *connection) error {
			if conn == first.Load() {
				<-proceed
			}
			return nil
		}))
	one, other := get(t, p), get(t, p)
	first.Store(one.Conn())
	release(t, one)
	ended := begin(p, background)
	eventually(t, "it is checked", func() bool { return p.Len() == 0 })
	release(t, other)
	got := await(t, ended)
	succeed(t, got.err)
	if got.lease.Conn() == first.Load() {
		t.Error("not the one that came back")
	}
	close(proceed)
	eventually(t, "the other is idle", func() bool { return p.Len() == 1 })
	release(t, got.lease)
}

// ---- functions that hang ----

func TestACloseThatHangsStopsNothing(t *testing.T) {
	for name, end := range map[string]func(p *pool.Pool[*connection]){
		"flush": func(p *pool.Pool[*connection]) { p.Flush() },
		"idle":  func(*pool.Pool[*connection]) {},
		"close": func(p *pool.Pool[*connection]) {
			ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
			defer cancel()
			err := p.Close(ctx)
			expect(t, err, pool.ErrTimeout)
			expect(t, err, context.DeadlineExceeded)
			says(t, err, "pool: the pool is closed, but connections are still lent or being opened: 1: .*")
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := pool.Config{MaxOpen: 8, Initial: 8}
			if name == "idle" {
				config.IdleTimeout = 20 * time.Millisecond
			}
			var closed atomic.Int64
			proceed := make(chan struct{})
			p, err := pool.New(config, new(factory).open, pool.WithClose(func(*connection) error {
				if closed.Add(1) == 1 {
					<-proceed
				}
				return nil
			}))
			succeed(t, err)
			end(p)
			eventually(t, "the others are closed", func() bool { return p.Stats().Closed == 7 })
			if name != "close" {
				release(t, get(t, p)) // and the keeper lives
			}
			close(proceed)
			drain(t, p)
		})
	}
}

func TestAFlushClosesSideBySide(t *testing.T) {
	var together sync.WaitGroup
	together.Add(8)
	p, err := pool.New(pool.Config{MaxOpen: 8, Initial: 8}, new(factory).open, pool.WithClose(func(*connection) error {
		together.Done()
		together.Wait() // until all eight are being closed
		return nil
	}))
	succeed(t, err)
	if count := p.Flush(); count != 8 {
		t.Errorf("%d flushed", count)
	}
	eventually(t, "all are closed", func() bool { return p.Stats().ClosedFlushed == 8 })
	drain(t, p)
}

func TestAnOpenThatHangsLeavesOthersIdle(t *testing.T) {
	var opened atomic.Int64
	proceed := make(chan struct{})
	p, err := pool.New(pool.Config{MaxOpen: 5, MinIdle: 1}, func(context.Context) (*connection, error) {
		if opened.Add(1) == 1 {
			<-proceed
		}
		return new(connection), nil
	})
	succeed(t, err)
	eventually(t, "another is idle", func() bool { return p.Len() == 1 })
	close(proceed)
	drain(t, p)
}

func TestAnEventThatHangsDoesNotStopTheKeeper(t *testing.T) {
	proceed := make(chan struct{})
	p, f := newPool(t, pool.Config{IdleTimeout: 20 * time.Millisecond},
		pool.WithEvents[*connection](func(pool.Event) { <-proceed }))
	release(t, get(t, p))
	eventually(t, "it is closed", func() bool { return f.closed.Load() == 1 })
	close(proceed)
}

// ---- the first connections, side by side ----

func TestTheFirstConnectionsAreOpenedSideBySide(t *testing.T) {
	for _, config := range []pool.Config{{Initial: 20, MaxOpen: 20}, {MinIdle: 20, MaxOpen: 20}, {MinOpen: 20, MaxOpen: 20}} {
		for _, opening := range []int{0, 4} {
			config.MaxOpening = opening
			most := int64(20)
			if opening > 0 {
				most = int64(opening)
			}
			t.Run(fmt.Sprintf("%d %d %d, %d", config.Initial, config.MinIdle, config.MinOpen, opening), func(t *testing.T) {
				g := newGated()
				pools := make(chan *pool.Pool[*connection], 1)
				go func() {
					p, err := pool.New(config, g.open, pool.WithClose(g.close))
					if err != nil {
						t.Error(err)
					}
					pools <- p
				}()
				eventually(t, "as many as may are being opened", func() bool { return g.now.Load() == most })
				close(g.proceed)
				p := <-pools
				eventually(t, "all are idle", func() bool { return p.Len() == 20 })
				if g.peak.Load() != most {
					t.Errorf("%d at one time", g.peak.Load())
				}
				drain(t, p)
			})
		}
	}
}

// ---- the context of open ----

type key struct{}

func TestTheContextOfOpenLivesAsLongAsTheConnection(t *testing.T) {
	p, g := newGatedPool(t, pool.Config{GetTimeout: patience})
	close(g.proceed)
	ctx, cancel := context.WithTimeout(context.WithValue(background, key{}, "value"), patience)
	lease, err := p.Get(ctx)
	succeed(t, err)
	cancel()
	life := *g.last.Load()
	derived, end := context.WithCancel(life)
	defer end()
	_, limited := life.Deadline()
	if life.Err() != nil || derived.Err() != nil || limited || life.Value(key{}) != "value" {
		t.Errorf("%v, %v, limited %v, %v", life.Err(), derived.Err(), limited, life.Value(key{}))
	}
	release(t, lease)
	lease = get(t, p)
	select {
	case <-life.Done():
		t.Error("it has ended before the connection")
	default:
	}
	succeed(t, lease.Discard())
	<-life.Done()
	<-derived.Done()
	expect(t, life.Err(), context.Canceled)
	expect(t, derived.Err(), context.Canceled)
}

// Those that ask before the context ends, while it ends and after it has ended.
func TestAllThatAskAreToldOfTheEndOfAContext(t *testing.T) {
	var life context.Context
	p, err := pool.New(pool.Config{}, func(ctx context.Context) (*connection, error) { life = ctx; return new(connection), nil })
	succeed(t, err)
	defer drain(t, p)
	for i := 0; i < 200; i++ {
		lease := get(t, p)
		var group sync.WaitGroup
		ask := func(life context.Context) {
			derived, end := context.WithCancel(life)
			defer end()
			<-derived.Done()
			<-life.Done()
			if life.Err() == nil {
				t.Error("it is done and has not ended")
			}
			group.Done()
		}
		group.Add(4)
		for asker := 0; asker < 3; asker++ {
			go ask(life)
		}
		if i%2 == 0 {
			runtime.Gosched()
		}
		succeed(t, lease.Discard())
		go ask(life)
		within(t, patience, "all have been told", &group)
	}
}

func TestTheContextOfOpenIsThereWhileTheConnectionIsClosed(t *testing.T) {
	var life context.Context
	p, err := pool.New(pool.Config{}, func(ctx context.Context) (*connection, error) { life = ctx; return new(connection), nil },
		pool.WithClose(func(*connection) error { return life.Err() }))
	succeed(t, err)
	release(t, get(t, p))
	drain(t, p)
	if failures := p.Stats().CloseFailures; failures != 0 {
		t.Error("it had ended before")
	}
	<-life.Done()
}

func TestAnOpenIsGivenUpAfterItsTime(t *testing.T) {
	p, err := pool.New(pool.Config{OpenTimeout: 20 * time.Millisecond}, func(ctx context.Context) (*connection, error) {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("it has no limit")
		}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	succeed(t, err)
	_, err = p.Get(background)
	expect(t, err, pool.ErrOpen)
	expect(t, err, context.DeadlineExceeded)
	drain(t, p)
}

func TestAnOpenTimeoutThatIsCenturiesLongIsNone(t *testing.T) {
	p, err := pool.New(pool.Config{OpenTimeout: math.MaxInt64}, func(ctx context.Context) (*connection, error) {
		if deadline, is := ctx.Deadline(); is {
			t.Errorf("the open is given up at %v", deadline)
		}
		return new(connection), ctx.Err()
	})
	succeed(t, err)
	defer drain(t, p)
	release(t, get(t, p))
}

func TestAConnectionThatComesAfterItsOpenWasGivenUpIsClosed(t *testing.T) {
	f := new(factory)
	p, err := pool.New(pool.Config{OpenTimeout: 20 * time.Millisecond}, func(ctx context.Context) (*connection, error) {
		<-ctx.Done()
		return f.open(ctx)
	}, pool.WithClose(f.close))
	succeed(t, err)
	_, err = p.Get(background)
	expect(t, err, pool.ErrOpen)
	if f.opened.Load() != 1 || f.closed.Load() != 1 {
		t.Errorf("%d opened, %d closed", f.opened.Load(), f.closed.Load())
	}
	drain(t, p)
}

func TestCloseGivesUpOpens(t *testing.T) {
	p, err := pool.New(pool.Config{}, func(ctx context.Context) (*connection, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	succeed(t, err)
	ended := begin(p, background)
	eventually(t, "it opens", func() bool { return p.Stats().Opening == 1 })
	drain(t, p)
	expect(t, await(t, ended).err, pool.ErrClosed)
}
