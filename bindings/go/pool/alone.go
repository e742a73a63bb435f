// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"sync/atomic"
)

// A get that opens where nobody queues has no place in the queue at first, for an open that is quick has ended before one is
// needed.  If it takes long, or the get's context ends, the get joins the queue to take what comes first.

// An open that began so.  It serves again when both its get and the goroutine that opens have left it.
type opening[C any] struct {
	outcome[C]
	errand
	pool   *Pool[C]
	values context.Context
	claim  int64
	start  func()       // its run
	left   atomic.Int32 // by one of the two
}

func (p *Pool[C]) newOpening(most patience, claim int64) *opening[C] {
	o, _ := p.openings.Get().(*opening[C])
	if o == nil {
		o = &opening[C]{pool: p, errand: errand{queue: &p.queue, bell: make(chan struct{}, 1)}}
		o.start = o.run
	}
	o.values, o.began, o.claim = most.ctx, most.began, claim
	return o
}

// Deferred, for the second that leaves nobody else knows it.
func (o *opening[C]) leave() {
	if o.left.Add(1) == 2 && !o.shared {
		o.clear()
		o.pool.openings.Put(o)
	}
}

// As it was made, so that it keeps nothing.
func (o *opening[C]) clear() {
	o.outcome, o.values, o.claim = outcome[C]{}, nil, 0
	o.errand.clear()
	o.left.Store(0)
}

// False: nothing came of it, and the get begins anew.
func (p *Pool[C]) openAlone(most patience, next step) (Lease[C], bool, error) {
	o := p.newOpening(most, int64(next.claim))
	defer o.leave()
	go o.start()
	o.await(most.ctx.Done())
	if !o.reported.Load() {
		if joined := join(o.claim); joined.result != staleCode {
			return p.joined(most, joined, &o.errand)
		}
		for !o.reported.Load() { // the library has the report, so the outcome is about to be there
			<-o.bell
		}
	}
	return p.openedAlone(most, o)
}

// Until the outcome is there, the open takes long, or the context ends.
func (o *opening[C]) await(over <-chan struct{}) {
	if over == nil {
		<-o.bell // costs less than to select
		return
	}
	select {
	case <-o.bell:
	case <-over:
	}
}

func (o *opening[C]) run() {
	defer o.leave()
	defer o.pool.tendAfter(&o.outcome)
	defer func() { o.tellEnd(o.pool.failsFast) }()
	o.pool.run(o.values, task{workOpen, o.claim}, &o.outcome, &o.errand)
}

// What became of an open before its get joined the queue.
func (p *Pool[C]) openedAlone(most patience, o *opening[C]) (lease Lease[C], is bool, err error) {
	next := step{told: ticketOf(o.outcome.ticket)}
	switch {
	case o.outcome.panicked != nil:
		p.putBack(o.lease)
		p.leave(o.outcome.ticket)
		panic(o.outcome.panicked)
	case o.lease != 0:
		return p.lend(o.lease), true, nil
	case next.ticket != 0:
		return p.joined(most, next, &o.errand)
	}
	return lease, o.err != nil, o.err
}

// Somebody may have been told of a ticket before it was known here.
const uncertain = -1

// Goes on in the queue.
func (p *Pool[C]) joined(most patience, next step, work *errand) (lease Lease[C], is bool, err error) {
	if next.result < 0 {
		return lease, true, p.ended(most, true, next, work.failure())
	}
	work.ticket.Store(int64(next.ticket))
	lease, err = p.queued(most, next, uncertain, work)
	return lease, true, err
}

// Gives up a place in the queue, and what came at this moment.
func (p *Pool[C]) leave(ticket int64) {
	if ticket == 0 {
		return
	}
	mine, _ := p.queue.enter(ticket, uncertain, 0)
	defer p.queue.leave(ticket, mine)
	last := mine.last(cancel(ticket))
	p.unseen.failed(last)
	p.tell(&last)
	p.putBack(max(int64(last.result), 0))
}
