// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// Waits until nothing has woken the pool for longer than the library's shortest tick; returns how often something has.
func rests(t *testing.T, p *pool.Pool[*connection]) int64 {
	t.Helper()
	last, since := p.WakeUps(), time.Now()
	eventually(t, "it rests", func() bool {
		if now := p.WakeUps(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > 400*time.Millisecond
	})
	return last
}

func TestAnIdlePoolWakesNobody(t *testing.T) {
	for name, config := range map[string]pool.Config{
		"without times":         {MaxOpen: 3},
		"a lifetime of an hour": {MaxOpen: 3, MaxLifetime: time.Hour},
		"each time of hours": {MaxOpen: 3, MinIdle: 2, MinOpen: 2, IdleTimeout: 3 * time.Hour, MaxLifetime: 3 * time.Hour,
			CheckAfter: time.Hour, Keepalive: time.Hour, LeakAfter: time.Hour, RetryMin: time.Hour, RetryMax: time.Hour},
	} {
		config := config
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := newPool(t, config, pool.WithCheck(func(context.Context, *connection) error { return nil }))
			one, other := get(t, p), get(t, p)
			release(t, one)
			release(t, other)
			before := rests(t, p)
			<-time.After(2 * time.Second)
			if woken := p.WakeUps() - before; woken != 0 {
				t.Errorf("woken %d times", woken)
			}
		})
	}
}

func TestAPoolThatRestsIsWokenByWhatWillBeDue(t *testing.T) {
	p, f := newPool(t, pool.Config{IdleTimeout: 30 * time.Millisecond})
	for round := int64(1); round <= 3; round++ {
		release(t, get(t, p))
		eventually(t, "it is closed after its time", func() bool { return f.closed.Load() == round })
		rests(t, p)
	}
}

func TestAClosedPoolRests(t *testing.T) {
	p, _ := newPool(t, pool.Config{IdleTimeout: 20 * time.Millisecond, LeakAfter: 10 * time.Millisecond})
	lease := get(t, p)
	over, cancel := context.WithCancel(background)
	cancel()
	expect(t, p.Close(over), context.Canceled)
	before := rests(t, p)
	<-time.After(200 * time.Millisecond)
	if woken := p.WakeUps() - before; woken != 0 {
		t.Errorf("woken %d times", woken)
	}
	release(t, lease)
}

// ---- the first connections ----

func TestMoreMayBeOpenedFirstThanAreKeptIdle(t *testing.T) {
	p, f := newPool(t, pool.Config{MinIdle: 20, Initial: 30})
	if p.Len() != 30 || f.opened.Load() != 30 {
		t.Errorf("%d idle, %d opened", p.Len(), f.opened.Load())
	}
}

func TestWhoseFirstConnectionFailsIsToldWhich(t *testing.T) {
	var opened, closed atomic.Int64
	_, err := pool.New(pool.Config{Initial: 5, MaxOpening: 1}, func(context.Context) (*connection, error) {
		if opened.Add(1) == 3 {
			return nil, errNo
		}
		return new(connection), nil
	}, pool.WithClose(func(*connection) error { closed.Add(1); return nil }))
	expect(t, err, pool.ErrOpen)
	expect(t, err, errNo)
	if err.Error() != "pool: could not open initial connection 3 of 5: no" || opened.Load() != 3 || closed.Load() != 2 {
		t.Errorf("%q after %d, %d closed", err, opened.Load(), closed.Load())
	}
}

func TestAFirstConnectionThatHangsEndsWithTheTimeout(t *testing.T) {
	proceed, closed := make(chan struct{}), make(chan struct{})
	_, err := pool.New(pool.Config{Initial: 2, GetTimeout: 20 * time.Millisecond},
		func(context.Context) (*connection, error) { <-proceed; return new(connection), nil },
		pool.WithClose(func(*connection) error { close(closed); return nil }))
	expect(t, err, pool.ErrTimeout)
	close(proceed)
	<-closed // although it came too late
}

func TestAPanicOfTheFirstOpenClosesThePool(t *testing.T) {
	var opened, closed atomic.Int64
	err := panicOf(func() {
		_, _ = pool.New(pool.Config{Initial: 2}, func(context.Context) (*connection, error) {
			if opened.Add(1) == 2 {
				panic(errNo)
			}
			return new(connection), nil
		}, pool.WithClose(func(*connection) error { closed.Add(1); return nil }))
	})
	expect(t, err, errNo)
	if closed.Load() != 1 {
		t.Errorf("%d closed", closed.Load())
	}
}

// ---- resets ----

func TestAResetMayRunInTheBackground(t *testing.T) {
	proceed := make(chan struct{})
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Settings: map[string]string{"background_reset": "1"}},
		pool.WithReset(func(*connection) error { <-proceed; return nil }))
	lease := get(t, p)
	release(t, lease) // does not wait for it
	if p.Len() != 0 {
		t.Error("idle before it is clean")
	}
	close(proceed)
	release(t, get(t, p))
	eventually(t, "it is idle", func() bool { return p.Len() == 1 })
}

