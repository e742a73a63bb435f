// SPDX-License-Identifier: MIT

package pool_test

import (
	"errors"
	"testing"
	"time"

	"libpool.example/go/pool"
)

func TestAHijackedConnectionIsItsUsersAndItsPlaceIsFree(t *testing.T) {
	p, err := pool.New(pool.Config{MaxOpen: 1}, new(factory).open,
		pool.WithClose(func(conn *connection) error { conn.closed.Store(true); return nil }))
	if err != nil {
		t.Fatal(err)
	}
	lease := get(t, p)
	conn, err := lease.Hijack()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lease.Hijack(); err == nil {
		t.Error("hijacked twice")
	}
	expect(t, lease.Release(), pool.ErrStale)
	if stats := p.Stats(); stats.Open != 0 || lease.Valid() {
		t.Errorf("%d are open", stats.Open)
	}
	other := get(t, p)
	if other.Conn() == conn {
		t.Error("it was lent again")
	}
	release(t, other)
	drain(t, p)
	if conn.closed.Load() {
		t.Error("the pool has closed it")
	}
}

func TestAPoolThatIsClosedDoesNotWaitForWhatWasHijacked(t *testing.T) {
	p, err := pool.New(pool.Config{MaxOpen: 1}, new(factory).open)
	if err != nil {
		t.Fatal(err)
	}
	lease := get(t, p)
	waiting := make(chan error)
	go func() { waiting <- p.Close(background) }()
	eventually(t, "the pool is closed", func() bool {
		_, err := p.TryGetIdle(background)
		return errors.Is(err, pool.ErrClosed)
	})
	if _, err := lease.Hijack(); err != nil {
		t.Error(err)
	}
	if err := <-waiting; err != nil {
		t.Error(err)
	}
}

func TestALeaseSaysWhenItsConnectionWasMadeAndLastUsed(t *testing.T) {
	before := time.Now()
	p, _ := newPool(t, pool.Config{MaxOpen: 1, TrackUse: true})
	first := get(t, p)
	made := first.CreationTime()
	if made.Before(before) || made.After(time.Now()) || !first.LastUsed().Equal(made) {
		t.Errorf("made %v, last used %v", made, first.LastUsed())
	}
	release(t, first)
	second := get(t, p)
	used := second.LastUsed()
	if !used.After(made) || !second.CreationTime().Equal(made) || second.IdleDuration() < 0 {
		t.Errorf("made %v, last used %v", second.CreationTime(), used)
	}
	if err := second.ReleaseUnused(); err != nil {
		t.Fatal(err)
	}
	third := get(t, p)
	if !third.LastUsed().Equal(used) || third.IdleDuration() <= 0 {
		t.Errorf("last used %v, not %v", third.LastUsed(), used)
	}
	release(t, third)
	expect(t, panicOf(func() { third.CreationTime() }), pool.ErrStale)
	expect(t, panicOf(func() { third.LastUsed() }), pool.ErrStale)
	expect(t, panicOf(func() { third.IdleDuration() }), pool.ErrStale)
}

func TestWithoutTrackUseALeaseDoesNotKnowWhenItsConnectionWasLastUsed(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	release(t, get(t, p))
	lease := get(t, p)
	if !lease.LastUsed().IsZero() || lease.IdleDuration() != -1 {
		t.Errorf("%v, %v", lease.LastUsed(), lease.IdleDuration())
	}
	release(t, lease)
}

func TestAHealthCheckKeepsNoConnectionFromItsIdleTimeout(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, IdleTimeout: 200 * time.Millisecond})
	create(t, p)
	eventually(t, "it is closed", func() bool {
		for _, lease := range p.AcquireAllIdle(background) {
			if err := lease.ReleaseUnused(); err != nil {
				t.Fatal(err)
			}
		}
		return p.Stats().Open == 0
	})
}
