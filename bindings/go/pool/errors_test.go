// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"libpool.example/go/pool"
)

func TestEachCodeOfTheLibraryHasAnErrorInGo(t *testing.T) {
	if nameless := pool.Nameless(); len(nameless) != 0 {
		t.Errorf("no error for the codes %d", nameless)
	}
	if pool.Kinds() < 19 {
		t.Errorf("only %d codes have errors", pool.Kinds())
	}
}

// ---- whose time was over ----

func TestThePoolsOwnTimeoutIsNotTheCallersDeadline(t *testing.T) {
	p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 1, GetTimeout: 300 * time.Millisecond})
	held := get(t, p)
	hour, cancel := context.WithTimeout(background, time.Hour)
	defer cancel()
	for _, ctx := range []context.Context{background, hour} {
		_, err := p.Get(ctx)
		expectTimeout(t, err)
		if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "get_timeout_ms is 300") {
			t.Errorf("got %v", err)
		}
	}
	soon, cancel := context.WithTimeout(background, 10*time.Millisecond)
	defer cancel()
	_, err := p.Get(soon)
	expectTimeout(t, err)
	expect(t, err, context.DeadlineExceeded)
	if strings.Contains(err.Error(), "get_timeout_ms") {
		t.Errorf("got %v", err)
	}
	release(t, held)
}

// As those expect who know package net.
func expectTimeout(t *testing.T, err error) {
	t.Helper()
	expect(t, err, pool.ErrTimeout)
	var network net.Error
	if !errors.As(err, &network) || !network.Timeout() || !os.IsTimeout(err) {
		t.Errorf("is no timeout for package net: %v", err)
	}
	if !strings.HasPrefix(err.Error(), "prices: ") || !strings.Contains(err.Error(), " are open, 1 leased, 0 idle, 0 wait") {
		t.Errorf("says not enough: %v", err)
	}
}

func TestADeadlineThatOpenRanIntoIsNotTheCallers(t *testing.T) {
	slow := func(context.Context) (*connection, error) {
		return nil, fmt.Errorf("dial: %w", context.DeadlineExceeded)
	}
	first := true
	p, err := pool.New(pool.Config{MaxOpen: 2, GetTimeout: 300 * time.Millisecond},
		func(ctx context.Context) (*connection, error) {
			if first {
				first = false
				return new(connection), nil
			}
			return slow(ctx)
		})
	succeed(t, err)
	defer drain(t, p)
	held := get(t, p)
	_, err = p.Get(background)
	expect(t, err, pool.ErrTimeout)
	if errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "dial: ") {
		t.Errorf("got %v", err)
	}
	release(t, held)
}

// ---- a deadline that nobody keeps ----

// A context of a program's own: it has a deadline, and its Done is nil.
type dated struct {
	context.Context
	deadline time.Time
}

func (d dated) Deadline() (time.Time, bool) { return d.deadline, true }

func TestADeadlineIsKeptThatTheContextDoesNotKeep(t *testing.T) {
	for _, limit := range []time.Duration{-1, time.Hour} {
		p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 1, GetTimeout: limit})
		held := get(t, p)
		_, err := p.Get(dated{background, time.Now().Add(20 * time.Millisecond)})
		expectTimeout(t, err)
		expect(t, err, context.DeadlineExceeded)
		release(t, held)
		_, err = p.Get(dated{background, time.Now().Add(-time.Second)})
		expect(t, err, context.DeadlineExceeded)
		if stats := p.Stats(); stats.TimedOut != 2 || stats.Idle != 1 {
			t.Errorf("%+v", stats)
		}
	}
}

func TestAnOpenEndsAtADeadlineThatTheContextDoesNotKeep(t *testing.T) {
	proceed := make(chan struct{})
	p, err := pool.New(pool.Config{MaxOpen: 1}, func(context.Context) (*connection, error) {
		<-proceed
		return new(connection), nil
	})
	succeed(t, err)
	_, err = p.Get(dated{background, time.Now().Add(20 * time.Millisecond)})
	expect(t, err, context.DeadlineExceeded)
	close(proceed)
	drain(t, p)
}

