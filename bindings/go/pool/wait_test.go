// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

const turn = 16 // leases at most, as in turns.go

// A goroutine that waits in the queue for one lease.
type patient struct {
	served atomic.Bool
	done   chan error
}

func wait(t *testing.T, p *pool.Pool[*connection]) *patient {
	t.Helper()
	waits := p.Stats().Waiting + 1
	w := &patient{done: make(chan error, 1)}
	go func() {
		ctx, cancel := context.WithTimeout(background, patience)
		defer cancel()
		lease, err := p.Get(ctx)
		if w.served.Store(true); err == nil {
			err = lease.Release()
		}
		w.done <- err
	}()
	for p.Stats().Waiting != waits {
		runtime.Gosched()
	}
	return w
}

func TestWhoRunsKeepsAConnectionForATurnAtMost(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: 10 * time.Minute})
	for round := 0; round < 200; round++ {
		lease, count := get(t, p), 0
		w := wait(t, p)
		for ; !w.served.Load(); count++ {
			release(t, lease)
			lease = get(t, p)
		}
		release(t, lease)
		if succeed(t, <-w.done); count > turn {
			t.Fatalf("another waited for %d leases", count)
		}
	}
}

// Goroutines share connections until a turn has from `least` to `most` leases.
func shareUntil(t *testing.T, p *pool.Pool[*connection], goroutines, least, most int, use func()) {
	t.Helper()
	var group sync.WaitGroup
	end := time.Now().Add(30 * time.Second)
	suits := func(leases int) bool { return leases >= least && leases <= most }
	for i := 0; i < goroutines; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for !suits(p.LeasesOfATurn()) && time.Now().Before(end) {
				lease, err := p.Get(background)
				if err != nil {
					t.Error(err)
					return
				}
				use()
				_ = lease.Release()
			}
		}()
	}
	group.Wait()
	if !suits(p.LeasesOfATurn()) {
		t.Errorf("a turn has %d leases, not %d to %d", p.LeasesOfATurn(), least, most)
	}
}

func TestATurnHasManyShortLeasesOrALongOne(t *testing.T) {
	long := func() { time.Sleep(10 * time.Millisecond) } // how long a lease lasts
	for _, connections := range []int{1, 8} {
		p, _ := newPool(t, pool.Config{MaxOpen: connections, Fairness: 10 * time.Millisecond})
		shareUntil(t, p, 3*connections, 1, 1, long)
		shareUntil(t, p, 3*connections, turn, turn, runtime.Gosched)
		shareUntil(t, p, 3*connections, 1, 1, long)
	}
}

func TestALeaseIsATurnWhereItLastsLongerThanAChangeOfHands(t *testing.T) {
	const us = time.Microsecond
	for fairness, turns := range map[time.Duration]map[time.Duration]int{
		0: { // a millisecond
			0: turn, 31 * us: turn, 32 * us: turn / 2, 41 * us: turn / 2, 42 * us: turn / 4, 62 * us: turn / 4,
			63 * us: 1, 150 * us: 1, time.Hour: 1},
		4 * time.Millisecond: {125 * us: turn, 150 * us: turn / 2, 250 * us: turn / 4, 251 * us: 1},
		us:                   {0: turn, us: 1},
		-1:                   {0: 1, 150 * us: 1},
	} {
		for lease, want := range turns {
			p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: fairness})
			if leases := p.LearnThatLeasesLast(lease); leases != want {
				t.Errorf("fairness %v, leases of %v: a turn has %d leases, not %d", fairness, lease, leases, want)
			}
		}
	}
}

func TestOneLongLeaseChangesTurnsByOneStep(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	for _, each := range []struct {
		lease  time.Duration
		leases int
	}{{time.Hour, 8}, {0, turn}, {time.Hour, 8}, {time.Hour, 4}, {time.Hour, 2}, {time.Hour, 1}, {0, 2}, {0, 4}, {time.Hour, 2}} {
		if leases := p.LearnOnce(each.lease); leases != each.leases {
			t.Errorf("after leases of %v a turn has %d leases, not %d", each.lease, leases, each.leases)
		}
	}
}

func TestTimeInWhichNobodyWaitsMakesNoLeaseLonger(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: 10 * time.Millisecond})
	shareUntil(t, p, 3, 1, 1, func() { time.Sleep(5 * time.Millisecond) })
	shareUntil(t, p, 3, turn, turn, runtime.Gosched)
	time.Sleep(200 * time.Millisecond) // longer than leases are watched
	lease := get(t, p)
	w := wait(t, p)
	for !w.served.Load() {
		release(t, lease)
		lease = get(t, p)
	}
	release(t, lease)
	if succeed(t, <-w.done); p.LeasesOfATurn() != turn {
		t.Errorf("a turn has %d leases", p.LeasesOfATurn())
	}
}

// One that waits is served before the goroutine that releases gets again.
func handOver(t *testing.T, p *pool.Pool[*connection]) {
	t.Helper()
	lease := get(t, p)
	w := wait(t, p)
	release(t, lease)
	again := get(t, p)
	if !w.served.Load() {
		t.Error("one that came later was served first")
	}
	release(t, again)
	succeed(t, <-w.done)
}

func TestInStrictOrderEachReleaseHandsOver(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: -1})
	for round := 0; round < 2*turn; round++ {
		handOver(t, p)
	}
}

func TestEachReleaseHandsOverWhereALeaseAsksAServer(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	for round := 0; round < 2*turn; round++ {
		p.LearnThatLeasesLast(150 * time.Microsecond) // those of this test are shorter
		handOver(t, p)
	}
}

func TestWhoWaitsIsToldOfAConnectionThatNobodyTakesBack(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: 10 * time.Minute})
	for quick := 0; quick < 3*turn; quick++ {
		lease := get(t, p)
		w := wait(t, p)
		for i := 0; i < quick%turn && !w.served.Load(); i++ {
			release(t, lease)
			lease = get(t, p)
		}
		release(t, lease)
		succeed(t, <-w.done)
	}
}
