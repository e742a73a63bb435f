// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// How much later the library is asked to serve a waiter, where those that release take back what they left.
const respite = 100 * time.Microsecond

// The goroutines that wait, by their tickets.  The order is the library's; here is only how each is told.
//
// A lease is taken to its waiter by the goroutine that ended the one before: then the ticket is over, and nothing has to be
// asked.  A waiter that is told to look for an idle connection may find that the goroutine which left it took it back.  Where
// that was so, the library is asked a little later to tell somebody: mostly a lease is taken to it before.
//
// One timer is for all that wait: a timer of each would cost a good part of a wait, and a look at the clock at each change of
// goroutines.
type queue struct {
	mutex   sync.Mutex // guards waiters, timer and left, and the following two
	over    *time.Timer
	next    int64 // the moment when it rings; 0: it does not
	waiters map[int64]*waiter
	timer   *time.Timer
	left    int64        // the lease after which the library is to be asked then
	rings   atomic.Bool  // the timer will
	hot     atomic.Bool  // who was told last found nothing
	unknown atomic.Int64 // how often a ticket was told that was not here
	begins  *atomic.Bool // somebody waits where nobody did
	spare   sync.Pool
}

// Its channel has room for a lease and a word to look, which is 0.
type waiter struct {
	told chan int64
	at   int64 // the moment when it is told to look if nothing came; 0: never.  Guarded by the mutex of the queue
}

// Begins a wait, and sees to it that it ends.  False: somebody was told since `unknown` was this many, which was perhaps this
// ticket: it looks once more.
func (q *queue) enter(ticket, unknown, until int64) (w *waiter, certain bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	w = q.waiter(ticket)
	if until != 0 {
		q.tellAt(w, until)
	}
	return w, q.unknown.Load() == unknown
}

// A lease may come before its waiter.
func (q *queue) waiter(ticket int64) *waiter {
	w := q.waiters[ticket]
	if w != nil {
		return w
	}
	if w, _ = q.spare.Get().(*waiter); w == nil {
		w = &waiter{told: make(chan int64, 2)}
	}
	if q.waiters == nil {
		q.waiters = make(map[int64]*waiter)
	}
	if len(q.waiters) == 0 {
		q.begins.Store(true)
	}
	q.waiters[ticket] = w
	return w
}

// Ends a wait; the waiter is another's from now on.
func (q *queue) leave(ticket int64, w *waiter) {
	q.mutex.Lock()
	w.at = 0
	delete(q.waiters, ticket)
	if len(q.waiters) == 0 {
		q.rest()
	}
	q.mutex.Unlock()
	select {
	case <-w.told:
	default:
	}
	q.spare.Put(w)
}

// Nobody waits any more.  A timer that goes on would keep the pool.
func (q *queue) rest() {
	q.hot.Store(false)
	if q.next != 0 {
		q.over.Stop()
		q.next = 0
	}
}

// Sees to it that a waiter looks at a moment, or earlier; 0: it need not.  Called by the waiter, which alone writes when.
func (q *queue) lookAt(w *waiter, moment int64) {
	if moment == 0 || moment == w.at {
		return
	}
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.tellAt(w, moment)
}

func (q *queue) tellAt(w *waiter, moment int64) {
	if w.at = moment; q.next == 0 || moment < q.next {
		q.ringAt(moment)
	}
}

func (q *queue) ringAt(at int64) {
	q.next = at
	if in := time.Duration(max(at-moment(), 0)); q.over == nil {
		q.over = time.AfterFunc(in, q.ringOver)
	} else {
		q.over.Reset(in)
	}
}

// Tells those to look whose moment has come.
func (q *queue) ringOver() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	now, next := moment(), int64(0)
	for _, w := range q.waiters {
		switch {
		case w.at == 0:
		case w.at <= now:
			w.wake()
		case next == 0 || w.at < next:
			next = w.at
		}
	}
	if q.next = 0; next != 0 {
		q.ringAt(next)
	}
}

// The ticket is over, so its waiter takes the lease, whatever else happens.
func (q *queue) give(ticket, lease int64) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.waiter(ticket).told <- lease
}

// A ticket that is not here any more has passed the word on when it left.
func (q *queue) tell(ticket int64) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if w := q.waiters[ticket]; w != nil {
		w.wake()
	} else {
		q.unknown.Add(1)
	}
}

// The connection of this lease is idle, and the library is to be asked for those that wait: after a while.  If the timer
// is to ring already, it has not begun to ask, and what it asks is for all that are idle.
func (q *queue) askLater(lease int64, in time.Duration, ask func()) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.rings.Swap(true) {
		return
	}
	q.left = lease
	if q.timer == nil {
		q.timer = time.AfterFunc(in, ask)
	} else {
		q.timer.Reset(in)
	}
}

func (q *queue) ring() (lease int64) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.rings.Store(false)
	return q.left
}

// To look for no reason does no harm.
func (q *queue) tellAll() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for _, w := range q.waiters {
		w.wake()
	}
}

// Under the mutex, so it does not wait for room.
func (w *waiter) wake() {
	if len(w.told) == 0 {
		w.told <- 0
	}
}

// A ticket that the library does not know any more is over with a lease.
func (w *waiter) last(next step) step {
	if next.result == staleCode {
		return leased(w.lease())
	}
	return next
}

// The lease that has been given to this waiter, or is just about to be.
func (w *waiter) lease() int64 {
	for {
		if lease := <-w.told; lease != 0 {
			return lease
		}
	}
}

// What a wait has come to.
type event int

const (
	isGiven event = iota
	isTold        // to look
	isDue         // to look, though nobody told it
	isOver
)

// Waits for a lease, or to be told to look.
func (w *waiter) wait(most patience, lookAt int64) (lease int64, came event) {
	if done := most.ctx.Done(); done == nil {
		lease = <-w.told // costs less than to select
	} else {
		select {
		case lease = <-w.told:
		case <-done:
			return 0, isOver
		}
	}
	switch {
	case lease != 0:
		return lease, isGiven
	case most.isOver():
		return 0, isOver
	case lookAt != most.until && lookAt <= moment():
		return 0, isDue
	}
	return 0, isTold
}

// How long a get may wait: until its context ends, or a moment, if that is not zero.  And when it last asked for something.
type patience struct {
	ctx          context.Context
	began, until int64
}

// A negative time: none.
func (most patience) left() time.Duration {
	if most.until == 0 {
		return -1
	}
	return time.Duration(max(most.until-moment(), 0))
}

// When to look, if the library says that nothing can change until then without a word.
func (most patience) lookAt(after int64) int64 {
	if after == 0 {
		return most.until
	}
	at := moment() + after
	if most.until == 0 {
		return at
	}
	return min(at, most.until)
}

func (most patience) isOver() bool {
	return most.ctx.Err() != nil || most.left() == 0
}

// The library counts in milliseconds and may be early by a part of one.
func (most patience) wait() {
	if most.until == 0 {
		<-most.ctx.Done()
		return
	}
	timer := time.NewTimer(most.left())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-most.ctx.Done():
	}
}
