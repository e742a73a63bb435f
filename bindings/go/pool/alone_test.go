// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"libpool.example/go/pool"
)

func TestAQuickOpenAndItsCloseAreThreeCallsOfTheLibrary(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	eventually(t, "three calls are enough", func() bool { // others may call it too, and a busy machine is slow
		before := runtime.NumCgoCall()
		lease := get(t, p)
		succeed(t, lease.Discard())
		return runtime.NumCgoCall()-before <= 3
	})
}

func TestAGetWhoseOpenHasJustBegunEndsWithItsContext(t *testing.T) {
	p, g := newGatedPool(t, pool.Config{MaxOpen: 1})
	for i := 0; i < 100; i++ { // at different moments after it has begun
		ctx, cancel := context.WithTimeout(background, time.Duration(i)*10*time.Microsecond)
		if _, err := p.Get(ctx); err == nil {
			t.Error("it got a connection that was not opened yet")
		}
		cancel()
	}
	close(g.proceed)
	eventually(t, "what was opened is kept", func() bool { return p.Stats().Opening == 0 })
	release(t, get(t, p))
	if stats := p.Stats(); stats.Opened != 1 || stats.OpenFailures != 0 || stats.Closed != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestGetsThatOpenAndGetsThatWaitMeetWithoutLosingAConnection(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 2})
	ended := make(chan error, 4)
	for i := 0; i < cap(ended); i++ {
		go func() {
			for count := 0; count < 500; count++ {
				lease, err := p.Get(background)
				if err != nil {
					ended <- err
					return
				}
				if count%3 == 0 {
					err = lease.Release()
				} else {
					err = lease.Discard()
				}
				if err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	for i := 0; i < cap(ended); i++ {
		succeed(t, <-ended)
	}
	if stats := p.Stats(); stats.Leased != 0 || stats.Opening != 0 || stats.Waiting != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestAGetWhoseOpenHasJustBegunTakesWhatIsReleased(t *testing.T) {
	for _, end := range []func(pool.Lease[*connection]) error{pool.Lease[*connection].Release, pool.Lease[*connection].ReleaseUnused} {
		for _, config := range []pool.Config{{MaxOpen: 2}, {MaxOpen: 2, Fairness: -1}, {MaxOpen: 2, MaxOpening: 1, TrackUse: true}} {
			p, g := newGatedPool(t, config)
			p.NeverRings()
			first := begin(p, background)
			g.proceed <- struct{}{}
			held := await(t, first)
			succeed(t, held.err)
			second := begin(p, background)
			eventually(t, "it opens", func() bool { return g.begun.Load() == 2 })
			succeed(t, end(held.lease))
			got := await(t, second)
			succeed(t, got.err)
			release(t, got.lease)
			close(g.proceed)
			eventually(t, "what was opened is kept", func() bool { return p.Len() == 2 })
		}
	}
}
