// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// A connection that notices if two use it at one time, or somebody after it was closed.
type connection struct {
	users  atomic.Int32
	closed atomic.Bool
	number int64
}

func (c *connection) use(t testing.TB) {
	t.Helper()
	if c.users.Add(1) != 1 {
		t.Error("two use one connection")
	}
	if c.closed.Load() {
		t.Error("a closed connection is used")
	}
	c.users.Add(-1)
}

// A factory that counts.
type factory struct {
	opened, closed atomic.Int64
	most           atomic.Int64
}

func (f *factory) open(context.Context) (*connection, error) {
	number := f.opened.Add(1)
	for open := number - f.closed.Load(); ; {
		most := f.most.Load()
		if open <= most || f.most.CompareAndSwap(most, open) {
			break
		}
	}
	return &connection{number: number}, nil
}

func (f *factory) close(conn *connection) error {
	f.closed.Add(1)
	if conn.closed.Swap(true) {
		return errors.New("closed twice")
	}
	return nil
}

var background = context.Background()

func newPool(t testing.TB, config pool.Config, options ...pool.Option[*connection]) (*pool.Pool[*connection], *factory) {
	t.Helper()
	f := new(factory)
	p, err := pool.New(config, f.open, append([]pool.Option[*connection]{pool.WithClose(f.close)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		drain(t, p)
		if f.opened.Load() != f.closed.Load() {
			t.Errorf("%d opened, %d closed", f.opened.Load(), f.closed.Load())
		}
		if failures := p.Stats().CloseFailures; failures != 0 {
			t.Errorf("%d closes failed", failures)
		}
	})
	return p, f
}

// Longer than anything takes that comes at all, on a busy machine: it bounds what hangs.
const patience = time.Minute

// Closes a pool and checks that nothing is left of it.
func drain[C any](t testing.TB, p *pool.Pool[C]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	if err := p.Close(ctx); err != nil {
		t.Error(err)
	}
	stats := p.Stats()
	if stats.Open != 0 || stats.Leased != 0 || stats.Opening != 0 || stats.Waiting != 0 {
		t.Errorf("the closed pool still has %+v", stats)
	}
	if stats.Opened != stats.Closed {
		t.Errorf("%d opened, %d closed", stats.Opened, stats.Closed)
	}
}

func soon[C any](t *testing.T, what string, come <-chan C) (value C) {
	t.Helper()
	select {
	case value = <-come:
	case <-time.After(patience):
		t.Fatalf("not within %v: %s", patience, what)
	}
	return
}

func get[C any](t testing.TB, p *pool.Pool[C]) pool.Lease[C] {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	lease, err := p.Get(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

func release[C any](t testing.TB, lease pool.Lease[C]) {
	t.Helper()
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
}

func expect(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// Waits until something has become true, which another goroutine sees to.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}

func within(t testing.TB, limit time.Duration, what string, group *sync.WaitGroup) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("not within %v: %s", limit, what)
	}
}
