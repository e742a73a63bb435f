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
	long := func() { time.Sleep(20 * time.Millisecond) } // how long a lease lasts
	for _, connections := range []int{1, 8} {
		p, _ := newPool(t, pool.Config{MaxOpen: connections, Fairness: 20 * time.Millisecond})
		shareUntil(t, p, 3*connections, 1, 1, long)
		shareUntil(t, p, 3*connections, turn, turn, runtime.Gosched)
		shareUntil(t, p, 3*connections, 1, 1, long)
	}
}

func TestTimeInWhichNobodyWaitsMakesNoLeaseLonger(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: 5 * time.Millisecond})
	shareUntil(t, p, 3, 1, 1, func() { time.Sleep(5 * time.Millisecond) })
	shareUntil(t, p, 3, turn, turn, runtime.Gosched)
	time.Sleep(200 * time.Millisecond) // many turns
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

func TestInStrictOrderEachReleaseHandsOver(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: -1})
	for round := 0; round < 2*turn; round++ {
		lease := get(t, p)
		w := wait(t, p)
		release(t, lease)
		release(t, get(t, p))
		if succeed(t, <-w.done); !w.served.Load() {
			t.Error("one that came later was served first")
		}
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
