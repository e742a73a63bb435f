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

func TestTheHardCapHolds(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 2})
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 50; i++ {
				lease := get(t, p)
				lease.Conn().use(t)
				if i%10 == 0 {
					lease.Discard()
				} else {
					release(t, lease)
				}
			}
		}()
	}
	within(t, patience, "all are served", &group)
	if f.most.Load() > 2 {
		t.Errorf("%d open at one time", f.most.Load())
	}
}

func TestNoLeaseIsLostInCancellations(t *testing.T) {
	const goroutines, rounds = 40, 500
	for _, fairness := range []time.Duration{0, -1} {
		p, f := newPool(t, pool.Config{MaxOpen: 3, Fairness: fairness})
		var group sync.WaitGroup
		var served, cancelled atomic.Int64
		for i := 0; i < goroutines; i++ {
			group.Add(1)
			go func(random *rand.Rand) {
				defer group.Done()
				for i := 0; i < rounds; i++ {
					ctx, cancel := context.WithCancel(background)
					if i%3 == 0 {
						cancel()
						ctx, cancel = context.WithTimeout(background, time.Duration(random.Intn(200))*time.Microsecond)
					} else {
						go func(wait time.Duration) {
							time.Sleep(wait)
							cancel()
						}(time.Duration(random.Intn(200)) * time.Microsecond)
					}
					lease, err := p.Get(ctx)
					cancelsNow := random.Intn(2) == 0
					if cancelsNow {
						cancel()
					}
					switch {
					case err == nil:
						served.Add(1)
						lease.Conn().use(t)
						if random.Intn(4) == 0 {
							runtime.Gosched()
						}
						if random.Intn(20) == 0 {
							lease.Discard()
						} else {
							release(t, lease)
						}
					case errors.Is(err, pool.ErrCancelled) || errors.Is(err, pool.ErrTimeout):
						cancelled.Add(1)
					default:
						t.Error(err)
					}
					cancel()
				}
			}(rand.New(rand.NewSource(int64(i))))
		}
		within(t, patience, "all end", &group)
		eventually(t, "all came back", func() bool {
			stats := p.Stats()
			return stats.Leased == 0 && stats.Waiting == 0 && stats.Opening == 0
		})
		// All places can still be had at one time.
		leases := []pool.Lease[*connection]{get(t, p), get(t, p), get(t, p)}
		for _, lease := range leases {
			release(t, lease)
		}
		if f.most.Load() > 3 {
			t.Errorf("%d open at one time", f.most.Load())
		}
		if served.Load() == 0 || cancelled.Load() == 0 {
			t.Errorf("%d served, %d cancelled: that tests nothing", served.Load(), cancelled.Load())
		}
		t.Logf("fairness %v: %d served, %d cancelled", fairness, served.Load(), cancelled.Load())
	}
}

func TestCloseInTheMiddleOfEverything(t *testing.T) {
	for round := 0; round < 30; round++ {
		f := new(factory)
		p, err := pool.New(pool.Config{MaxOpen: 3}, f.open, pool.WithClose(f.close))
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		for i := 0; i < 20; i++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for {
					lease, err := p.Get(background)
					if err != nil {
						expect(t, err, pool.ErrClosed)
						return
					}
					lease.Conn().use(t)
					release(t, lease)
				}
			}()
		}
		time.Sleep(time.Duration(round%5) * 100 * time.Microsecond)
		drain(t, p)
		within(t, patience, "all end", &group)
		if f.opened.Load() != f.closed.Load() {
			t.Errorf("%d opened, %d closed", f.opened.Load(), f.closed.Load())
		}
	}
}

// The timer of a pool holds it no longer than something is due.
func TestAForgottenPoolIsFreedWhenNothingIsDue(t *testing.T) {
	type leaf struct{ weight [1024]byte }
	var freed, closed atomic.Int64
	forget := func() {
		known := new(leaf)
		runtime.SetFinalizer(known, func(*leaf) { freed.Add(1) })
		p, err := pool.New(pool.Config{IdleTimeout: 10 * time.Millisecond},
			func(context.Context) (*leaf, error) { return &leaf{weight: known.weight}, nil },
			pool.WithClose(func(*leaf) error { closed.Add(1); return nil }))
		succeed(t, err)
		release(t, get(t, p))
	}
	for i := 0; i < 20; i++ {
		forget()
	}
	eventually(t, "all connections are closed", func() bool { return closed.Load() == 20 })
	eventually(t, "most pools are freed", func() bool {
		runtime.GC()
		return freed.Load() > 15
	})
}

// A pool that is forgotten is freed, also if its connections know it; with others in use all the time.
func TestAForgottenPoolIsFreed(t *testing.T) {
	type leaf struct{ weight [1024]byte }
	type knowing struct {
		pool *pool.Pool[*knowing]
		leaf *leaf // whose finalizer can run, for it is not part of the ring
	}
	var freed atomic.Int64
	for i := 0; i < 50; i++ {
		var p *pool.Pool[*knowing]
		var err error
		p, err = pool.New(pool.Config{}, func(context.Context) (*knowing, error) {
			conn := &knowing{pool: p, leaf: new(leaf)}
			runtime.SetFinalizer(conn.leaf, func(*leaf) { freed.Add(1) })
			return conn, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		release(t, get(t, p))
	}
	eventually(t, "most are freed", func() bool {
		runtime.GC()
		return freed.Load() > 40
	})
}

// What the library has of a pool serves another, also if leases were forgotten with it.
func TestAPoolThatIsForgottenWithItsLeasesIsFreed(t *testing.T) {
	make := func() *pool.Pool[*int] {
		p, err := pool.New(pool.Config{Initial: 1}, func(context.Context) (*int, error) { return new(int), nil })
		succeed(t, err)
		return p
	}
	first := map[uintptr]bool{}
	for i := 0; i < 20; i++ {
		p := make()
		get(t, p)
		get(t, p)
		first[p.Address()] = true
	}
	var kept []*pool.Pool[*int] // the place that was left last is taken first, which would be theirs
	eventually(t, "another pool has the place of one that was forgotten", func() bool {
		runtime.GC()
		kept = append(kept, make())
		return first[kept[len(kept)-1].Address()]
	})
	for _, each := range kept {
		drain(t, each)
	}
}
