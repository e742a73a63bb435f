// SPDX-License-Identifier: MIT

// Package pool keeps connections open and lends them to goroutines.
//
// It is the C library libpool: the library decides which get has which connection and in which order, Go opens, closes and
// uses them.  No C code ever calls Go, and no thread is blocked by a goroutine that waits.
//
//	clients, err := pool.New(pool.Config{MaxOpen: 3}, open, pool.WithClose((*rpc.Client).Close),
//		pool.WithLog[*rpc.Client](say)) // of failed opens, leaks, ...
//
// Here open is a function that connects and returns a *rpc.Client.  A function that uses one of them:
//
//	lease, err := clients.Get(ctx)
//	if err != nil {
//		return err
//	}
//	defer lease.Release() // or lease.Discard(), if the connection is broken
//	return lease.Conn().Call("Arith.Mul", Factors{7, 8}, product)
package pool

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Pool lends connections of one kind.  All its methods may be called by any goroutine at any time.
type Pool[C any] struct {
	handle *handle
	open   func(context.Context) (C, error)
	close  func(C) error
	check  func(context.Context, C) error
	reset  func(C) error
	listeners
	duties
	limits
	around    *around[C] // nil: nothing is
	table     table[C]
	view      view
	queue     queue
	unseen    unseen
	underway  *opens
	openings  sync.Pool // for openAlone
	keeper    keeper
	bell      bell
	allowed   chan struct{}         // while New opens the first connections: the budget may allow another
	filling   atomic.Bool           // New opens the first connections, and whatever else there is to do can wait
	cause     atomic.Pointer[error] // of the last failed open, if none has succeeded since
	lastCause atomic.Pointer[error] // of the last failed open: a get that was refused because of it may end after another succeeded
	closed    atomic.Bool
	emptied   sync.Once
	drained   chan struct{}

	tracksUse, failsFast, closesBehind bool // as in Config

	keyed bool // it is of a Group, which listens for all of its pools

	marks bool // each lease is marked at its place, for something is to be done before the library knows that it has ended
}

// Option is a function that a pool calls for its connections, beside the one that opens them.
type Option[C any] func(*Pool[C])

// WithClose says how a connection is closed.  Its error is counted in Stats.CloseFailures; the connection is gone
// anyway.
func WithClose[C any](close func(conn C) error) Option[C] {
	return func(p *Pool[C]) { p.close = close }
}

// WithCheck says how to find out whether a connection is still good; it is needed for Config.CheckAfter and
// Config.Keepalive.
func WithCheck[C any](check func(ctx context.Context, conn C) error) Option[C] {
	return func(p *Pool[C]) { p.check = check }
}

// WithReset says how a connection is made clean for its next user; Release calls it, and if it fails the connection is
// closed.  With the setting background_reset it runs in a goroutine of its own.
func WithReset[C any](reset func(conn C) error) Option[C] {
	return func(p *Pool[C]) { p.reset = reset }
}

// New makes a pool and opens its first Config.Initial connections, side by side; if one of them fails, the others are closed
// and New fails.  With Config.Budget it waits until that allows them; if the ledger of the budget cannot be reached, they
// are opened once it can.  The context that open gets has the values of the Get that began the open, and lives as long as the
// connection: it is cancelled after that was closed, or when the open is given up because Config.OpenTimeout is over or
// the pool is closed.  A Get that leaves does not end the open; the connection is kept for the next.
func New[C any](config Config, open func(context.Context) (C, error), options ...Option[C]) (*Pool[C], error) {
	p, settings, err := prepare(config, open, options)
	if err != nil {
		return nil, err
	}
	defer settings.free()
	if p.handle, err = newHandle(settings, p.abilities(), config.Name); err != nil {
		return nil, err
	}
	p.equip(settings, config.OpenTimeout)
	if err := p.fill(p.initial); err != nil {
		return nil, unnamed(err)
	}
	p.tend()
	return p, nil
}

// A pool that the library does not know yet, and its settings, which the caller frees.
func prepare[C any](config Config, open func(context.Context) (C, error), options []Option[C]) (*Pool[C], *settings, error) {
	p := &Pool[C]{open: open, drained: make(chan struct{}), allowed: make(chan struct{}, 1),
		tracksUse: config.TrackUse, failsFast: config.FailFast, closesBehind: config.CloseBehind}
	for _, option := range options {
		if option == nil {
			return nil, nil, &Error{Kind: ErrInvalid, Message: "an option is nil"}
		}
		option(p)
	}
	if open == nil {
		return nil, nil, &Error{Kind: ErrInvalid, Message: "open is nil"}
	}
	settings := config.settings()
	p.listeners.choose(settings)
	p.surround(config.Tracer, settings)
	if settings.err != nil {
		settings.free()
		return nil, nil, settings.err
	}
	return p, settings, nil
}

