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

const stormPlaces, stormCallers, stormRounds = 6, 40, 60

// A pool whose functions take their time, fail and panic, and what its callers came to.
type storm struct {
	factory
	pool           *pool.Pool[*connection]
	dice           atomic.Int64
	served, failed atomic.Int64
}

func (s *storm) trouble() error {
	switch s.dice.Add(7919) % 23 {
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

func (s *storm) open(ctx context.Context) (*connection, error) {
	if err := s.trouble(); err != nil {
		return nil, err
	}
	return s.factory.open(ctx)
}

func (s *storm) check(context.Context, *connection) error { return s.trouble() }

func (s *storm) close(conn *connection) error {
	_ = s.factory.close(conn)
	return s.trouble()
}

// A get that may leave at any moment.
func (s *storm) use(t *testing.T, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(background, time.Duration(random.Intn(3000))*time.Microsecond)
	defer cancel()
	get := s.pool.Get
	if random.Intn(8) == 0 {
		get = s.pool.TryGet
	}
	lease, err := get(ctx)
	if err != nil {
		s.failed.Add(1)
		if !errors.Is(err, pool.ErrTimeout) && !errors.Is(err, pool.ErrOpen) {
			t.Error(err)
		}
		return
	}
	s.served.Add(1)
	lease.Conn().use(t)
	if random.Intn(10) == 0 {
		_ = lease.Discard()
	} else if err := lease.Release(); err != nil {
		t.Error(err)
	}
}

func (s *storm) blow(t *testing.T) {
	var group sync.WaitGroup
	for i := 0; i < stormCallers; i++ {
		group.Add(1)
		go func(random *rand.Rand) {
			defer group.Done()
			for i := 0; i < stormRounds; i++ {
				survive(func() { s.use(t, random) })
				if random.Intn(30) == 0 {
					s.pool.Flush()
				}
			}
		}(rand.New(rand.NewSource(int64(i))))
	}
	within(t, 100*time.Second, "all end", &group)
}

// At the end of it all places can be had.
func TestNothingIsLostInAStorm(t *testing.T) {
	s := new(storm)
	var err error
	s.pool, err = pool.New(pool.Config{MaxOpen: stormPlaces, MaxOpening: 3, MinIdle: 1, CheckAfter: pool.Always,
		MaxLifetime: 50 * time.Millisecond}, s.open, pool.WithCheck(s.check), pool.WithClose(s.close))
	succeed(t, err)
	s.blow(t)
	eventually(t, "nothing is under way", func() bool {
		stats := s.pool.Stats()
		return stats.Leased == 0 && stats.Waiting == 0 && stats.Opening == 0
	})
	takeAll(t, s.pool, stormPlaces)
	drain(t, s.pool)
	if s.opened.Load() != s.closed.Load() || s.most.Load() > stormPlaces {
		t.Errorf("%d opened, %d closed, %d at one time", s.opened.Load(), s.closed.Load(), s.most.Load())
	}
	if s.served.Load() == 0 || s.failed.Load() == 0 {
		t.Errorf("%d served, %d failed: that tests nothing", s.served.Load(), s.failed.Load())
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
