// SPDX-License-Identifier: MIT

//go:build go1.25

package pool_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"libpool.example/go/pool"
)

// Runs in a bubble of testing/synctest, which wants the timers of Go 1.23; this module asks for older ones.
func inBubble(t *testing.T, test func(*testing.T)) {
	t.Setenv("GODEBUG", "asynctimerchan=0")
	synctest.Test(t, test)
}

// Though the library's own clock is the machine's.
func TestInABubbleAnOpenIsGivenUpByItsClock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p, err := pool.New(pool.Config{OpenTimeout: time.Hour}, func(ctx context.Context) (*connection, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		succeed(t, err)
		began := time.Now()
		expect(t, p.CreateResource(background), context.DeadlineExceeded)
		if took := time.Since(began); took != time.Hour {
			t.Error(took)
		}
		drain(t, p)
	})
}

// The keeper is late here, for its timer is the bubble's.
func TestWhoeverFindsAConnectionOverdueWaitsForNoClose(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		proceed := make(chan struct{})
		p, err := pool.New(pool.Config{Initial: 1, IdleTimeout: time.Millisecond}, new(factory).open,
			pool.WithClose(func(*connection) error { <-proceed; return nil }))
		succeed(t, err)
		began := time.Now()
		proceedAll := sync.OnceFunc(func() { close(proceed) })
		time.AfterFunc(time.Hour, proceedAll)
		for p.Len() == 1 {
			if lease, err := p.TryGetIdle(background); err == nil {
				succeed(t, lease.ReleaseUnused())
			}
		}
		if took := time.Since(began); took != 0 {
			t.Error(took)
		}
		proceedAll()
		drain(t, p)
	})
}

func TestInABubbleAGetWaitsByItsClock(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		p, _ := newPool(t, pool.Config{MaxOpen: 1, GetTimeout: time.Hour})
		held := get(t, p)
		began := time.Now()
		_, err := p.Get(background)
		expect(t, err, pool.ErrTimeout)
		time.AfterFunc(time.Second, func() { release(t, held) })
		release(t, get(t, p))
		if took := time.Since(began); took != time.Hour+time.Second {
			t.Error(took)
		}
	})
}