// What follows once the library knows it.
func (p *Pool[C]) equip(settings *settings, openTimeout time.Duration) {
	p.handle.forget = forget
	p.marks = !p.view.read(p.handle) || p.around != nil || p.tracksUse
	p.duties = settings.duties()
	p.view.turns.begin(&p.view, p.fairness)
	p.queue.begins = &p.view.turns.anew
	p.limits.read(settings)
	p.limitOpens(openTimeout)
	p.underway = newOpens(p.duties.opens)
}

// What this pool does for the library.
func (p *Pool[C]) abilities() int {
	abilities := p.listeners.abilities() | joinsStep | handsStep
	if p.check != nil {
		abilities |= checksStep
	}
	if p.reset != nil {
		abilities |= resetsStep
	}
	return abilities
}

// Opens the first connections, side by side, or none: then the pool is closed.
func (p *Pool[C]) fill(count int) error {
	p.filling.Store(true)
	p.listen()
	ctx, cancel := p.limited(context.Background())
	defer cancel()
	defer func() {
		if !p.filling.Load() {
			return
		}
		soon, cancel := context.WithTimeout(ctx, courtesy) // if the time is over, something hangs
		defer cancel()
		_ = p.Close(soon)
	}()
	if err := p.openFirst(ctx, count); err != nil {
		return err
	}
	p.filling.Store(false)
	return nil
}

func (p *Pool[C]) openFirst(ctx context.Context, count int) error {
	opened := make(chan *outcome[C], count)
	for begun, ended := 0, 0; ended < count; {
		begun += p.beginFirst(opened, count-begun, begun-ended)
		if begun == ended && !p.shares {
			return &Error{Kind: ErrNoMemory}
		}
		if begun == ended && p.handle.stats().BudgetCutOff != 0 {
			return nil // nobody knows when it will be allowed
		}
		select {
		case <-p.allowed:
		case result := <-opened:
			ended++
			if result.panicked != nil {
				panic(result.panicked)
			}
			if result.err != nil {
				return result.err
			}
		case <-ctx.Done():
			return p.late(ctx, nil, lacking(begun, ended, count))
		}
	}
	return nil
}

// Begins as many opens as may be under way, and says how many.
func (p *Pool[C]) beginFirst(opened chan<- *outcome[C], count, underway int) (begun int) {
	for begun < count && (p.opening == 0 || underway+begun < p.opening) {
		next := following(p.handle)
		switch next.work {
		case workOpen:
			begun++
			go p.openInto(opened, next)
		case workNone:
			return
		default: // the budget allows less than before
			p.begin(next, nil)
		}
	}
	return
}

// Why New is over.
func lacking(begun, ended, count int) string {
	if begun > ended {
		return unfinished(step{told: told{work: workOpen}})
	}
	return fmt.Sprintf("the budget has no permit for initial connection %d of %d", begun+1, count)
}

func (p *Pool[C]) openInto(opened chan<- *outcome[C], next step) {
	result := new(outcome[C])
	defer func() { opened <- result }()
	p.run(context.Background(), next.task(), result, nil)
}

// Ends a context at the latest when a get would end that begins now.
func (p *Pool[C]) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return limit(ctx, p.timeout)
}

// Get lends a connection: an idle one, else what comes first, one that is released or a new one, which it begins to open if
// the caps allow.  It ends with ErrTimeout at the context's deadline or after Config.GetTimeout, whichever comes first, and
// with ErrCancelled if the context is cancelled.  The error that the context gives is behind them.
//
// If open fails while another connection may still come, Get waits for that, and opens again from time to time; open's
// last error is then behind ErrTimeout, too.  If none may come, it ends with ErrOpen and open's error at once.
//
// A panic in open or check reaches the caller as a *PanicError.
func (p *Pool[C]) Get(ctx context.Context) (Lease[C], error) {
	if p.around != nil {
		return p.getAround(ctx, true)
	}
	return p.get(ctx, true)
}

// TryGet is a Get that does not wait for others: an idle connection is lent, or a new one opened if the caps allow; else
// the error is ErrTimeout.  The context is for the opening.
func (p *Pool[C]) TryGet(ctx context.Context) (Lease[C], error) {
	if p.around != nil {
		return p.getAround(ctx, false)
	}
	return p.get(ctx, false)
}

