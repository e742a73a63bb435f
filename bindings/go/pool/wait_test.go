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

// As in turns.go.
const (
	turn     = 16 // leases at most
	turnPart = 8  // of Config.Fairness, which a turn lasts at most
)

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
		ctx, cancel := context.WithTimeout(background, 20*time.Second)
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
	const lasting = 10 * time.Millisecond
	long := func() { time.Sleep(lasting) }
	for _, connections := range []int{1, 8} {
		p, _ := newPool(t, pool.Config{MaxOpen: connections, Fairness: turnPart * lasting})
		shareUntil(t, p, 3*connections, 1, 1, long)
		shareUntil(t, p, 3*connections, turn, turn, runtime.Gosched)
		shareUntil(t, p, 3*connections, 1, 1, long)
	}
}

func TestATurnLastsNoLongerThanAPartOfFairness(t *testing.T) {
	const short, long = time.Millisecond, 8 * time.Millisecond // Fairness; 0 means the first of them
	for _, each := range []struct {
		fairness, lease time.Duration
		leases          int
	}{
		{0, 0, turn}, {0, 7 * time.Microsecond, turn}, {0, 8 * time.Microsecond, 8}, {0, 62 * time.Microsecond, 2},
		{0, 63 * time.Microsecond, 1}, {0, 150 * time.Microsecond, 1}, {0, time.Hour, 1},
		{short, 62 * time.Microsecond, 2}, {short, 63 * time.Microsecond, 1},
		{long, 62 * time.Microsecond, turn}, {long, 150 * time.Microsecond, 4}, {long, time.Millisecond, 1},
		{time.Microsecond, 0, turn}, {time.Microsecond, time.Microsecond, 1}, {-1, 0, 1},
	} {
		p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: each.fairness})
		if leases := p.LearnThatLeasesLast(each.lease); leases != each.leases {
			t.Errorf("fairness %v, leases of %v: a turn has %d leases, not %d", each.fairness, each.lease, leases, each.leases)
		}
	}
}

func TestTimeInWhichNobodyWaitsMakesNoLeaseLonger(t *testing.T) {
	const lasting = 2 * time.Millisecond
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: turnPart * lasting})
	shareUntil(t, p, 3, 1, 1, func() { time.Sleep(lasting) })
	shareUntil(t, p, 3, turn, turn, runtime.Gosched)
	time.Sleep(200 * lasting) // longer than leases are watched
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
