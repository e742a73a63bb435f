// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Work is done in the user's functions; whatever they do, its claim is reported, so the library's counts stay right.
// Each runs in a goroutine of its own, but for a close or reset of a lease that ends, which runs in the goroutine that ends
// it.  So a function that hangs holds up nothing else, and there are no more goroutines than connections.

var (
	errEnded = errors.New("the function did not return")
	errLate  = errors.New("open took longer than OpenTimeout")
)

const (
	// This long Flush waits for closes at most, and so does New when it fails.
	courtesy = time.Second

	// This long Close waits for them although its context has ended before.
	promptness = 100 * time.Millisecond

	// An open that nobody asked for and that takes longer is not counted on.
	slowOpen = time.Second
)

// What became of an open or a check.
type outcome[C any] struct {
	conn     C
	life     *life
	err      error
	panicked *PanicError
	ended    bool // the function returned
	failure  bool // it failed
	left     bool // by the get, before the function returned
	lease    int64
	failed   error  // of open
	message  string // what the library says of that
	ticket   int64  // with which the get waits on, or 0
}

// Why a get is over that leaves its work behind.
func unfinished(next step) string {
	if next.work == workOpen {
		return "no connection in time: open has not returned"
	}
	return "no connection in time: check has not returned"
}

// ---- for a get that waits in the queue meanwhile ----

// What has been begun for a get that waits for what comes first.
type errand struct {
	queue    *queue
	ticket   atomic.Int64          // 0: none yet
	failed   atomic.Pointer[error] // of the last open
	panicked atomic.Pointer[PanicError]
	reported atomic.Bool   // the outcome of an open is there, but what the library asks for then is not done
	bell     chan struct{} // of a get that is not in the queue: the outcome is there, or the open takes long
	began    int64         // the moment when an open began; 0: not known
	shared   bool          // another goroutine works for it, too, which may do so when the get has left
}

func (e *errand) report() {
	if e.bell != nil {
		e.reported.Store(true)
		wake(e.bell)
	}
}

// As it was made.
func (e *errand) clear() {
	if e.ticket.Load() != 0 || e.failed.Load() != nil || e.panicked.Load() != nil { // to look costs less than to write
		e.ticket.Store(0)
		e.failed.Store(nil)
		e.panicked.Store(nil)
	}
	e.reported.Store(false)
	select {
	case <-e.bell:
	default:
	}
	e.began = 0
}

