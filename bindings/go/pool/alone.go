// SPDX-License-Identifier: MIT

package pool

import "context"

// A get that opens where nobody queues has no place in the queue at first, for an open that is quick has ended before one is
// needed.  If it takes long, or the get's context ends, the get joins the queue to take what comes first.

// An open that began so.
type opening[C any] struct {
	outcome[C]
	errand
}

func opensAlone(next step, wait bool) bool {
	return wait && next.work == workOpen && next.ticket == 0 && next.result == 0
}

func (p *Pool[C]) openAlone(caller context.Context, next step) (Lease[C], error) {
	p.tell(next)
	o := &opening[C]{errand: errand{queue: &p.queue, bell: p.underway.lendBell()}}
	go p.runAlongside(caller, next, o)
	select {
	case <-o.bell:
	case <-caller.Done():
	}
	if !o.reported.Load() {
		joined := join(int64(next.claim))
		if joined.result != staleCode {
			return p.joined(caller, joined, &o.errand)
		}
		for !o.reported.Load() { // the library has the report, so the outcome is about to be there
			<-o.bell
		}
	}
	p.underway.keepBell(o.bell)
	return p.openedAlone(caller, o)
}

func (p *Pool[C]) runAlongside(values context.Context, next step, o *opening[C]) {
	defer p.tendAfter(&o.outcome)
	defer func() { o.tellEnd(p.failsFast) }()
	p.run(values, next, &o.outcome, &o.errand)
}

// What became of an open before its get joined the queue.
func (p *Pool[C]) openedAlone(caller context.Context, o *opening[C]) (Lease[C], error) {
	next := step{told: ticketOf(o.outcome.ticket)}
	switch {
	case o.outcome.panicked != nil:
		p.putBack(o.lease)
		p.leave(o.outcome.ticket)
		panic(o.outcome.panicked)
	case o.lease != 0:
		return p.lend(o.lease), nil
	case next.ticket != 0:
		return p.joined(caller, next, &o.errand)
	case o.err != nil:
		return Lease[C]{}, o.err
	}
	return p.getPatiently(caller, begin(p.handle, orNow(p.most(caller, true)), 0), true)
}

// Goes on in the queue.
func (p *Pool[C]) joined(caller context.Context, next step, work *errand) (Lease[C], error) {
	ctx, cancel := p.limited(caller)
	defer cancel()
	if next.result < 0 {
		return Lease[C]{}, p.ended(ctx, true, next, work.failure())
	}
	work.ticket.Store(int64(next.ticket))
	return p.queued(ctx, caller, next, work)
}

// Gives up a place in the queue, and what came at this moment.
func (p *Pool[C]) leave(ticket int64) {
	if ticket == 0 {
		return
	}
	last := cancel(ticket)
	p.tell(last)
	p.putBack(max(int64(last.result), 0))
}