// Of the second context it is not known whether it will say that it is over.
func keepsDeadline(t *testing.T, what string, wait func(context.Context) error) {
	t.Helper()
	ending, cancel := context.WithCancel(background)
	defer cancel()
	for _, ctx := range []context.Context{background, ending} {
		ended := make(chan error, 1)
		go func() { ended <- wait(dated{ctx, time.Now().Add(20 * time.Millisecond)}) }()
		select {
		case err := <-ended:
			expect(t, err, context.DeadlineExceeded)
		case <-time.After(patience):
			t.Fatalf("%s does not keep the deadline", what)
		}
	}
}

func TestWhateverWaitsKeepsADeadlineThatTheContextDoesNotKeep(t *testing.T) {
	proceed := make(chan struct{})
	hangs := func(context.Context, *connection) error { <-proceed; return nil }
	p, _ := newPool(t, pool.Config{MaxOpen: 3, CheckAfter: pool.Always, CheckTimeout: -1}, pool.WithCheck(hangs))
	defer release(t, get(t, p))
	for _, each := range []pool.Lease[*connection]{get(t, p), get(t, p)} {
		release(t, each)
	}
	keepsDeadline(t, "a get of what is idle", func(ctx context.Context) error { _, err := p.TryGetIdle(ctx); return err })
	keepsDeadline(t, "a get", func(ctx context.Context) error { _, err := p.Get(ctx); return err })
	keepsDeadline(t, "a close", p.Close)
	close(proceed)
	q, g := newGatedPool(t, pool.Config{MaxOpen: 2})
	keepsDeadline(t, "an open ahead of time", q.CreateResource)
	close(g.proceed)
}

func TestADeadlineThatIsCenturiesAwayIsNone(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1, GetTimeout: -1})
	held := get(t, p)
	got := make(chan error, 1)
	go func() {
		lease, err := p.Get(dated{background, time.Now().AddDate(5000, 0, 0)})
		if err == nil {
			err = lease.Release()
		}
		got <- err
	}()
	eventually(t, "it waits", func() bool { return p.Stats().Waiting == 1 })
	release(t, held)
	succeed(t, <-got)
}

// ---- what is counted and said ----

func TestEachGetThatEndsIsCountedWhereverItWas(t *testing.T) {
	p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 1})
	held := get(t, p)
	cancelled, cancel := context.WithCancel(background)
	cancel()
	late, cancel := context.WithTimeout(background, -time.Second)
	defer cancel()
	for _, ctx := range []context.Context{cancelled, late} {
		for _, err := range []error{errorOf(p.Get(ctx)), errorOf(p.TryGet(ctx))} {
			expect(t, err, ctx.Err())
			says(t, err, "prices: .*; 1 of 1 are open, 1 leased, 0 idle, 0 wait"+heldFor+": context .*")
		}
	}
	if stats := p.Stats(); stats.Cancelled != 2 || stats.TimedOut != 2 || stats.FoundNone != 0 {
		t.Errorf("%+v", stats)
	}
	expect(t, errorOf(p.TryGet(background)), pool.ErrTimeout)
	if stats := p.Stats(); stats.FoundNone != 1 {
		t.Errorf("%+v", stats)
	}
	release(t, held)
}

func TestAGetWhoseOpenHangsIsCountedAndSaysWhatItWaitedFor(t *testing.T) {
	proceed := make(chan struct{})
	p, err := pool.New(pool.Config{Name: "prices"}, func(context.Context) (*connection, error) {
		<-proceed
		return new(connection), nil
	})
	succeed(t, err)
	ctx, cancel := context.WithTimeout(background, 20*time.Millisecond)
	defer cancel()
	says(t, errorOf(p.Get(ctx)), `prices: no connection in time: .*; 1 are open, 0 leased, 0 idle, 0 wait: context .*`)
	ctx, cancel = context.WithCancel(background)
	failed := make(chan error)
	go func() { failed <- errorOf(p.Get(ctx)) }()
	eventually(t, "another waits", func() bool { return p.Stats().Waiting == 1 })
	cancel()
	says(t, <-failed, `prices: cancelled: .*; \d are open, 0 leased, 0 idle, 0 wait: context canceled`)
	if stats := p.Stats(); stats.TimedOut != 1 || stats.Cancelled != 1 {
		t.Errorf("%+v", stats)
	}
	close(proceed)
	drain(t, p)
}

