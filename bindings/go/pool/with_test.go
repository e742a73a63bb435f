// SPDX-License-Identifier: MIT

package pool_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"libpool.example/go/pool"
)

func TestWithPutsBackHoweverTheFunctionEnds(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 1})
	refused := errors.New("refused")
	for _, end := range []func() error{
		func() error { return nil },
		func() error { return refused },
		func() error { panic("in between") },
		func() error { runtime.Goexit(); return nil },
	} {
		apart(func() {
			if err := p.With(background, func(conn *connection) error { conn.use(t); return end() }); err != nil && err != refused {
				t.Errorf("got %v", err)
			}
		})
		if stats := p.Stats(); stats.Leased != 0 || stats.Idle != 1 {
			t.Errorf("%+v", stats)
		}
	}
	if f.opened.Load() != 1 {
		t.Errorf("%d were opened", f.opened.Load())
	}
}

func TestWithClosesWhatIsToldToBeBroken(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 1})
	reset := errors.New("connection reset by peer")
	err := p.With(background, func(*connection) error { return fmt.Errorf("ask: %w", pool.Broken(reset)) })
	expect(t, err, pool.ErrBroken)
	expect(t, err, reset)
	if f.closed.Load() != 1 || p.Stats().Open != 0 {
		t.Errorf("%+v", p.Stats())
	}
	succeed(t, p.With(background, func(conn *connection) error { conn.use(t); return nil }))
	drain(t, p)
	expect(t, p.With(background, func(*connection) error { return nil }), pool.ErrClosed)
}

// ---- who holds what ----

func TestLeasesAndLeaksSayWhereTheyWereGot(t *testing.T) {
	leaks := make(chan pool.Event, 1)
	p, _ := newPool(t, pool.Config{LeakAfter: 20 * time.Millisecond},
		pool.WithEvents[*connection](func(event pool.Event) { leaks <- event }, pool.EventLeaked))
	held := get(t, p)
	const place = "pool/support_test.go:"
	if leak := <-leaks; !strings.HasPrefix(leak.Tag, place) {
		t.Errorf("a leak of %q", leak.Tag)
	}
	list := p.Leases()
	if len(list) != 1 || !strings.HasPrefix(list[0].Caller, place) || list[0].Held < 20*time.Millisecond {
		t.Errorf("leases are %+v", list)
	}
	if !strings.Contains(list[0].Caller, "pool_test.get") {
		t.Errorf("got by %q", list[0].Caller)
	}
	succeed(t, held.Tag("a report"))
	if list = p.Leases(); list[0].Tag != "a report" || !strings.HasPrefix(list[0].Caller, place) {
		t.Errorf("leases are %+v", list)
	}
	release(t, held)
}

func TestWithoutALimitForLeaksNoPlaceIsNoted(t *testing.T) {
	p, _ := newPool(t, pool.Config{})
	held := get(t, p)
	if list := p.Leases(); len(list) != 1 || list[0].Caller != "" || list[0].Tag != "" {
		t.Errorf("leases are %+v", list)
	}
	release(t, held)
}

func TestWhereWithWasCalledIsNoted(t *testing.T) {
	p, _ := newPool(t, pool.Config{Settings: map[string]string{"leak_after_ms": "60000"}})
	succeed(t, p.With(background, func(*connection) error {
		if list := p.Leases(); len(list) != 1 || !strings.HasPrefix(list[0].Caller, "pool/with_test.go:") {
			t.Errorf("leases are %+v", list)
		}
		return nil
	}))
}
