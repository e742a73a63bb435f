// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"errors"
	"reflect"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// Work is done in the user's functions; whatever they do, its claim is reported, so the library's counts stay right.

var errEnded = errors.New("the function did not return")

// What became of an open or a check.
type outcome[C any] struct {
	conn     C
	err      error
	panicked *PanicError
	ended    bool // the function returned
	failure  bool // it failed
	lease    int64
	failed   error  // of open
	message  string // what the library says of that
	next     step   // the open failed, but the get has a ticket to wait with
}

// Why a get is over that leaves its work behind.
func unfinished(next step) string {
	if next.work == workOpen {
		return "no connection in time: open has not returned"
	}
	return "no connection in time: check has not returned"
}

// An open or check that somebody waits for, unless he has left.
type job struct {
	settled atomic.Bool // one of the two has decided: it is delivered, or he has left
	done    chan struct{}
}

// Opens or checks on behalf of a get.  That may take longer than the get may, so it runs in a goroutine of its own.
func (p *Pool[C]) perform(ctx context.Context, next step) (*outcome[C], error) {
	work := &job{done: make(chan struct{})}
	result := new(outcome[C])
	go p.run(ctx, next, work, result)
	select {
	case <-work.done:
	case <-ctx.Done():
		if work.settled.CompareAndSwap(false, true) {
			return new(outcome[C]), p.late(ctx.Err(), nil, unfinished(next))
		}
		<-work.done
	}
	if result.panicked != nil {
		p.giveBack(result)
		panic(result.panicked)
	}
	if err := ctx.Err(); err != nil && result.failed != nil && result.err != nil {
		result.err = p.late(err, result.failed, result.message)
	}
	return result, result.err
}

