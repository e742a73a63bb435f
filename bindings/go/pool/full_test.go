// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

var errFull = errors.New("too many connections")

// A server that takes so many connections and refuses more.
type fullServer struct {
	factory
	limit   int64
	count   atomic.Int64
	refused atomic.Int64
}

func (s *fullServer) open(ctx context.Context) (*connection, error) {
	if s.count.Add(1) > s.limit {
		s.count.Add(-1)
		s.refused.Add(1)
		return nil, errFull
	}
	return s.factory.open(ctx)
}

func (s *fullServer) close(conn *connection) error {
	s.count.Add(-1)
	return s.factory.close(conn)
}

func newFull(t *testing.T, limit int64, config pool.Config) (*pool.Pool[*connection], *fullServer) {
	t.Helper()
	s := &fullServer{limit: limit}
	p, err := pool.New(config, s.open, pool.WithClose(s.close))
	succeed(t, err)
	t.Cleanup(func() { drain(t, p) })
	return p, s
}

func TestNoGetFailsBecauseTheServerIsFull(t *testing.T) {
	for name, config := range map[string]pool.Config{
		"defaults": {MaxOpen: 20},
		"back-off": {MaxOpen: 20, RetryMin: 10 * time.Millisecond, RetryMax: time.Second, BreakerAfter: 3},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newFull(t, 11, config)
			var group sync.WaitGroup
			var failures, running atomic.Int64
			running.Store(40)
			for i := 0; i < 40; i++ {
				group.Add(1)
				go func() {
					defer group.Done()
					defer running.Add(-1)
					for j := 0; j < 40; j++ {
						lease, err := p.Get(background)
						if err != nil {
							failures.Add(1)
							t.Log(err)
							continue
						}
						lease.Conn().use(t)
						// It is held until another waits, as long as there are more of them than places.
						for p.Stats().Waiting == 0 && running.Load() > 11 {
							runtime.Gosched()
						}
						release(t, lease)
					}
				}()
			}
			within(t, patience, "all have been served", &group)
			if failures.Load() != 0 || s.refused.Load() == 0 {
				t.Errorf("%d gets failed, %d opens were refused", failures.Load(), s.refused.Load())
			}
			if stats := p.Stats(); stats.Lent != 1600 || stats.Waiting != 0 || stats.FailedOpen+stats.FailedFast != 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestWhoseOpenFailedIsGivenWhatComesBack(t *testing.T) {
	p, s := newFull(t, 1, pool.Config{MaxOpen: 2})
	held := get(t, p)
	results := make(chan error)
	go func() {
		lease, err := p.Get(background)
		if err == nil {
			err = lease.Release()
		}
		results <- err
	}()
	eventually(t, "it waits after its open failed", func() bool { return s.refused.Load() > 0 && p.Stats().Waiting == 1 })
	release(t, held)
	expect(t, <-results, nil)
	if stats := p.Stats(); stats.Opened != 1 || stats.Lent != 2 {
		t.Errorf("%+v", stats)
	}
}

// The error of open is behind that of the time, and so is the context's where it was the context's time.
func TestWhoWaitsInVainIsToldWhyNoneCouldBeOpened(t *testing.T) {
	for name, try := range map[string]func(p *pool.Pool[*connection]) error{
		"deadline": func(p *pool.Pool[*connection]) error {
			ctx, cancel := context.WithTimeout(background, 300*time.Millisecond)
			defer cancel()
			_, err := p.Get(ctx)
			return err
		},
		"setting": func(p *pool.Pool[*connection]) error {
			_, err := p.Get(background)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, s := newFull(t, 1, pool.Config{MaxOpen: 3, GetTimeout: 500 * time.Millisecond})
			held := get(t, p)
			begun := time.Now()
			err := try(p)
			expect(t, err, pool.ErrTimeout)
			expect(t, err, errFull)
			if errors.Is(err, context.DeadlineExceeded) != (name == "deadline") {
				t.Errorf("got %v", err)
			}
			if errors.Is(err, pool.ErrOpen) || time.Since(begun) < 20*time.Millisecond {
				t.Errorf("%v after %v", err, time.Since(begun))
			}
			if stats := p.Stats(); stats.TimedOut != 1 || stats.Cancelled != 0 || stats.Waiting != 0 || stats.Open != 1 {
				t.Errorf("%+v", stats)
			}
			if s.refused.Load() < 2 {
				t.Errorf("opened again %d times", s.refused.Load()-1) // as the back-off permits
			}
			release(t, held)
			release(t, get(t, p))
		})
	}
}

func TestWhoIsCancelledAfterAFailedOpenLeavesNothing(t *testing.T) {
	p, s := newFull(t, 1, pool.Config{MaxOpen: 2})
	held := get(t, p)
	ctx, cancel := context.WithCancel(background)
	results := make(chan error)
	go func() {
		_, err := p.Get(ctx)
		results <- err
	}()
	eventually(t, "it waits after its open failed", func() bool { return s.refused.Load() > 0 && p.Stats().Waiting == 1 })
	cancel()
	err := <-results
	expect(t, err, pool.ErrCancelled)
	expect(t, err, context.Canceled)
	expect(t, err, errFull)
	if stats := p.Stats(); stats.Cancelled != 1 || stats.Waiting != 0 {
		t.Errorf("%+v", stats)
	}
	release(t, held)
	release(t, get(t, p))
}

// The open goes on after the get has left, and its failure gives nobody a ticket to keep.
func TestAnOpenThatFailsForNobodyLeavesNobodyWaiting(t *testing.T) {
	proceed := make(chan error)
	p, err := pool.New(pool.Config{MaxOpen: 2}, func(context.Context) (*connection, error) {
		if err := <-proceed; err != nil {
			return nil, err
		}
		return new(connection), nil
	})
	succeed(t, err)
	defer drain(t, p)
	go func() { proceed <- nil }()
	held := get(t, p)
	for i := 0; i < 10; i++ {
		ctx, cancel := context.WithCancel(background)
		go func() {
			for p.Stats().Opening == 0 {
				runtime.Gosched()
			}
			cancel()
		}()
		_, err = p.Get(ctx)
		expect(t, err, pool.ErrCancelled)
		proceed <- errFull
		eventually(t, "nobody waits", func() bool {
			stats := p.Stats()
			return stats.Waiting == 0 && stats.Opening == 0
		})
	}
	release(t, held)
	release(t, get(t, p))
}

func TestNothingIsLeftThatCouldCome(t *testing.T) {
	p, s := newFull(t, 1, pool.Config{MaxOpen: 2})
	held := get(t, p)
	results := make(chan error)
	go func() {
		_, err := p.Get(background)
		results <- err
	}()
	eventually(t, "it waits after its open failed", func() bool { return s.refused.Load() > 0 && p.Stats().Waiting == 1 })
	s.limit = 0
	if err := held.Discard(); err != nil {
		t.Fatal(err)
	}
	err := <-results
	expect(t, err, pool.ErrOpen)
	expect(t, err, errFull)
	if errors.Unwrap(err) != errFull {
		t.Errorf("%v is behind it", errors.Unwrap(err))
	}
}

func TestThoseWhoWaitAreEvicted(t *testing.T) {
	p, s := newFull(t, 1, pool.Config{MaxOpen: 2})
	held := get(t, p)
	results := make(chan error)
	for i := 0; i < 3; i++ {
		go func() {
			_, err := p.Get(background)
			results <- err
		}()
	}
	eventually(t, "all wait", func() bool { return s.refused.Load() > 0 && p.Stats().Waiting == 3 })
	if count := p.Evict(); count < 1 || count > 3 { // one may be opening again
		t.Errorf("%d evicted", count)
	}
	for ended := 0; ended < 3; {
		select {
		case err := <-results:
			expect(t, err, pool.ErrEvicted)
			ended++
		case <-time.After(time.Millisecond):
			p.Evict()
		}
	}
	if evicted := p.Stats().Evicted; evicted != 3 {
		t.Errorf("%d evicted", evicted)
	}
	release(t, held)
	release(t, get(t, p))
}

// ---- what broke ----

func TestABrokenConnectionThrowsSuspicionOnTheOthers(t *testing.T) {
	var dead atomic.Bool
	p, f := newPool(t, pool.Config{MaxOpen: 4, CheckAfter: time.Hour},
		pool.WithCheck(func(context.Context, *connection) error {
			if dead.Load() {
				return errNo
			}
			return nil
		}))
	var leases [4]pool.Lease[*connection]
	for i := range leases {
		leases[i] = get(t, p)
	}
	for _, lease := range leases[1:] {
		release(t, lease)
	}
	dead.Store(true)
	succeed(t, leases[0].DiscardBroken())
	expect(t, leases[0].DiscardBroken(), pool.ErrStale)
	eventually(t, "all are closed", func() bool { return f.closed.Load() == 4 })
	if stats := p.Stats(); stats.CheckFailures != 1 || stats.ClosedUnusable != 1 || stats.Open != 0 {
		t.Errorf("%+v", stats)
	}
	dead.Store(false)
	release(t, get(t, p))
}

// One failed check of a get condemns the others that were suspect: they do not keep their places until the keeper comes.
func TestWhatOneCheckCondemnsIsClosedAtOnce(t *testing.T) {
	var dead atomic.Bool
	p, f := newPool(t, pool.Config{MaxOpen: 4, CheckAfter: pool.Always},
		pool.WithCheck(func(context.Context, *connection) error {
			if dead.Load() {
				return errNo
			}
			return nil
		}))
	var leases [4]pool.Lease[*connection]
	for i := range leases {
		leases[i] = get(t, p)
	}
	for _, lease := range leases {
		release(t, lease)
	}
	dead.Store(true)
	release(t, get(t, p)) // meets at least one of them
	eventually(t, "those that were found dead are closed", func() bool {
		return f.closed.Load() >= 1 && p.Stats().Open == f.opened.Load()-f.closed.Load()
	})
}

func TestACheckThatTakesTooLongHasFailed(t *testing.T) {
	var d diary
	p, f := newPool(t, pool.Config{MaxOpen: 1, CheckAfter: pool.Always, CheckTimeout: 10 * time.Millisecond},
		pool.WithEvents[*connection](d.event, pool.EventClosed),
		pool.WithCheck(func(ctx context.Context, conn *connection) error {
			if conn.number == 1 {
				<-ctx.Done() // and says nothing of it
			}
			return nil
		}))
	release(t, get(t, p))
	lease := get(t, p)
	if lease.Conn().number != 2 || f.closed.Load() != 1 || p.Stats().CheckFailures != 1 {
		t.Errorf("connection %d, %+v", lease.Conn().number, p.Stats())
	}
	eventually(t, "it is told", func() bool {
		closed := d.last(pool.EventClosed)
		return closed.Reason == "check" && strings.HasSuffix(closed.Message, "and check_timeout_ms is 10")
	})
	release(t, lease)
}