func errorOf(_ pool.Lease[*connection], err error) error { return err }

func TestACancelledGetSaysWhatItWaitedFor(t *testing.T) {
	p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 1})
	held := get(t, p)
	ctx, cancel := context.WithCancel(background)
	says(t, cancelWaiting(p, ctx, cancel),
		`prices: cancelled: \d+ ms went by in the queue, \d+ ms in open or check; 1 of 1 are open, 1 leased, 0 idle, 0 wait`+heldFor+": "+
			"context canceled")
	release(t, held)
}

// As contexts of frameworks do.
type outspoken struct{ context.Context }

func (o outspoken) Err() error {
	if o.Context.Err() == nil {
		return nil
	}
	return errNo
}

func TestAContextThatEndsInWordsOfItsOwnIsCancelled(t *testing.T) {
	p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 1})
	held := get(t, p)
	ctx, cancel := context.WithCancel(background)
	for _, err := range []error{cancelWaiting(p, outspoken{ctx}, cancel), errorOf(p.Get(outspoken{ctx}))} {
		expect(t, err, pool.ErrCancelled)
		says(t, err, "prices: cancelled.*; 1 of 1 are open, 1 leased, 0 idle, 0 wait"+heldFor+": "+errNo.Error()+".*")
	}
	if stats := p.Stats(); stats.Cancelled != 2 || stats.TimedOut != 0 {
		t.Errorf("%+v", stats)
	}
	release(t, held)
}

func cancelWaiting(p *pool.Pool[*connection], ctx context.Context, cancel context.CancelFunc) error {
	failed := make(chan error)
	go func() { failed <- errorOf(p.Get(ctx)) }()
	for p.Stats().Waiting == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	return <-failed
}

func TestErrorsNameThePoolWhoeverGaveTheName(t *testing.T) {
	for _, config := range []pool.Config{{Name: "prices"}, {Settings: map[string]string{"name": "prices"}}} {
		p, _ := newPool(t, config)
		if p.Name() != "prices" {
			t.Errorf("it is called %q", p.Name())
		}
		drain(t, p)
		_, err := p.Get(background)
		says(t, err, "prices: pool is closed")
	}
}

func TestErrorsOfAllCallsNameThePool(t *testing.T) {
	p, _ := newPool(t, pool.Config{Name: "prices"})
	driven, err := pool.OpenURL(pool.Config{Name: "arith"}, "jsonrpc://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer driven.Close(background)
	_, err = p.TryGetIdle(background)
	mustFailAs(t, err, pool.ErrTimeout, "prices: no connection is idle")
	for name, steered := range map[string]interface {
		Resize(int) (int, error)
		Resume() (int, error)
	}{"prices: ": p, "arith: ": driven} {
		_, err = steered.Resize(-1)
		mustFailAs(t, err, pool.ErrInvalid, name)
		_, err = steered.Resume()
		mustFailAs(t, err, pool.ErrInvalid, name)
	}
}

func TestWhatIsRefusedToAnOperatorSaysWhy(t *testing.T) {
	p, _ := newPool(t, pool.Config{Name: "prices", MaxOpen: 5, MinIdle: 3})
	_, err := p.Resize(2)
	mustFailAs(t, err, pool.ErrInvalid, "prices: min_idle is 3, which is more than max_open, 2")
	_, err = p.Resume()
	mustFailAs(t, err, pool.ErrInvalid, "prices: ")
	if err.Error() == "prices: "+pool.ErrInvalid.Error() {
		t.Error(err)
	}
}
