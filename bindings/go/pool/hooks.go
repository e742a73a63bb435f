// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"fmt"
)

// Hooks are functions that a pool calls at the turning points of a connection; each may be nil.
type Hooks[C any] struct {
	// Opened gets each connection that open has made, and open's context.  Its error closes the connection, and the open
	// has failed with that.
	Opened func(ctx context.Context, conn C) error

	// BeforeLend gets each connection that is about to be lent, in the goroutine and with the context of the Get; it is
	// part of its time.  true: it is lent.  false: it is closed, and Get takes another.  With an error Get ends, and
	// returns it as it is; then true means that the connection is good and can be put back.
	BeforeLend func(ctx context.Context, conn C) (bool, error)

	// AfterRelease gets each connection that is released, before its next user; false: it is closed.  Connections that
	// are discarded do not come here.
	AfterRelease func(conn C) bool

	// Closing gets each connection that is about to be closed, for whatever reason.
	Closing func(conn C)
}

// WithHooks names functions that the pool calls when a connection is opened, lent, released and closed.  Whatever they do,
// panic and runtime.Goexit included, no connection is lost: one whose hook did not return is closed.
func WithHooks[C any](hooks Hooks[C]) Option[C] {
	return func(p *Pool[C]) { p.arounds().hooks = hooks }
}

// What is done around gets, releases, opens and closes.
type around[C any] struct {
	hooks   Hooks[C]
	tracers tracers
	places  bool // it is noted where each connection was got
	open    func(context.Context) (C, error)
	close   func(C) error
}

func (p *Pool[C]) arounds() *around[C] {
	if p.around == nil {
		p.around = new(around[C])
	}
	return p.around
}

// Puts what is to be done around opens and closes between the pool and the program's functions.
func (p *Pool[C]) wrap() {
	a := p.around
	if a == nil {
		return
	}
	a.open, a.close = p.open, p.close
	if a.hooks.Opened != nil || a.tracers.open != nil {
		p.open = p.openAround
	}
	if a.hooks.Closing != nil || a.tracers.close != nil {
		p.close = p.closeAround
	}
}

// Begins with what the config says of it.
func (p *Pool[C]) surround(tracer any, s *settings) {
	if tracer != nil {
		p.arounds().tracers = s.tracers(tracer)
	}
	if s.notesPlaces() {
		p.arounds().places = true
	}
	p.wrap()
}

// Where leaks are looked for it is worth while to know where leases were got.
func (s *settings) notesPlaces() bool { return limited(s.GetLeak_after_ms()) > 0 }

func (p *Pool[C]) getAround(ctx context.Context, wait bool) (lease Lease[C], err error) {
	if ctx == nil {
		return p.get(ctx, wait)
	}
	ctx = p.around.tracers.acquireStart(ctx, p)
	err = errEnded // unless it returns
	defer func() { p.acquired(ctx, lease, err) }()
	lease, err = p.getApproved(ctx, wait)
	return
}

// A connection that was lent is not lost if a tracer panics, because nobody else has the lease yet.
func (p *Pool[C]) acquired(ctx context.Context, lease Lease[C], err error) {
	kept := err != nil
	defer func() {
		if !kept {
			lease.discardBehind(nil)
		}
	}()
	if err == nil && p.around.places {
		lease.place.note(lease.number)
	}
	p.around.tracers.acquireEnd(ctx, p, lease.number, lease.conn, err)
	kept = true
}

// Takes another connection for each that the hook refuses: those that are open, and one that is new.
func (p *Pool[C]) getApproved(ctx context.Context, wait bool) (Lease[C], error) {
	if p.around.hooks.BeforeLend == nil {
		return p.get(ctx, wait)
	}
	ctx, cancel := p.limited(ctx)
	defer cancel()
	for refused, most := 1, 0; ; refused++ {
		lease, err := p.get(ctx, wait)
		if err != nil {
			return lease, err
		}
		var closes *batch
		if !wait { // it needs the place of the one that is refused
			closes = newBatch()
		}
		if good, err := p.approve(ctx, lease, closes); good || err != nil {
			return lease.orNone(err), err
		}
		if closes.waitWithin(ctx); most == 0 {
			stats := p.handle.stats()
			most = int(stats.Idle+stats.Leased+stats.Opening) + 2 // the one that was refused, and one that is new
		}
		if refused >= most {
			return Lease[C]{}, p.allRefused(refused)
		}
	}
}

