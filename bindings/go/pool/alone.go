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

// False: nothing came of it, and the get begins anew.
func (p *Pool[C]) openAlone(most patience, next step) (Lease[C], bool, error) {
	o := &opening[C]{errand: errand{queue: &p.queue, bell: p.underway.lendBell()}}
	go p.runAlongside(most.ctx, next, o)
	select {
	case <-o.bell:
	case <-most.ctx.Done():
	}
	if !o.reported.Load() {
		if joined := join(int64(next.claim)); joined.result != staleCode {
			return p.joined(most, joined, &o.errand)
		}
		for !o.reported.Load() { // the library has the report, so the outcome is about to be there
			<-o.bell
		}
	}
	p.underway.keepBell(o.bell)
	return p.openedAlone(most, o)
}

func (p *Pool[C]) runAlongside(values context.Context, next step, o *opening[C]) {
	defer p.tendAfter(&o.outcome)
	defer func() { o.tellEnd(p.failsFast) }()
	p.run(values, next, &o.outcome, &o.errand)
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
	mine, _ := p.queue.enter(ticket, uncertain)
	defer p.queue.leave(ticket, mine)
	last := mine.last(cancel(ticket))
	p.tell(last)
	p.putBack(max(int64(last.result), 0))
}