// The last open's error, or nil.
func (e *errand) failure() error {
	if e == nil {
		return nil
	}
	if failed := e.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

// Before the library knows, and perhaps tells the get that it is over.
func (e *errand) note(failed error, panicked *PanicError) {
	if failed != nil {
		e.noteFailure(failed)
	}
	if panicked != nil {
		e.panicked.Store(panicked)
	}
}

// A function of its own, for the error is allocated as it begins.
func (e *errand) noteFailure(failed error) { e.failed.Store(&failed) }

// Tells the get of what the library does not tell.
func (e *errand) tellEnd(failsFast bool) {
	if e.panicked.Load() != nil || (failsFast && e.failed.Load() != nil) {
		e.queue.tell(e.ticket.Load())
	}
}

func (p *Pool[C]) runFor(values context.Context, next step, e *errand) {
	result := new(outcome[C])
	defer p.tendAfter(result)
	defer func() { e.tellEnd(p.failsFast) }()
	p.run(values, next.task(), result, e)
}

// ---- for a get that waits for nothing else ----

// An open or check that a get waits for, unless it has left.
type job struct {
	settled atomic.Bool // one of the two has decided: it is delivered, or the get has left
	done    chan struct{}
}

// Opens or checks on behalf of a get.  That may take longer than the get may, so it runs in a goroutine of its own.
func (p *Pool[C]) perform(ctx, values context.Context, next step) (*outcome[C], error) {
	work, duty := &job{done: make(chan struct{})}, next.task()
	result := new(outcome[C])
	go func() {
		defer p.tendAfter(result) // not before the get goes on, which may have been told of something meanwhile
		defer p.deliver(work, result)
		p.run(values, duty, result, nil)
	}()
	select {
	case <-work.done:
	case <-ctx.Done():
		if work.settled.CompareAndSwap(false, true) {
			return &outcome[C]{left: true}, p.late(ctx, nil, unfinished(next))
		}
		<-work.done
	}
	if result.panicked != nil {
		p.putBack(result.lease)
		panic(result.panicked)
	}
	if ctx.Err() != nil && result.failed != nil && result.err != nil {
		result.err = p.late(ctx, result.failed, result.message)
	}
	return result, result.err
}

// Hands the outcome to the get, or if that has left, the connection to the next.
func (p *Pool[C]) deliver(work *job, result *outcome[C]) {
	if work.settled.CompareAndSwap(false, true) {
		close(work.done)
		return
	}
	p.unseen.hasLeft(result.err)
	p.putBack(result.lease)
}

// Nobody had it, and nobody waits for what a reset does.
func (p *Pool[C]) putBack(lease int64) {
	if lease == 0 {
		return
	}
	p.settleBehind(endUnused(lease), nil)
	p.underway.rouse()
}

// ---- for nobody in particular ----

func (p *Pool[C]) runAlone(next step) {
	result := new(outcome[C])
	defer p.tend() // the next may be opened, or something be due after a failure
	if next.work == workOpen {
		slow := time.AfterFunc(slowOpen, p.tend)
		defer slow.Stop()
	}
	p.run(context.Background(), next.task(), result, nil)
	p.underway.rouse()
}

// ---- opening and checking ----

// The errand is that of the get that waits, or nil.
func (p *Pool[C]) run(values context.Context, work task, result *outcome[C], e *errand) {
	defer p.report(work, result, e)
	defer result.catch()
	if work.work == workOpen {
		p.openOne(values, result, e)
	} else {
		result.err = p.checkInTime(detached(values), p.table.claimed(work.claim).conn)
	}
	result.ended = true
}

func (p *Pool[C]) openOne(values context.Context, result *outcome[C], e *errand) {
	life := newLife(values, e)
	p.underway.begin(life)
	result.life = life
	returned := false
	defer func() {
		if !returned { // it panicked, say
			p.underway.end(life)
		}
		if !result.ended {
			life.end(isCancelled)
		}
	}()
	conn, err := p.open(life)
	returned = true
	switch how := p.underway.end(life); {
	case err == nil && isNil(conn):
		err = errors.New("open returned no connection")
	case err == nil && how == isExpired:
		err = errLate
		p.drop(conn)
	}
	if err != nil {
		life.end(isCancelled)
	}
	result.conn, result.err = conn, err
	result.ended = true
}

// Closes a connection that the library never knew.
func (p *Pool[C]) drop(conn C) {
	defer p.shield()
	_ = callIf(p.close, conn)
}

// Lets a check end in time; one that takes longer has failed, whatever it says, but that is the library's rule.
func (p *Pool[C]) checkInTime(ctx context.Context, conn C) error {
	if p.checks == 0 {
		return p.check(ctx, conn)
	}
	limited, cancel := context.WithTimeout(ctx, p.checks)
	defer cancel()
	return p.check(limited, conn)
}

// Deferred, so that neither a panic nor runtime.Goexit loses the claim.
func (o *outcome[C]) catch() {
	if value := recover(); value != nil {
		o.panicked = &PanicError{Value: value, Stack: debug.Stack()}
		o.err = o.panicked
	} else if !o.ended {
		o.err = errEnded
	}
}

func isNil(conn any) bool {
	switch value := reflect.ValueOf(conn); value.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer:
		return value.IsNil()
	}
	return false
}

