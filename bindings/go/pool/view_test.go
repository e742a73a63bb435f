// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// A pool with one idle connection, which the view would lend next.
func viewed(t *testing.T, config pool.Config) *pool.Pool[*connection] {
	p, _ := newPool(t, config)
	for i := 0; i < 2; i++ { // the first lease of a slot is timed
		lease := get(t, p)
		release(t, lease)
		lease.Expect()
	}
	return p
}

func TestWhatIsIdleIsLentWithoutACall(t *testing.T) {
	p := viewed(t, pool.Config{MaxOpen: 1})
	if takes, asks := p.Takes(); !takes || asks {
		t.Errorf("takes: %v, asks: %v", takes, asks)
	}
}

func TestAPausedOrClosedPoolLendsNothingWithoutACall(t *testing.T) {
	p := viewed(t, pool.Config{MaxOpen: 1})
	p.Pause()
	if takes, _ := p.Takes(); takes {
		t.Error("it lends though it is paused")
	}
	p.Resume()
	succeed(t, p.Close(background))
	if takes, _ := p.Takes(); takes {
		t.Error("it lends though it is closed")
	}
}

func TestTheLibraryIsAskedWhetherAConnectionIsWithinItsLimits(t *testing.T) {
	for name, config := range map[string]pool.Config{
		"uses":     {MaxOpen: 1, Settings: map[string]string{"max_uses": "100"}},
		"lifetime": {MaxOpen: 1, MaxLifetime: time.Hour, CheckAfter: time.Hour},
	} {
		p, _ := newPool(t, config, pool.WithCheck(func(context.Context, *connection) error { return nil }))
		for i := 0; i < 2; i++ {
			lease := get(t, p)
			release(t, lease)
			lease.Expect()
		}
		if takes, asks := p.Takes(); !takes || !asks {
			t.Errorf("%s: takes: %v, asks: %v", name, takes, asks)
		}
	}
}

func TestALeaseIsOutWhateverIsNotedOfIt(t *testing.T) {
	p := viewed(t, pool.Config{MaxOpen: 1})
	lease := get(t, p)
	succeed(t, lease.Tag("noted"))
	p.Flush() // it is to be closed when it comes back
	if !lease.Valid() {
		t.Error("it is not valid")
	}
	release(t, lease)
	if lease.Valid() {
		t.Error("it has ended, and is valid")
	}
}

func TestADiscardEndsALeaseOnce(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 1})
	release(t, get(t, p)) // the first lease of a slot is timed
	for count := int64(1); count <= 50; count++ {
		lease := get(t, p)
		ended := make(chan error, 4)
		for i := 0; i < cap(ended); i++ {
			go func() { ended <- lease.Discard() }()
		}
		successes := 0
		for i := 0; i < cap(ended); i++ {
			if err := <-ended; err == nil {
				successes++
			} else {
				expect(t, err, pool.ErrStale)
			}
		}
		if stats := p.Stats(); successes != 1 || f.closed.Load() != count || stats.ClosedUnusable != count || stats.Open != 0 {
			t.Fatalf("%d ends, %d closed, %+v", successes, f.closed.Load(), stats)
		}
		expect(t, lease.Release(), pool.ErrStale)
	}
}

func TestAWaitEndsWhenTheLastConnectionBeginsToBeClosed(t *testing.T) {
	var down atomic.Bool
	proceed := make(chan struct{})
	p, err := pool.New(pool.Config{MaxOpen: 2, RetryMin: time.Hour, RetryMax: time.Hour, BreakerAfter: 1},
		func(context.Context) (*connection, error) {
			if down.Load() {
				return nil, errors.New("the server is down")
			}
			return new(connection), nil
		},
		pool.WithClose(func(*connection) error { <-proceed; return nil }))
	succeed(t, err)
	release(t, get(t, p)) // the first lease of a slot is timed
	lease := get(t, p)
	down.Store(true)
	ended := begin(p, background)
	eventually(t, "it waits for what is lent", func() bool { return p.Stats().Waiting == 1 })
	go lease.Discard()
	expect(t, await(t, ended).err, pool.ErrOpen)
	close(proceed)
	drain(t, p)
}
