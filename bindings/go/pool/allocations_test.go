// SPDX-License-Identifier: MIT

//go:build go1.24

package pool_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"libpool.example/go/pool"
)

func TestWithoutHooksNothingIsAllocated(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	release(t, get(t, p))
	if count := testing.AllocsPerRun(1000, func() {
		lease, _ := p.Get(background)
		_ = lease.Release()
		p.Stats()
	}); count != 0 {
		t.Errorf("%v allocations for a get, a release and a Stats", count)
	}
}

func TestAWaitAllocatesTwiceAtMost(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, Fairness: -1})
	before, after := new(runtime.MemStats), new(runtime.MemStats)
	runtime.ReadMemStats(before)
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; i < 2000; i++ {
				lease, _ := p.Get(background)
				runtime.Gosched()
				_ = lease.Release()
			}
		}()
	}
	group.Wait()
	runtime.ReadMemStats(after)
	if waited := p.Stats().Waited; float64(after.Mallocs-before.Mallocs) > 2*float64(waited)+1000 {
		t.Errorf("%d allocations for %d waits", after.Mallocs-before.Mallocs, waited)
	}
}

func TestAnOpenAndItsCloseAllocateLittle(t *testing.T) {
	p, err := pool.New(pool.Config{MaxOpen: 1}, func(context.Context) (*connection, error) { return new(connection), nil })
	succeed(t, err)
	defer drain(t, p)
	if count := testing.AllocsPerRun(1000, func() {
		lease, _ := p.Get(background)
		_ = lease.Discard()
	}); count > 4 { // the connection and its context; where races are detected, what serves again is dropped at times
		t.Errorf("%v allocations", count)
	}
}