func (p *Pool[C]) report(work task, result *outcome[C], e *errand) {
	failure := result.err
	opens := work.work == workOpen
	if !opens {
		p.table.at(work.claim).pass()
	}
	if opens && failure == nil {
		p.table.make(work.claim, p).fill(result.conn, result.life)
		p.forgetCause()
	} else if opens {
		p.noteCause(failure)
		result.failed = failure
	}
	if e != nil {
		e.note(result.failed, result.panicked)
	}
	var after step
	p.acknowledge(&after, work.claim, failure)
	result.lease, result.ticket = max(int64(after.result), 0), int64(after.ticket)
	result.err, result.failure = nil, failure != nil // after a failed check the get goes on
	if after.result <= 0 && (opens || failure == nil) {
		p.conclude(result, &after)
	}
	if e != nil {
		e.report()
	}
	p.begin(after, nil)
}

// Why there is no lease.
func (p *Pool[C]) conclude(result *outcome[C], after *step) {
	result.message = after.message
	if result.failed != nil && after.result != closedCode {
		result.err = &Error{Kind: ErrOpen, Message: after.message, Err: result.failed, Pool: p.handle.name()}
	} else {
		result.err = p.failureIf(*after)
	}
}

// To look costs less than to write.
func (p *Pool[C]) forgetCause() {
	if p.cause.Load() != nil {
		p.cause.Store(nil)
	}
}

func (p *Pool[C]) noteCause(failure error) {
	p.cause.Store(&failure)
	p.lastCause.Store(&failure)
}

// After a failure something may be due: to try again, or to close the connections that were suspect as well.
func (p *Pool[C]) tendAfter(result *outcome[C]) {
	if result.failure && !p.filling.Load() {
		p.tend()
	}
}

// Tells the library.
func (p *Pool[C]) acknowledge(after *step, claim int64, failure error) {
	if failure == nil {
		succeeded(claim, after)
	} else {
		reject(claim, failure, after)
	}
	p.tell(after)
	if p.closed.Load() {
		p.noteDrained()
	}
}

// What an error says of itself is the user's code, too.
func reject(claim int64, failure error, after *step) {
	message := ""
	defer func() {
		_ = recover()
		failed(claim, message, after)
	}()
	message = failure.Error()
}

// Where nobody is there to be told of a panic in close: it is counted as a close that failed.
func (p *Pool[C]) finishQuietly(next *step) {
	defer p.shield()
	p.finish(*next)
}

func (p *Pool[C]) shield() {
	_ = recover()
}

// ---- closing and resetting ----

// Closes or resets what a step asks to, and what a failed reset leads to; other connections are not this goroutine's.
func (p *Pool[C]) finish(next step) {
	for next.work == workReset {
		next = p.finishOne(next)
	}
	if next.work == workClose {
		next = p.finishOne(next)
	}
	p.begin(next, nil)
}

func (p *Pool[C]) finishOne(next step) (after step) {
	place := p.table.claimed(int64(next.claim))
	conn, function, life := place.conn, p.reset, (*life)(nil)
	if next.work == workClose {
		var none C
		function, life = p.close, place.life
		place.conn, place.life = none, nil
	}
	failure, ended := errEnded, false
	defer func() {
		if life != nil {
			life.end(isCancelled)
		}
		place.pass()
		p.acknowledge(&after, int64(next.claim), failure)
		if !ended {
			p.finish(after) // the panic leaves, so nobody else does
		}
	}()
	failure = callIf(function, conn)
	ended = true
	return
}

func callIf[C any](function func(C) error, conn C) error {
	if function == nil {
		return nil
	}
	return function(conn)
}

func (p *Pool[C]) discard(lease int64) error {
	next := p.unusable(lease)
	p.settle(next)
	return p.failureIf(next)
}

// Ends a lease whose connection is to be closed, which the step asks for.
func (p *Pool[C]) unusable(lease int64) step {
	claim, asks := p.view.discard(lease)
	if claim == 0 {
		return endUnusable(lease)
	}
	if asks {
		next := given(lease)
		p.settleBehind(next, nil)
	}
	return task{workClose, claim}.step()
}

