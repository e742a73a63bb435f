// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

func create(t testing.TB, p *pool.Pool[*connection]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, patience)
	defer cancel()
	if err := p.CreateResource(ctx); err != nil {
		t.Fatal(err)
	}
}

func idleOnes(t testing.TB, p *pool.Pool[*connection], count int) []pool.Lease[*connection] {
	t.Helper()
	leases := p.AcquireAllIdle(background)
	if len(leases) != count {
		t.Fatalf("%d were idle, not %d", len(leases), count)
	}
	return leases
}

func TestAllThatIsIdleIsLentAtOnceAndNothingIsOpened(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 4})
	idleOnes(t, p, 0)
	_, err := p.TryGetIdle(background)
	expect(t, err, pool.ErrTimeout)
	for i := 0; i < 3; i++ {
		create(t, p)
	}
	lent := get(t, p)
	leases := idleOnes(t, p, 2)
	if f.opened.Load() != 3 || p.Stats().Leased != 3 {
		t.Errorf("%d opened, %d leased", f.opened.Load(), p.Stats().Leased)
	}
	release(t, lent)
	for _, lease := range leases {
		lease.Conn().use(t)
		if err := lease.ReleaseUnused(); err != nil {
			t.Error(err)
		}
		expect(t, lease.ReleaseUnused(), pool.ErrStale)
		expect(t, lease.Release(), pool.ErrStale)
	}
	if stats := p.Stats(); stats.Lent != 1 || stats.Idle != 3 {
		t.Errorf("%d lent, %d idle", stats.Lent, stats.Idle)
	}
	_, err = p.TryGetIdle(nil)
	expect(t, err, pool.ErrInvalid)
	over, cancel := context.WithCancel(background)
	cancel()
	p.Close(over)
	if p.AcquireAllIdle(background) != nil {
		t.Error("a closed pool lends")
	}
	_, err = p.TryGetIdle(background)
	expect(t, err, pool.ErrClosed)
}

func TestWhatBecomesIdleWhileAllAreBeingLentIsNotLentAsWell(t *testing.T) {
	var p *pool.Pool[*connection]
	left := 10
	more := func(context.Context, *connection) (bool, error) {
		if left--; left >= 0 {
			create(t, p)
		}
		return true, nil
	}
	p, _ = newPool(t, pool.Config{}, pool.WithHooks(pool.Hooks[*connection]{BeforeLend: more}))
	create(t, p)
	create(t, p)
	leases := p.AcquireAllIdle(background)
	if len(leases) != 2 {
		t.Errorf("%d are lent", len(leases))
	}
	for _, lease := range leases {
		release(t, lease)
	}
}

func TestWhatIsIdleForTooLongIsCheckedBeforeItIsLent(t *testing.T) {
	var result error
	checked := 0
	check := func(context.Context, *connection) error {
		checked++
		return result
	}
	p, _ := newPool(t, pool.Config{MaxOpen: 1, CheckAfter: pool.Always}, pool.WithCheck(check))
	create(t, p)
	release(t, idleOnes(t, p, 1)[0])
	result = errors.New("bad")
	idleOnes(t, p, 0)
	if checked != 2 {
		t.Errorf("%d checks", checked)
	}
	eventually(t, "it is closed", func() bool { return p.Stats().Open == 0 })
}

func TestNobodyWaitsForTheCloseOfWhatACheckRefused(t *testing.T) {
	type getter = func(*pool.Pool[*connection], context.Context) (pool.Lease[*connection], error)
	for name, get := range map[string]getter{"Get": (*pool.Pool[*connection]).Get, "TryGet": (*pool.Pool[*connection]).TryGet,
		"TryGetIdle": (*pool.Pool[*connection]).TryGetIdle} {
		t.Run(name, func(t *testing.T) {
			var refused atomic.Bool
			proceed := make(chan struct{})
			p, err := pool.New(pool.Config{MaxOpen: 3, Initial: 2, CheckAfter: pool.Always}, new(factory).open,
				pool.WithClose(func(*connection) error { <-proceed; return nil }),
				pool.WithCheck(func(context.Context, *connection) error {
					if refused.Swap(true) {
						return nil
					}
					return errNo
				}))
			succeed(t, err)
			ended := make(chan error, 1)
			go func() {
				lease, err := get(p, background)
				if err == nil {
					err = lease.ReleaseUnused()
				}
				ended <- err
			}()
			if err := soon(t, "it ends", ended); name == "Get" || !errors.Is(err, pool.ErrTimeout) { // the other is suspect, too
				succeed(t, err)
			}
			close(proceed)
			drain(t, p)
		})
	}
}