func (p *Pool[C]) get(ctx context.Context, wait bool) (Lease[C], error) {
	if ctx == nil {
		return Lease[C]{}, &Error{Kind: ErrInvalid, Message: "ctx is nil"}
	}
	most := p.most(ctx, wait)
	if ctx.Err() != nil || (most == expired && isUnkept(ctx)) {
		return Lease[C]{}, p.tooLate(ctx)
	}
	home := p.view.home()
	lease, asks := p.view.take(home)
	if lease != 0 && !asks {
		return p.lend(lease), nil
	}
	unknown := p.queue.unknown.Load()
	next := p.first(orNow(most), lease)
	if next.result > 0 && next.wake == 0 && next.given_to == 0 && next.more == 0 {
		p.view.expect(home, int64(next.result))
		return p.lend(int64(next.result)), nil
	}
	return p.getPatiently(ctx, next, wait, unknown)
}

// The first call of a get, which may have a lease already.
func (p *Pool[C]) first(most int64, lease int64) step {
	if lease != 0 {
		return taken(p.handle, most, lease)
	}
	return begin(p.handle, most, 0)
}

// How many milliseconds a get may take from now on; the clock is read only where the context has a deadline.
func (p *Pool[C]) most(ctx context.Context, wait bool) int64 {
	if !wait {
		return 0
	}
	if left := milliseconds(ctx); left != unlimited && (p.limit < 0 || left < p.limit) {
		return left
	}
	return p.limit
}

func (p *Pool[C]) lend(lease int64) Lease[C] {
	place := p.table.at(lease)
	if p.marks || detectsRaces {
		place.lease.Swap(lease) // a swap, for the race detector sees by it what came before (pass)
	}
	return Lease[C]{place: place, number: lease, conn: place.conn}
}

// A get that finds no idle connection at once.
func (p *Pool[C]) getPatiently(ctx context.Context, next step, wait bool, unknown int64) (Lease[C], error) {
	if p.shouldListen() && p.bell.isDeaf() {
		p.listen()
	}
	most := p.patience(ctx)
	var failed error // of the last open
	for {
		p.tell(&next)
		switch {
		case next.result > 0:
			return p.lend(int64(next.result)), nil
		case next.result < 0:
			p.begin(next, nil)
			return Lease[C]{}, p.ended(most, wait, next, failed)
		case next.ticket != 0:
			return p.queued(most, next, unknown, nil)
		case next.work == workOpen && wait: // nobody else waits
			if lease, is, err := p.openAlone(most, next); is {
				return lease, err
			}
		case next.work == workOpen || next.work == workCheck:
			done, err := p.performFor(ctx, next)
			if done.left {
				p.unseen.count(err.(*Error))
			}
			if done.lease != 0 || err != nil {
				return p.lendIf(done.lease), err
			}
			failed = done.failed
		default:
			p.begin(next, nil)
		}
		if most.isOver() {
			return Lease[C]{}, p.unseen.count(p.late(ctx, failed, ""))
		}
		most.began, unknown = moment(), p.queue.unknown.Load()
		next = begin(p.handle, orNow(p.most(ctx, wait)), 0)
	}
}

func (p *Pool[C]) performFor(caller context.Context, next step) (*outcome[C], error) {
	ctx, cancel := p.limited(caller)
	defer cancel()
	return p.perform(ctx, caller, next)
}

// A get that has a place in the queue.  It waits there for what comes first, also while a connection is opened or checked
// for it: what comes of that goes to the first in the queue.
func (p *Pool[C]) queued(most patience, next step, unknown int64, work *errand) (Lease[C], error) {
	ticket := int64(next.ticket)
	mine, certain := p.queue.enter(ticket, unknown, most.until)
	defer p.queue.leave(ticket, mine)
	work = p.send(most.ctx, work, ticket, next)
	for next.ticket != 0 {
		if next.work == workClose || !certain { // an idle one was in the way
			next, certain = p.resume(work, ticket, mine), true
		} else {
			next = p.await(most, work, next, mine)
		}
		p.tell(&next)
		p.passOn(work, ticket, next, mine)
		if next.ticket != 0 {
			work = p.send(most.ctx, work, ticket, next)
		}
	}
	if next.result > 0 {
		p.view.expect(p.view.home(), int64(next.result))
		return p.lend(int64(next.result)), nil
	}
	p.begin(next, nil)
	return Lease[C]{}, p.ended(most, true, next, work.failure())
}

// Waits until there is a lease, or a reason to look.
func (p *Pool[C]) await(most patience, work *errand, now step, mine *waiter) (next step) {
	ticket := int64(now.ticket)
	at := most.lookAt(int64(now.look_again))
	p.queue.lookAt(mine, at)
	lease, came := mine.wait(most, at)
	switch came {
	case isGiven:
		return leased(lease)
	case isOver:
		return mine.last(cancel(ticket)) // a lease, if one came at this moment
	}
	next = p.resume(work, ticket, mine)
	if came == isTold {
		p.queue.hot.Store(next.ticket != 0 && next.work == workNone)
	}
	return
}

