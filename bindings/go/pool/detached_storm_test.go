// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"math/rand"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// Functions that take their time, fail and panic, for callers that leave at any moment, while the pool is steered: at the
// end nothing is lost, and all places can be had.
func TestNothingIsLostInAStorm(t *testing.T) {
	const places, callers, rounds = 6, 40, 60
	f := new(factory)
	var dice atomic.Int64
	trouble := func() error {
		switch dice.Add(7919) % 23 {
		case 1:
			return errNo
		case 2:
			panic(errNo)
		case 3:
			<-time.After(time.Millisecond)
		case 4, 5, 6:
			runtime.Gosched()
		}
		return nil
	}
	p, err := pool.New(pool.Config{MaxOpen: places, MaxOpening: 3, MinIdle: 1, CheckAfter: pool.Always,
		MaxLifetime: 50 * time.Millisecond}, func(ctx context.Context) (*connection, error) {
		if err := trouble(); err != nil {
			return nil, err
		}
		return f.open(ctx)
	}, pool.WithCheck(func(context.Context, *connection) error { return trouble() }),
		pool.WithClose(func(conn *connection) error { _ = f.close(conn); return trouble() }))
	succeed(t, err)
	var group sync.WaitGroup
	var served, failed atomic.Int64
	for i := 0; i < callers; i++ {
		group.Add(1)
		go func(random *rand.Rand) {
			defer group.Done()
			for i := 0; i < rounds; i++ {
				survive(func() {
					ctx, cancel := context.WithTimeout(background, time.Duration(random.Intn(3000))*time.Microsecond)
					defer cancel()
					get := p.Get
					if random.Intn(8) == 0 {
						get = p.TryGet
					}
					lease, err := get(ctx)
					if err != nil {
						failed.Add(1)
						for _, known := range []error{pool.ErrTimeout, pool.ErrOpen} {
							if errors.Is(err, known) {
								return
							}
						}
						t.Error(err)
						return
					}
					served.Add(1)
					lease.Conn().use(t)
					if random.Intn(10) == 0 {
						_ = lease.Discard()
					} else if err := lease.Release(); err != nil {
						t.Error(err)
					}
				})
				if random.Intn(30) == 0 {
					p.Flush()
				}
			}
		}(rand.New(rand.NewSource(int64(i))))
	}
	within(t, 100*time.Second, "all end", &group)
	eventually(t, "nothing is under way", func() bool {
		stats := p.Stats()
		return stats.Leased == 0 && stats.Waiting == 0 && stats.Opening == 0
	})
	takeAll(t, p, places)
	drain(t, p)
	if f.opened.Load() != f.closed.Load() || f.most.Load() > places {
		t.Errorf("%d opened, %d closed, %d at one time", f.opened.Load(), f.closed.Load(), f.most.Load())
	}
	if served.Load() == 0 || failed.Load() == 0 {
		t.Errorf("%d served, %d failed: that tests nothing", served.Load(), failed.Load())
	}
}

// All places can be had at one time, though opens fail and panic.
func takeAll(t *testing.T, p *pool.Pool[*connection], places int) {
	t.Helper()
	var leases []pool.Lease[*connection]
	for deadline := time.Now().Add(20 * time.Second); len(leases) < places; {
		if time.Now().After(deadline) {
			t.Fatalf("only %d of %d places can be had: %+v", len(leases), places, p.Stats())
		}
		survive(func() {
			ctx, cancel := context.WithTimeout(background, time.Second)
			defer cancel()
			if lease, err := p.Get(ctx); err == nil {
				leases = append(leases, lease)
			}
		})
	}
	for _, lease := range leases {
		release(t, lease)
	}
}
