// SPDX-License-Identifier: MIT

package pool

import "runtime"

// Lease is the right to use one connection until it is released.  It is a value: its copies are the same lease, and what
// ended stays ended for all of them.
type Lease[C any] struct {
	place  *place[C]
	number int64
	conn   C
}

// Valid says whether the lease has not ended yet.
func (l Lease[C]) Valid() bool {
	if l.place == nil {
		return false
	}
	if p := l.place.pool; !p.marks {
		return p.view.isOut(l.number)
	}
	return l.place.lease.Load() == l.number
}

// Conn is the connection, the same object each time it is lent.  After the lease has ended Conn panics with ErrStale,
// for the connection may be somebody else's by now.
func (l Lease[C]) Conn() C {
	if !l.Valid() {
		panic(stale())
	}
	return l.conn
}

// Release puts the connection back: for the first waiter, or to be idle; or it is closed, where the pool has enough
// or is closed.  A lease that has ended already gets ErrStale, and nothing is touched.
func (l Lease[C]) Release() error {
	if !l.take() {
		return stale()
	}
	p := l.place.pool
	if p.around != nil {
		if !p.approveRelease(l) {
			return p.discard(l.number)
		}
		l.place.pass()
	}
	if p.tracksUse {
		l.place.used.Store(moment())
	}
	if p.view.endsTurn(l.number) {
		return p.pass(l.number)
	}
	ended, asks := p.view.give(l.number)
	runtime.KeepAlive(p)
	if ended && !asks {
		p.underway.rouse()
		return nil
	}
	if ended && p.queue.hot.Load() && p.view.onlyWaits(l.number) {
		p.askLater(l.number)
		return nil
	}
	next := last(l.number, ended)
	p.underway.rouse()
	return p.afterRelease(next, l.number)
}

// A release with which the connection changes hands.
func (p *Pool[C]) pass(lease int64) error {
	next := pass(lease)
	runtime.KeepAlive(p)
	return p.afterRelease(next, lease)
}

// Does what a release has to do, after which the connection may be another's.
func (p *Pool[C]) afterRelease(next step, lease int64) error {
	if next.wake != 0 || next.given_to != 0 || next.work != workNone || next.more != 0 {
		p.settle(next)
	}
	if next.given_to != 0 {
		p.view.turns.note(&p.view, lease)
	}
	return p.failureIf(next)
}

// The call of a release, which may have ended the lease already.
func last(lease int64, ended bool) step {
	if ended {
		return given(lease)
	}
	return end(lease)
}

// Discard ends the lease and closes the connection, because it is broken, say.
func (l Lease[C]) Discard() error {
	if !l.take() {
		return stale()
	}
	if l.place.pool.around != nil {
		l.place.pool.ending(l, true)
	}
	return l.place.pool.discard(l.number)
}

// DiscardBroken ends the lease and closes the connection as Discard does, and throws suspicion on the others, which may have lost
// the same server: those that are idle are checked, and until then not lent.  Without a check it is the same as Discard.
func (l Lease[C]) DiscardBroken() error {
	if !l.take() {
		return stale()
	}
	if l.place.pool.around != nil {
		l.place.pool.ending(l, true)
	}
	return l.place.pool.discardBroken(l.number)
}

// Tag notes beside the lease what it is used for, until it is released; Leases and the events of a leak show it.  ""
// takes the note back.
func (l Lease[C]) Tag(text string) error {
	if !l.Valid() {
		return stale()
	}
	return tag(l.number, text)
}

// Of all that end a lease at one time one succeeds: here, if the pool marks leases, else when the library's word changes.
func (l Lease[C]) take() bool {
	if l.place == nil || (l.place.pool.marks && !l.place.lease.CompareAndSwap(l.number, 0)) {
		return false
	}
	l.place.pass()
	return true
}
