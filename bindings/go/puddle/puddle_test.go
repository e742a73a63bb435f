// SPDX-License-Identifier: MIT

package puddle

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"libpool.example/go/pool"
)

var background = context.Background()

// A pool whose constructor waits for the gate, and counts.
type fixture struct {
	*Pool[int32]
	gate                   chan struct{}
	begun                  chan context.Context
	construction           context.Context // of acquireLater
	constructed, destroyed atomic.Int32
	failure                error
}

func newFixture(t *testing.T, maxSize int32) *fixture {
	t.Helper()
	f := &fixture{gate: make(chan struct{}), begun: make(chan context.Context, 100)}
	construct := func(ctx context.Context) (int32, error) {
		f.begun <- ctx
		<-f.gate
		return f.constructed.Add(1), f.failure
	}
	destroy := func(int32) { f.destroyed.Add(1) }
	var err error
	if f.Pool, err = NewPool(&Config[int32]{Constructor: construct, Destructor: destroy, MaxSize: maxSize}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) acquire(t *testing.T) *Resource[int32] {
	t.Helper()
	ctx, cancel := context.WithTimeout(background, time.Minute)
	defer cancel()
	res, err := f.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// An Acquire in the background, whose resource is being constructed when this returns.
func (f *fixture) acquireLater() chan func() (*Resource[int32], error) {
	done := make(chan func() (*Resource[int32], error), 1)
	go func() {
		res, err := f.Acquire(background)
		done <- func() (*Resource[int32], error) { return res, err }
	}()
	f.construction = <-f.begun
	return done
}

func (f *fixture) closeLater() chan struct{} {
	done := make(chan struct{})
	go func() {
		f.Close()
		close(done)
	}()
	<-f.ends.Done()
	return done
}

func TestAnAcquireWhoseResourceIsBeingConstructedGetsItAlthoughThePoolIsClosed(t *testing.T) {
	for _, end := range []func(*Resource[int32]){(*Resource[int32]).Release, (*Resource[int32]).ReleaseUnused,
		(*Resource[int32]).Destroy, (*Resource[int32]).Hijack} {
		f := newFixture(t, 1)
		acquired := f.acquireLater()
		closed := f.closeLater()
		close(f.gate)
		res, err := (<-acquired)()
		if err != nil || res.Value() != 1 {
			t.Fatalf("%v, %v", res, err)
		}
		select {
		case <-closed:
			t.Error("Close did not wait for it")
		default:
		}
		if stat := f.Stat(); stat.AcquireCount() != 1 || stat.EmptyAcquireCount() != 1 {
			t.Errorf("%+v", stat)
		}
		hijack := f.destroyed.Load()
		end(res)
		<-closed
		if hijacks := res.state.Load() == hijacked; f.destroyed.Load() == hijack != hijacks {
			t.Errorf("%d destroyed, hijacked %v", f.destroyed.Load(), hijacks)
		}
	}
}

func TestAnAcquireThatWasCanceledIsGivenNothingByAPoolThatIsClosed(t *testing.T) {
	f := newFixture(t, 1)
	ctx, cancel := context.WithCancel(background)
	ended := make(chan error)
	go func() {
		_, err := f.Acquire(ctx)
		ended <- err
	}()
	<-f.begun
	closed := f.closeLater()
	cancel()
	if err := <-ended; err != ErrClosedPool && err != context.Canceled {
		t.Error(err)
	}
	close(f.gate)
	<-closed
	if f.destroyed.Load() != 1 {
		t.Errorf("%d destroyed", f.destroyed.Load())
	}
}

func TestAResetWhileAResourceIsBeingConstructedHandsOutNothingStale(t *testing.T) {
	f := newFixture(t, 1)
	acquired := f.acquireLater()
	f.Reset()
	close(f.gate)
	res, err := (<-acquired)()
	if err != nil {
		t.Fatal(err)
	}
	if res.Value() != 2 {
		t.Errorf("got number %d", res.Value())
	}
	res.Release()
	f.Close()
	if f.destroyed.Load() != 2 {
		t.Errorf("%d destroyed", f.destroyed.Load())
	}
}

func TestAConstructorThatFailsEndsItsAcquireAlthoughAnotherResourceMayComeBack(t *testing.T) {
	f := newFixture(t, 2)
	close(f.gate)
	res := f.acquire(t)
	f.failure = errors.New("sad")
	if _, err := f.Acquire(background); err != f.failure {
		t.Error(err)
	}
	if err := f.CreateResource(background); err != f.failure {
		t.Error(err)
	}
	res.Release()
	f.Close()
}

// Also where that is of another pool of the library, and says of it what it might say of this one.
func TestTheErrorOfAConstructorIsHandedOnAsItIs(t *testing.T) {
	f := newFixture(t, 1)
	close(f.gate)
	for _, f.failure = range []error{&pool.Error{Kind: pool.ErrClosed}, fmt.Errorf("token: %w", &pool.Error{Kind: pool.ErrClosed}),
		&pool.Error{Kind: pool.ErrTimeout, Err: context.DeadlineExceeded}} {
		if _, err := f.Acquire(background); err != f.failure {
			t.Errorf("%v instead of %v", err, f.failure)
		}
		if err := f.CreateResource(background); err != f.failure {
			t.Errorf("%v instead of %v", err, f.failure)
		}
	}
	if stat := f.Stat(); stat.CanceledAcquireCount() != 0 {
		t.Errorf("%+v", stat)
	}
	f.Close()
}

type naming struct{}

func (naming) TraceOpenStart(ctx context.Context, _ pool.Source, _ pool.TraceOpenStartData) context.Context {
	return context.WithValue(ctx, naming{}, "named")
}

func (naming) TraceOpenEnd(context.Context, pool.Source, pool.TraceOpenEndData) {}

func TestAConstructorHearsThatItsTimeIsOver(t *testing.T) {
	Settings = pool.Config{OpenTimeout: time.Millisecond, Tracer: naming{}}
	defer func() { Settings = pool.Config{} }()
	f := newFixture(t, 1)
	acquired := f.acquireLater()
	select {
	case <-f.construction.Done():
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
	if name := f.construction.Value(naming{}); name != "named" {
		t.Error(name)
	}
	f.failure = f.construction.Err()
	close(f.gate)
	if _, err := (<-acquired)(); err != context.DeadlineExceeded {
		t.Error(err)
	}
	f.Close()
}

func TestTheResourceOfACanceledAcquireIsForTheNext(t *testing.T) {
	f := newFixture(t, 1)
	ctx, cancel := context.WithCancel(background)
	go func() {
		<-f.begun
		cancel()
	}()
	if _, err := f.Acquire(ctx); err != context.Canceled {
		t.Error(err)
	}
	close(f.gate)
	if res := f.acquire(t); res.Value() != 1 {
		t.Errorf("got number %d", res.Value())
	} else {
		res.Release()
	}
	if stat := f.Stat(); stat.CanceledAcquireCount() != 1 || stat.AcquireCount() != 1 {
		t.Errorf("%+v", stat)
	}
	f.Close()
}

func TestATryAcquireCountsAndTakesNoTime(t *testing.T) {
	f := newFixture(t, 1)
	close(f.gate)
	if err := f.CreateResource(background); err != nil {
		t.Fatal(err)
	}
	res, err := f.TryAcquire(background)
	if err != nil {
		t.Fatal(err)
	}
	if stat := f.Stat(); stat.AcquireCount() != 1 || stat.AcquireDuration() != 0 {
		t.Errorf("%d acquires took %v", stat.AcquireCount(), stat.AcquireDuration())
	}
	res.Release()
	f.Close()
}

func TestATryAcquireTakesWhatIsIdleAlthoughItsContextIsOver(t *testing.T) {
	f := newFixture(t, 2)
	close(f.gate)
	if err := f.CreateResource(background); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(background)
	cancel()
	res, err := f.TryAcquire(over)
	if err != nil {
		t.Fatal(err)
	}
	res.Release()
	f.Close()
	if f.constructed.Load() != 1 {
		t.Errorf("%d constructed", f.constructed.Load())
	}
}

func TestAConstructorThatCreatesAResourceOfAnotherPoolTakesNothingFromItsAcquire(t *testing.T) {
	inner := newFixture(t, 1)
	close(inner.gate)
	begun, gate := make(chan struct{}), make(chan struct{})
	outer, err := NewPool(&Config[int32]{MaxSize: 1, Destructor: func(int32) {}, Constructor: func(ctx context.Context) (int32, error) {
		if err := inner.CreateResource(ctx); err != nil {
			t.Error(err)
		}
		inner.acquire(t).Release()
		close(begun)
		<-gate
		return 7, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	go func() {
		res, err := outer.Acquire(background)
		if err == nil {
			res.Release()
		}
		got <- err
	}()
	<-begun
	closed := make(chan struct{})
	go func() {
		outer.Close()
		close(closed)
	}()
	<-outer.ends.Done()
	close(gate)
	if err := <-got; err != nil {
		t.Error(err)
	}
	<-closed
	inner.Close()
}

func TestWhatTheSettingsSayGoesForEachPool(t *testing.T) {
	Settings = pool.Config{Name: "sessions", MaxOpen: 77}
	defer func() { Settings = pool.Config{} }()
	f := newFixture(t, 3)
	if text, err := f.pool.Report(pool.Text); err != nil || f.Stat().MaxResources() != 3 || text[:15] != "pool \"sessions\"" {
		t.Errorf("%v, %s", err, text)
	}
	f.Close()
}

// It ends as if the resource could not be constructed: nobody is there to hand it out.
func TestAnAcquireEndsAlthoughItsConstructorDoesNotReturnWhenThePoolIsClosed(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("constructor") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			begun := make(chan struct{})
			p, err := NewPool(&Config[int]{MaxSize: 1, Destructor: func(int) {}, Constructor: func(ctx context.Context) (int, error) {
				close(begun)
				<-ctx.Done()
				leave()
				return 0, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan any, 1)
			go func() {
				defer func() { ended <- recover() }()
				_, _ = p.Acquire(background)
			}()
			<-begun
			p.Close()
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Fatal("it goes on waiting")
			}
		})
	}
}