func (p *Pool[C]) run(ctx context.Context, next step, work *job, result *outcome[C]) {
	defer p.tendAfter(result) // not before the get goes on, which may have been told of something meanwhile
	defer p.deliver(work, result)
	defer p.report(ctx, next, result)
	defer result.catch()
	if next.work == workOpen {
		if result.conn, result.err = p.open(ctx); result.err == nil && isNil(result.conn) {
			result.err = errors.New("open returned no connection")
		}
	} else {
		result.err = p.checkInTime(ctx, p.table.at(int64(next.claim)).conn)
	}
	result.ended = true
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

func (p *Pool[C]) report(ctx context.Context, next step, result *outcome[C]) {
	defer func() { // a panic of close, which runs if nobody wants the connection any more
		if value := recover(); value != nil {
			result.panicked = &PanicError{Value: value, Stack: debug.Stack()}
		}
	}()
	failure := result.err
	opens := next.work == workOpen
	if opens && failure == nil {
		p.table.make(int64(next.claim), p).fill(result.conn)
	}
	if opens && failure != nil {
		p.cause.Store(&failure)
		p.lastCause.Store(&failure)
		result.failed = failure
	} else if opens {
		p.cause.Store(nil)
	}
	result.err = nil // after a failed check the get goes on
	after := p.acknowledge(p.outcome(ctx, next, failure))
	switch {
	case after.result > 0:
		result.lease = int64(after.result)
	case after.ticket != 0 && p.failsFast:
		result.lease = p.leave(int64(after.ticket))
		if result.lease == 0 {
			result.err = &Error{Kind: ErrOpen, Err: failure}
		}
	case after.ticket != 0:
		result.next.ticket, result.next.look_again = after.ticket, after.look_again
	case result.failed != nil:
		result.err = &Error{Kind: ErrOpen, Message: after.message, Err: failure}
	case failure == nil:
		result.err = p.failureIf(after)
	}
	result.message = after.message
	result.failure = failure != nil
	p.finish(after)
}

// After a failure something may be due: to try again, or to close the connections that were suspect as well.
func (p *Pool[C]) tendAfter(result *outcome[C]) {
	if !result.failure || p.filling {
		return
	}
	defer p.shield()
	p.tend()
}

// Tells the library.  What an error says of itself is the user's code, too.
func (p *Pool[C]) outcome(ctx context.Context, next step, failure error) (after step) {
	if failure == nil {
		return succeeded(int64(next.claim))
	}
	impatient, message := false, ""
	defer func() {
		_ = recover()
		after = failed(int64(next.claim), impatient, message)
	}()
	impatient = ctx.Err() != nil && errors.Is(failure, ctx.Err())
	message = failure.Error()
	return
}

func (p *Pool[C]) acknowledge(after step) step {
	p.tell(after)
	if p.closed.Load() {
		p.noteDrained()
	}
	return after
}

// Hands the outcome to the get, or if that has left, the connection to the next.
func (p *Pool[C]) deliver(work *job, result *outcome[C]) {
	if work.settled.CompareAndSwap(false, true) {
		close(work.done)
		return
	}
	p.giveBack(result)
}

// Nobody goes on with what has come.
func (p *Pool[C]) giveBack(result *outcome[C]) {
	if result.next.ticket != 0 {
		next := cancel(int64(result.next.ticket))
		p.settle(next)
		p.putBack(max(int64(next.result), 0))
	}
	p.putBack(result.lease)
}

func (p *Pool[C]) putBack(lease int64) {
	if lease == 0 {
		return
	}
	defer p.shield()
	p.settle(end(lease))
}

// Where nobody is there to be told of a panic in close: it is counted as a close that failed.
func (p *Pool[C]) shield() {
	_ = recover()
}

// ---- closing and resetting ----

// Closes or resets what a step asks to, and what that leads to.
func (p *Pool[C]) finish(next step) {
	for next.work == workClose || next.work == workReset {
		if p.closesBehind && next.work == workClose {
			go p.closeBehind(next)
			return
		}
		next = p.finishOne(next)
	}
}

func (p *Pool[C]) closeBehind(next step) {
	defer p.shield()
	p.finish(p.finishOne(next))
}

func (p *Pool[C]) finishOne(next step) (after step) {
	place := p.table.at(int64(next.claim))
	conn, function := place.conn, p.reset
	if next.work == workClose {
		var none C
		place.conn, function = none, p.close
	}
	failure, ended := errEnded, false
	defer func() {
		after = p.acknowledge(p.outcome(context.Background(), next, failure))
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
	next := endUnusable(lease)
	p.settle(next)
	return p.failureIf(next)
}

// The others are under suspicion, and those that are idle are checked.
func (p *Pool[C]) discardBroken(lease int64) error {
	defer p.tend()
	next := endBroken(lease)
	p.settle(next)
	return p.failureIf(next)
}

// ---- telling, and what nobody asked for ----

func (p *Pool[C]) tell(next step) {
	if next.wake != 0 {
		p.queue.tell(int64(next.wake))
	}
	if next.more != 0 && !p.filling {
		p.keeper.ask(p.keep)
	}
}

func (p *Pool[C]) settle(next step) {
	p.tell(next)
	p.finish(next)
}

// Does what waits for anybody to do it, and sees to it that what is due later is done then.
func (p *Pool[C]) tend() {
	p.keeper.set(p.tidy(), p.keep)
}

// Returns when the next thing is due.  Does the rest also if one of the user's functions does not return.
func (p *Pool[C]) tidy() time.Duration {
	ended := false
	defer func() {
		if !ended {
			p.tend()
		}
	}()
	next := following(p.handle)
	for ; next.result == 1; next = following(p.handle) {
		if next.wake != 0 {
			p.queue.tell(int64(next.wake))
		}
		p.begin(next)
	}
	if next.more != 0 {
		p.listeners.ask(p.handle)
	}
	ended = true
	return time.Duration(next.due)
}

// What may take long has a goroutine of its own.
func (p *Pool[C]) begin(next step) {
	switch next.work {
	case workClose:
		p.finish(next)
	case workReset:
		go func() {
			defer p.shield()
			p.finish(next)
		}()
	case workOpen, workCheck:
		go p.runAlone(next)
	}
}

func (p *Pool[C]) runAlone(next step) {
	defer p.shield()
	ctx, cancel := p.limited(context.Background())
	defer cancel()
	work := new(job)
	work.settled.Store(true) // nobody waits
	p.run(ctx, next, work, new(outcome[C]))
}

// One round of the keeper.
func (p *Pool[C]) keep() {
	due := p.tidy()
	if due == 0 {
		p.handle.maintain()
		due = p.tidy()
	}
	p.keeper.set(max(due, leastTick), p.keep)
}