func TestOneMoreIsOpenedWhileAnotherIsIdleAndOnlyWhereThereIsRoom(t *testing.T) {
	p, f := newPool(t, pool.Config{MaxOpen: 2})
	create(t, p)
	create(t, p)
	mustFailAs(t, p.CreateResource(background), pool.ErrTimeout, "pool: no other connection may be opened now")
	if f.opened.Load() != 2 || p.Len() != 2 || p.Stats().Lent != 0 {
		t.Errorf("%d opened, %d idle", f.opened.Load(), p.Len())
	}
	expect(t, p.CreateResource(nil), pool.ErrInvalid)
	if err := p.Close(background); err != nil {
		t.Fatal(err)
	}
	expect(t, p.CreateResource(background), pool.ErrClosed)
}

func TestOneMoreGoesToTheFirstWhoWaits(t *testing.T) {
	gate, key := make(chan struct{}), "key"
	values := make(chan any, 1)
	open := func(ctx context.Context) (*connection, error) {
		values <- ctx.Value(&key)
		<-gate
		return new(connection), nil
	}
	p, err := pool.New(pool.Config{MaxOpen: 1}, open)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := p.StartResource(context.WithValue(background, &key, "mine"))
	if err != nil {
		t.Fatal(err)
	}
	if value := <-values; value != "mine" {
		t.Errorf("open has got %v", value)
	}
	short, cancel := context.WithTimeout(background, time.Millisecond)
	defer cancel()
	_, err = p.Get(short)
	expect(t, err, pool.ErrTimeout)
	got := make(chan pool.Lease[*connection])
	go func() { got <- get(t, p) }()
	eventually(t, "one waits", func() bool { return p.Stats().Waiting == 1 })
	close(gate)
	release(t, <-got)
	if err := <-opened; err != nil {
		t.Error(err)
	}
	drain(t, p)
}

func TestOneMoreThatFailsSaysWhy(t *testing.T) {
	sad := errors.New("sad")
	p, err := pool.New(pool.Config{MaxOpen: 1}, func(context.Context) (*connection, error) { return nil, sad })
	if err != nil {
		t.Fatal(err)
	}
	err = p.CreateResource(background)
	expect(t, err, sad)
	expect(t, err, pool.ErrOpen)
	drain(t, p)
}

func TestOneMorePanicsToNobody(t *testing.T) {
	p, err := pool.New(pool.Config{MaxOpen: 1}, func(context.Context) (*connection, error) { panic("sad") })
	if err != nil {
		t.Fatal(err)
	}
	var panicked *pool.PanicError
	if err = p.CreateResource(background); !errors.As(err, &panicked) || panicked.Value != "sad" {
		t.Errorf("%v", err)
	}
	drain(t, p)
}

func TestOneMoreGoesOnWhenItsContextEnds(t *testing.T) {
	gate := make(chan struct{})
	given, cancel := context.WithCancel(background)
	open := func(ctx context.Context) (*connection, error) {
		cancel()
		<-gate
		return new(connection), ctx.Err()
	}
	p, err := pool.New(pool.Config{MaxOpen: 1}, open)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, p.CreateResource(given), context.Canceled)
	close(gate)
	eventually(t, "it is idle", func() bool { return p.Len() == 1 })
	drain(t, p)
}

func TestWhereTheContextIsOverNothingIsLentOrBegun(t *testing.T) {
	over, cancel := context.WithCancel(background)
	cancel()
	p, f := newPool(t, pool.Config{MaxOpen: 2, Initial: 1})
	expect(t, p.CreateResource(over), pool.ErrCancelled)
	_, err := p.TryGetIdle(over)
	expect(t, err, pool.ErrCancelled)
	if opened := f.opened.Load(); opened != 1 || len(p.AcquireAllIdle(over)) != 0 {
		t.Errorf("%d were opened, and %d are idle", opened, p.Len())
	}
}

func TestWithFailFastAGetWhoseOpenFailsWaitsForNothingElse(t *testing.T) {
	sad := errors.New("sad")
	var fails bool
	open := func(context.Context) (*connection, error) {
		if fails {
			return nil, sad
		}
		return new(connection), nil
	}
	p, err := pool.New(pool.Config{MaxOpen: 2, FailFast: true}, open)
	if err != nil {
		t.Fatal(err)
	}
	lease := get(t, p)
	fails = true
	_, err = p.Get(background)
	expect(t, err, pool.ErrOpen)
	expect(t, err, sad)
	fails = false
	second := get(t, p)
	release(t, lease)
	release(t, second)
	drain(t, p)
}

func TestWithCloseBehindNobodyWaitsForAClose(t *testing.T) {
	gate := make(chan struct{})
	open := func(context.Context) (*connection, error) { return new(connection), nil }
	p, err := pool.New(pool.Config{MaxOpen: 2, CloseBehind: true}, open,
		pool.WithClose(func(*connection) error { <-gate; return nil }))
	if err != nil {
		t.Fatal(err)
	}
	first, second := get(t, p), get(t, p)
	if err := first.Discard(); err != nil {
		t.Error(err)
	}
	p.Flush()
	release(t, second)
	if stats := p.Stats(); stats.Open != 2 || stats.Leased != 0 || stats.Idle != 0 {
		t.Errorf("%+v", stats)
	}
	close(gate)
	drain(t, p)
}
