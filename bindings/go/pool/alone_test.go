// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"runtime"
	"sync/atomic"
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

// A get opens alone, has an idle connection checked as well, and is served by its open while the check lasts.  The check tells
// what it has come to where the get has left: nobody else may be there by then.
func TestWhatAGetLeavesIsNobodysWhileSomethingGoesOnForIt(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that what was left behind is found, and each goroutine has its turn
	// With the race detector not all that is left behind is kept.
	for i := 0; i < 8; i++ {
		leaveDuringACheck(t)
	}
}

func leaveDuringACheck(t *testing.T) {
	opens, checks := make(chan chan error), make(chan chan error)
	var checked atomic.Bool
	p, err := pool.New(pool.Config{MaxOpen: 3, CheckAfter: pool.Always, CheckTimeout: -1},
		func(context.Context) (*connection, error) { return new(connection), <-proceed(opens) },
		pool.WithCheck(func(context.Context, *connection) error {
			if checked.Swap(true) {
				return nil
			}
			return <-proceed(checks)
		}))
	succeed(t, err)
	p.NeverRings()
	opened := func() pool.Lease[*connection] {
		getting := begin(p, background)
		begun(t, opens) <- nil
		return await(t, getting).lease
	}
	eventually(t, "a get whose open alone went on for it leaves it to the next", func() bool {
		succeed(t, opened().Discard())
		return p.HasSpareOpening()
	})
	held := opened()
	leaving := begin(p, background)
	open := begun(t, opens)
	release(t, held) // rouses the get, which takes it to be checked
	check := begun(t, checks)
	open <- nil
	left := await(t, leaving)
	for i := 0; i < 100; i++ { // the goroutine that opened ends
		runtime.Gosched()
	}
	if p.HasSpareOpening() {
		t.Error("the next get is told of the check")
	}
	check <- nil
	release(t, left.lease)
	eventually(t, "nothing is lost", func() bool { return p.Stats().Leased == 0 })
	drain(t, p)
}

// In a callback: waits for its outcome.
func proceed(begun chan<- chan error) <-chan error {
	outcome := make(chan error)
	begun <- outcome
	return outcome
}

func begun(t *testing.T, callbacks <-chan chan error) chan<- error {
	t.Helper()
	return soon(t, "it begins", callbacks)
}