// Goes on with a get that has a ticket, unless what it began has failed and that is its end.
func (p *Pool[C]) resume(work *errand, ticket int64, mine *waiter) step {
	if p.failsFast && work.failure() != nil {
		return mine.last(cancel(ticket))
	}
	return mine.last(begin(p.handle, -1, ticket))
}

// Has the work of a step done.
func (p *Pool[C]) send(caller context.Context, work *errand, ticket int64, next step) *errand {
	if next.work != workOpen && next.work != workCheck {
		p.begin(next, nil)
		return work
	}
	if work == nil {
		work = &errand{queue: &p.queue}
		work.ticket.Store(ticket)
	} else {
		work.shared = true
	}
	go p.runFor(caller, next, work)
	return work
}

// Panics if what was done for this get has, and leaves nothing behind.
func (p *Pool[C]) passOn(work *errand, ticket int64, next step, mine *waiter) {
	if work == nil || work.panicked.Load() == nil {
		return
	}
	p.begin(next, nil)
	if next.ticket != 0 {
		next = mine.last(cancel(ticket))
		p.tell(&next)
	}
	p.unseen.failed(next) // FailFast has given up its place already
	p.putBack(max(int64(next.result), 0))
	panic(work.panicked.Load())
}

func (p *Pool[C]) lendIf(lease int64) Lease[C] {
	if lease == 0 {
		return Lease[C]{}
	}
	return p.lend(lease)
}

// Why a get is over that got nothing.
func (p *Pool[C]) ended(most patience, wait bool, last step, failed error) error {
	switch {
	case last.result == timeoutCode && wait:
		most.wait()
		return p.counted(most.ctx, failed, last)
	case last.result == timeoutCode:
		return p.handle.wouldWait()
	case last.result == cancelledCode && !most.isOver():
		p.unseen.failed(last)
		return &Error{Kind: ErrOpen, Err: failed, Pool: p.handle.name()}
	case last.result == cancelledCode:
		return p.counted(most.ctx, failed, last)
	case last.result == openCode && failed != nil:
		return &Error{Kind: ErrOpen, Message: last.message, Err: failed, Pool: p.handle.name()}
	}
	return p.failure(last)
}

// The context or the pool's limit ended a get; why no connection could be opened is behind that, too.
func (p *Pool[C]) late(ctx context.Context, failed error, message string) *Error {
	if cause := p.cause.Load(); failed == nil && cause != nil {
		failed = *cause
	}
	ended := overOrLate(ctx, p.timeout).in(p.handle, message)
	if failed != nil {
		ended.Err = &lateError{over: ended.Err, open: failed}
	}
	return ended
}

// The same of a get that the library has counted.
func (p *Pool[C]) counted(ctx context.Context, failed error, last step) *Error {
	counted := kinds[int64(last.result)]
	return p.unseen.recount(p.late(ctx, failed, last.message).insteadOf(counted), counted)
}

// Close closes the pool: nobody gets a connection any more, and waiters get ErrClosed.  Idle connections are closed
// now, side by side, and others when they are released.  Opens that are under way are given up.  Then it waits until the last
// one is closed or the context ends; the error says how many are still out.  If the context has ended before, it waits a tenth
// of a second at most for the closes of idle connections.  Close may be called again, also to go on waiting.
func (p *Pool[C]) Close(ctx context.Context) error {
	if ctx == nil {
		return &Error{Kind: ErrInvalid, Message: "ctx is nil"}
	}
	ctx, cancel := limit(ctx, 0)
	defer cancel()
	p.closed.Store(true)
	p.handle.close()
	p.underway.giveUp()
	p.keeper.stop()
	p.bell.end()
	late, closes := ctx.Err() != nil, newBatch()
	p.tidy(closes)
	if late {
		closes.wait(promptness)
	}
	if p.noteDrained() == 0 {
		return nil
	}
	select {
	case <-p.drained:
		return nil
	case <-ctx.Done():
	}
	if open := p.noteDrained(); open > 0 {
		return stillOpen(ctx, p.handle, open)
	}
	return nil
}

// How many connections of a closed pool are still open; 0 lets every Close end.
func (p *Pool[C]) noteDrained() int {
	open := p.handle.close()
	if open == 0 {
		p.emptied.Do(func() { close(p.drained) })
	}
	return open
}

// Len is how many connections are idle; 0 after Close.
func (p *Pool[C]) Len() int {
	return p.handle.len()
}
