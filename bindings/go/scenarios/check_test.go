// SPDX-License-Identifier: MIT

package scenarios

import (
	"context"
	"errors"
	"math/rand"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// The checks that are for Go.
var checks = map[string]func(*testing.T, *oneCase){
	"no_factory":               noFactory,
	"interrupt_at_every_point": interruptAtEveryPoint,
	"random_cancellations":     randomCancellations,
	"many_waiters":             manyWaiters,
}

func noFactory(t *testing.T, _ *oneCase) {
	p, err := pool.New[*connection](pool.Config{}, nil)
	if p != nil || !errors.Is(err, pool.ErrInvalid) || err.Error() != "open is nil" {
		t.Errorf("got %v", err)
	}
}

// ---- interrupts ----

// In Go an interrupt is the end of a context.
func interruptAtEveryPoint(t *testing.T, _ *oneCase) {
	t.Run("before", interruptedBefore)
	t.Run("while waiting", interruptedWhileWaiting)
	t.Run("while opening", interruptedWhileOpening)
	t.Run("while checking", interruptedWhileChecking)
	t.Run("while leased", interruptedWhileLeased)
	t.Run("while close drains", interruptedWhileCloseDrains)
}

func interruptedBefore(t *testing.T) {
	s := newStage(t, pool.Config{MaxOpen: 1})
	for _, function := range []getting{s.pool.Get, s.pool.TryGet} {
		s.fails(s.get(cancelled(), function).err, "cancelled")
	}
	s.equal("opened", s.pool.Stats().Opened, 0)
	s.hasOne(1)
	s.fails(s.get(cancelled(), s.pool.Get).err, "cancelled") // although one is idle
	s.equal("idle", s.pool.Stats().Idle, 1)
}

func interruptedWhileWaiting(t *testing.T) {
	s := newStage(t, pool.Config{MaxOpen: 1})
	first := s.lend()
	begun := s.begin(context.WithCancel(context.Background()))
	s.eventually("it waits", func() bool { return s.pool.Stats().Waiting == 1 })
	begun.cancel()
	s.fails(s.end(begun).err, "cancelled")
	s.equal("waiting", s.pool.Stats().Waiting, 0)
	s.succeeds(first.Release())
	s.hasOne(1)
}

func interruptedWhileOpening(t *testing.T) {
	s := newStage(t, pool.Config{MaxOpen: 1})
	s.succeeds(s.factory.set(hang))
	begun := s.begin(context.WithCancel(context.Background()))
	s.expect(map[string]int64{"opening": 1})
	begun.cancel()
	s.fails(s.end(begun).err, "cancelled")
	s.equal("opening", s.pool.Stats().Opening, 1)
	s.factory.letGo()
	s.eventually("it is kept", func() bool { return s.pool.Stats().Idle == 1 })
	s.hasOne(1)
}

func interruptedWhileChecking(t *testing.T) {
	checking, proceed := make(chan struct{}, 2), make(chan struct{})
	check := func(context.Context, *connection) error {
		checking <- struct{}{}
		<-proceed
		return nil
	}
	s := newStage(t, pool.Config{MaxOpen: 1, CheckAfter: pool.Always}, pool.WithCheck(check))
	s.succeeds(s.lend().Release())
	begun := s.begin(context.WithCancel(context.Background()))
	<-checking
	begun.cancel()
	s.fails(s.end(begun).err, "cancelled")
	close(proceed)
	s.eventually("it is kept", func() bool { return s.pool.Stats().Idle == 1 })
	s.hasOne(1)
}

// The context of a get is for the get: who has a lease keeps it.
func interruptedWhileLeased(t *testing.T) {
	s := newStage(t, pool.Config{MaxOpen: 1})
	ctx, cancel := context.WithCancel(context.Background())
	result := s.get(ctx, s.pool.Get)
	s.succeeds(result.err)
	cancel()
	s.equal("the connection", result.lease.Conn().number, 1)
	s.equal("leased", s.pool.Stats().Leased, 1)
	s.succeeds(result.lease.Release())
	s.hasOne(1)
}

func interruptedWhileCloseDrains(t *testing.T) {
	s := newStage(t, pool.Config{MaxOpen: 1})
	lent := s.lend()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.pool.Close(ctx) }()
	s.eventually("it is closed", func() bool { return errors.Is(s.get(ctx, s.pool.TryGet).err, pool.ErrClosed) })
	cancel()
	s.fails(<-ended, "cancelled")
	s.equal("the connection", lent.Conn().number, 1)
	s.succeeds(lent.Release())
	s.succeeds(s.pool.Close(context.Background()))
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (s *stage) lend() lease {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	result := s.get(ctx, s.pool.Get)
	s.succeeds(result.err)
	return result.lease
}

// The one connection of the pool can be had.
func (s *stage) hasOne(number int64) {
	s.t.Helper()
	one := s.lend()
	s.equal("the connection", one.Conn().number, number)
	s.succeeds(one.Release())
	stats := s.pool.Stats()
	s.equal("open", stats.Open, 1)
	s.equal("idle", stats.Idle, 1)
}

// ---- many ----

func randomCancellations(t *testing.T, c *oneCase) {
	s := newStage(t, c.Pool.config())
	var served, failed atomic.Int64
	var group sync.WaitGroup
	for worker := 0; worker < c.Workers; worker++ {
		group.Add(1)
		go func(random *rand.Rand) {
			defer group.Done()
			contexts := make(chan interruption, 16)
			defer close(contexts)
			go interrupt(contexts)
			for failed.Load() < c.Cancellations {
				ctx, cancel := randomContext(random, contexts)
				result := s.get(ctx, s.pool.Get)
				if result.err == nil {
					served.Add(1)
					if random.Intn(2) == 0 {
						runtime.Gosched()
					}
					if err := result.lease.Release(); err != nil {
						t.Error(err)
					}
				} else {
					failed.Add(1)
					if !errors.Is(result.err, pool.ErrCancelled) && !errors.Is(result.err, pool.ErrTimeout) {
						t.Error(result.err)
					}
				}
				cancel()
			}
		}(rand.New(rand.NewSource(int64(worker))))
	}
	group.Wait()
	s.eventually("all are idle", func() bool {
		stats := s.pool.Stats()
		return stats.Leased == 0 && stats.Waiting == 0 && stats.Opening == 0 && stats.Idle == stats.Open
	})
	stats := s.pool.Stats()
	opened, _, _ := s.factory.counts()
	s.equal("open", stats.Open, opened) // for none was ever closed
	s.equal("opened", stats.Opened, opened)
	s.equal("closed", stats.Closed, 0)
	// What was opened for one who had left was ended by the pool.
	if ended := stats.Lent - served.Load(); ended < 0 || ended > opened {
		t.Errorf("%d served, %d lent, %d opened", served.Load(), stats.Lent, opened)
	}
	if failed.Load() < stats.Cancelled+stats.TimedOut {
		t.Errorf("%d failed, but in the queue alone %+v", failed.Load(), stats)
	}
	if served.Load() == 0 || failed.Load() == 0 || stats.Cancelled == 0 || stats.Waited == 0 {
		t.Errorf("%d served, %d failed, %+v: that tests nothing", served.Load(), failed.Load(), stats)
	}
	leases := make([]lease, int(c.Pool["max_open"]))
	for each := range leases {
		leases[each] = s.lend()
	}
	for _, each := range leases {
		s.succeeds(each.Release())
	}
	t.Logf("%d served, %d failed, of them waiting: %d cancelled, %d timed out", served.Load(), failed.Load(),
		stats.Cancelled, stats.TimedOut)
}

// A context that somebody else is to cancel, after he has let others run so often.
type interruption struct {
	cancel context.CancelFunc
	after  int
}

func interrupt(contexts <-chan interruption) {
	for each := range contexts {
		for ; each.after > 0; each.after-- {
			runtime.Gosched()
		}
		each.cancel()
	}
}

// Of eight gets one is over before, two have little time, four are cancelled by somebody else, one is left alone.
func randomContext(random *rand.Rand, contexts chan<- interruption) (context.Context, context.CancelFunc) {
	kind := random.Intn(8)
	if kind == 1 || kind == 2 {
		return context.WithTimeout(context.Background(), time.Duration(random.Intn(50))*time.Microsecond)
	}
	ctx, cancel := context.WithCancel(context.Background())
	switch kind {
	case 0:
		cancel()
	case 3, 4, 5, 6:
		contexts <- interruption{cancel, random.Intn(4)}
	}
	return ctx, cancel
}

func manyWaiters(t *testing.T, c *oneCase) {
	s := newStage(t, c.Pool.config())
	leases := make([]lease, int(c.Pool["max_open"]))
	for each := range leases {
		leases[each] = s.lend()
	}
	begun := make([]*beginning, c.Waiters)
	for each := range begun {
		begun[each] = s.begin(context.WithCancel(context.Background()))
	}
	s.eventually("all wait", func() bool { return s.pool.Stats().Waiting == int64(c.Waiters) })
	if count := threads(t); count > c.ThreadsAtMost {
		t.Errorf("%d threads of the system, while %d wait", count, c.Waiters)
	}
	for _, each := range leases {
		s.succeeds(each.Release())
	}
	var group sync.WaitGroup
	for _, each := range begun {
		group.Add(1)
		go func(each *beginning) {
			defer group.Done()
			result := <-each.ended
			each.cancel()
			if result.err != nil {
				t.Error(result.err)
			} else if err := result.lease.Release(); err != nil {
				t.Error(err)
			}
		}(each)
	}
	s.eventually("all are served", func() bool { return s.pool.Stats().Lent == int64(c.Waiters+len(leases)) })
	group.Wait()
	opened, _, _ := s.factory.counts()
	s.equal("opened", opened, int64(int(c.Pool["max_open"])))
	if count := threads(t); count > c.ThreadsAtMost {
		t.Errorf("%d threads of the system, after %d have been served", count, c.Waiters)
	}
}

// How many threads of the operating system this process has.
func threads(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "\nThreads:")
	line, _, _ := strings.Cut(rest, "\n")
	count, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return count
}