func (l Lease[C]) orNone(err error) Lease[C] {
	if err != nil {
		return Lease[C]{}
	}
	return l
}

func (p *Pool[C]) allRefused(count int) error {
	return &Error{Kind: ErrOpen, Pool: p.handle.name(),
		Message: fmt.Sprintf("the hook BeforeLend refused %d connections", count)}
}

// Asks the hook, and ends the lease unless it may be lent.
func (p *Pool[C]) approve(ctx context.Context, lease Lease[C], closes *batch) (good bool, err error) {
	end := lease.discardBehind
	defer func() {
		if end != nil {
			end(closes)
		}
	}()
	good, err = p.around.hooks.BeforeLend(ctx, lease.conn)
	if good && err != nil {
		end = lease.releaseBehind
	} else if good {
		end = nil
	}
	return
}

// Ends a lease that its get does not return.  The get has a deadline, so it does not wait for close or reset.
func (l Lease[C]) discardBehind(closes *batch) {
	if p := l.place.pool; l.take() {
		p.ending(l, true)
		p.settleBehind(p.unusable(l.number), closes)
	}
}

func (l Lease[C]) releaseBehind(closes *batch) {
	p := l.place.pool
	if !l.take() {
		return
	}
	if !p.approveRelease(l) {
		p.settleBehind(p.unusable(l.number), closes)
		return
	}
	l.place.pass()
	p.settleBehind(end(l.number), closes)
	p.underway.rouse()
}

// Says whether a connection is good for the next user, whose lease has just ended.
func (p *Pool[C]) approveRelease(lease Lease[C]) (good bool) {
	ended := false
	defer func() {
		if !ended {
			p.settleBehind(p.unusable(lease.number), nil)
		}
	}()
	good = p.around.hooks.AfterRelease == nil || p.around.hooks.AfterRelease(lease.conn)
	p.around.tracers.release(p, lease.number, lease.conn, !good)
	ended = true
	return
}

// Tells of a lease that has just ended without asking the hook.
func (p *Pool[C]) ending(lease Lease[C], discarded bool) {
	ended := false
	defer func() {
		if !ended {
			p.settleBehind(p.unusable(lease.number), nil)
		}
	}()
	p.around.tracers.release(p, lease.number, lease.conn, discarded)
	ended = true
}

// Opens a connection, tells of it, and asks the hook.
func (p *Pool[C]) openAround(ctx context.Context) (conn C, err error) {
	ctx = p.around.tracers.openStart(ctx, p)
	err = errEnded // unless it returns
	defer func() { p.openEnded(ctx, conn, err) }()
	if conn, err = p.around.open(ctx); err != nil || isNil(conn) || p.around.hooks.Opened == nil {
		return
	}
	made := conn
	var none C
	conn, err = none, errEnded
	defer func() {
		if err != nil {
			p.drop(made)
		}
	}()
	if err = p.around.hooks.Opened(ctx, made); err == nil {
		conn = made
	}
	return
}

// A connection that was opened is not lost if a tracer does not return, because the pool does not have it yet.
func (p *Pool[C]) openEnded(ctx context.Context, conn C, err error) {
	kept := err != nil || isNil(conn)
	defer func() {
		if !kept {
			p.drop(conn)
		}
	}()
	p.around.tracers.openEnd(ctx, p, conn, err)
	kept = true
}

// Closes a connection, whatever the hook does, and tells of it.
func (p *Pool[C]) closeAround(conn C) (err error) {
	err = errEnded // unless it returns
	defer func() { p.around.tracers.closed(p, conn, err) }()
	defer func() { err = callIf(p.around.close, conn) }()
	if p.around.hooks.Closing != nil {
		p.around.hooks.Closing(conn)
	}
	return nil
}