// The others are under suspicion, and those that are idle are checked.
func (p *Pool[C]) discardBroken(lease int64) error {
	defer p.tend()
	next := endBroken(lease)
	p.settle(next)
	return p.failureIf(next)
}

// ---- telling, and what nobody asked for ----

// Those that wait are told.
func (p *Pool[C]) announce(next *step) {
	if next.given_to != 0 {
		p.queue.give(int64(next.given_to), int64(next.given))
	}
	if next.wake != 0 {
		p.queue.tell(int64(next.wake))
	}
}

// The same a little later, which is mostly in time, because the goroutine that left the connection takes it back.
func (p *Pool[C]) askLater(lease int64) {
	if !p.queue.rings.Load() {
		p.queue.askLater(lease, min(p.fairness, respite), p.askNow)
	}
}

// The library is asked to tell those that wait for what a release has left.
func (p *Pool[C]) askNow() {
	next := given(p.queue.ring())
	p.tell(&next)
	p.begin(next, nil)
	runtime.KeepAlive(p)
}

func (p *Pool[C]) tell(next *step) {
	p.announce(next)
	if next.more != 0 && !p.filling.Load() {
		p.keeper.ask(p.keep)
	}
}

func (p *Pool[C]) settle(next step) {
	p.tell(&next)
	if p.closesBehind && next.work == workClose {
		p.begin(next, nil)
		return
	}
	p.finish(next)
}

// The same in a get, which has a deadline, or where nobody had the connection.
func (p *Pool[C]) settleBehind(next step, closes *batch) {
	p.tell(&next)
	p.begin(next, closes)
}

// Does what waits for anybody to do it, and sees to it that what is due later is done then.
func (p *Pool[C]) tend() {
	p.keeper.set(p.tidy(nil), p.keep)
}

// Returns when the next thing is due.  The closes and resets that it begins join the batch, unless that is nil.
func (p *Pool[C]) tidy(closes *batch) time.Duration {
	next := following(p.handle)
	for ; next.result == 1; next = following(p.handle) {
		p.announce(&next)
		p.begin(next, closes)
	}
	if next.more != 0 {
		p.listeners.ask(p.handle)
	}
	return time.Duration(next.due)
}

// Begins what nobody waits for.
func (p *Pool[C]) begin(next step, closes *batch) {
	switch next.work {
	case workClose, workReset:
		closes.add()
		go p.finishApart(next, closes)
	case workOpen, workCheck:
		go p.runAlone(next)
	}
}

// With a copy of the step, so that those that begin nothing need not keep theirs for a goroutine.
func (p *Pool[C]) finishApart(next step, closes *batch) {
	defer closes.end()
	p.finishQuietly(&next)
}

// Functions that were begun together; nil: nobody waits for them.
type batch struct {
	count atomic.Int64 // of those that go on, and one until all have begun
	done  chan struct{}
}

func newBatch() *batch {
	b := &batch{done: make(chan struct{})}
	b.add()
	return b
}

func (b *batch) add() {
	if b != nil {
		b.count.Add(1)
	}
}

func (b *batch) end() {
	if b != nil && b.count.Add(-1) == 0 {
		close(b.done)
	}
}

// Waits for all, but no longer than a context.
func (b *batch) waitWithin(ctx context.Context) {
	if b == nil {
		return
	}
	b.end()
	select {
	case <-b.done:
	case <-ctx.Done():
	}
}

// Waits for all, but no longer than the limit.
func (b *batch) wait(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	b.end()
	select {
	case <-b.done:
	case <-timer.C:
	}
}

// One round of the keeper.
func (p *Pool[C]) keep() {
	due := p.tidy(nil)
	if due == 0 {
		p.handle.maintain()
		due = p.tidy(nil)
	}
	p.keeper.set(max(due, leastTick), p.keep)
}