func TestWhoWaitsIsServedAfterTheReset(t *testing.T) {
	var resets atomic.Int64
	p, _ := newPool(t, pool.Config{MaxOpen: 1}, pool.WithReset(func(*connection) error { resets.Add(1); return nil }))
	held := get(t, p)
	served := make(chan error)
	go func() {
		lease, err := p.Get(background)
		if err == nil && resets.Load() != 1 {
			err = errors.New("not clean")
		}
		if err == nil {
			err = lease.Release()
		}
		served <- err
	}()
	eventually(t, "somebody waits", func() bool { return p.Stats().Waiting == 1 })
	release(t, held)
	expect(t, <-served, nil)
}

// ---- why a get failed ----

// The oldest lease, where somebody had seen it before.
const heldFor = `(; the oldest lease is out for \d+ ms)?`

func says(t *testing.T, err error, pattern string) {
	t.Helper()
	if !regexp.MustCompile("^" + pattern + "$").MatchString(err.Error()) {
		t.Errorf("%q is not %q", err, pattern)
	}
}

func TestATimeoutSaysWhereTheTimeWent(t *testing.T) {
	const ms = `\d+ ms went by in the queue, \d+ ms in open or check`
	p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 1, GetTimeout: 300 * time.Millisecond})
	held := get(t, p)
	_, err := p.Get(background)
	says(t, err, "prices: no connection in time: "+ms+"; 1 of 1 are open, 1 leased, 0 idle, 0 wait"+heldFor+": get_timeout_ms is 300")
	ctx, cancel := context.WithTimeout(background, 200*time.Millisecond)
	defer cancel()
	_, err = p.Get(ctx)
	says(t, err, "prices: no connection in time: "+ms+"; 1 of 1 are open, 1 leased, 0 idle, 0 wait"+heldFor+": context deadline exceeded")
	release(t, held)
	_, err = p.Pause()
	succeed(t, err)
	_, err = p.Get(background)
	says(t, err, "prices: no connection in time: "+ms+"; 1 of 1 are open, 0 leased, 1 idle, 0 wait; the pool is paused: .*")
	_, err = p.Resume()
	succeed(t, err)
}

func TestATimeoutSaysOnceWhyTheLastOpenFailed(t *testing.T) {
	p, _ := newFull(t, 1, pool.Config{Name: "prices", MaxOpen: 3, GetTimeout: 500 * time.Millisecond})
	held := get(t, p)
	_, err := p.Get(background)
	says(t, err, "prices: no connection in time: .* ms in open or check: "+errFull.Error()+
		"; 1 of 3 are open, 1 leased, 0 idle, 0 wait"+heldFor+": get_timeout_ms is 500")
	expect(t, err, errFull)
	release(t, held)
}

func TestAPoolSaysHowItIs(t *testing.T) {
	p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 1})
	if health, why := p.Health(0); health != pool.Healthy || why != "prices: healthy; 0 of 1 are open, 0 leased, 0 idle, 0 wait" {
		t.Errorf("%v: %s", health, why)
	}
	held := get(t, p)
	ctx, cancel := context.WithTimeout(background, 10*time.Millisecond)
	defer cancel()
	_, err := p.Get(ctx)
	expect(t, err, pool.ErrTimeout)
	if health, why := p.Health(time.Hour); health != pool.Busy {
		t.Errorf("%v: %s", health, why)
	}
	eventually(t, "it is stuck", func() bool {
		health, why := p.Health(time.Millisecond)
		return health == pool.Stuck && health.String() == "stuck" && strings.Contains(why, "stuck: nothing came back for ")
	})
	release(t, held)
	if health, why := p.Health(0); health != pool.Healthy {
		t.Errorf("%v: %s", health, why)
	}
}

func TestWhatIsNotTriedSaysWhy(t *testing.T) {
	p, err := pool.New(pool.Config{Name: "prices", RetryMin: time.Hour, RetryMax: time.Hour, BreakerAfter: 1},
		func(context.Context) (*connection, error) { return nil, errNo })
	succeed(t, err)
	defer drain(t, p)
	_, err = p.Get(background)
	says(t, err, "prices: no")
	_, err = p.Get(background)
	says(t, err, "prices: not tried, for opens keep failing: no")
	expect(t, err, errNo)
}

func TestWhatIsTooLongForTheLibraryIsSaidWhole(t *testing.T) {
	long := errors.New(strings.Repeat("long ", 100) + "end")
	p, err := pool.New(pool.Config{}, func(context.Context) (*connection, error) { return nil, long })
	succeed(t, err)
	defer drain(t, p)
	_, err = p.Get(background)
	if !strings.HasSuffix(err.Error(), long.Error()) {
		t.Errorf("%q", err)
	}
}
