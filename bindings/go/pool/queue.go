// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// How much later the library is asked to serve who waits, where those that release take back what they left.
const respite = 100 * time.Microsecond

// The goroutines that wait, by their tickets.  The order is the library's; here is only how each is told.
//
// A lease is taken to its waiter by the goroutine that ended the one before: then the ticket is over, and nothing has to be
// asked.  Who is told to look for an idle connection may find that the goroutine which left it has taken it back.  Where
// that was so, the library is asked a little later to tell somebody: mostly a lease is taken to him before.
type queue struct {
	mutex   sync.Mutex // guards waiters, timer and left
	waiters map[int64]*waiter
	timer   *time.Timer
	left    int64        // the lease after which the library is to be asked then
	rings   atomic.Bool  // the timer will
	hot     atomic.Bool  // who was told last found nothing
	unknown atomic.Int64 // how often a ticket was told that was not here
	spare   sync.Pool
}

// Its channel has room for a lease and a word to look, which is 0.
type waiter struct {
	told  chan int64
	timer *time.Timer
}

// Begins a wait.  False: somebody was told since `unknown` was so many, which was perhaps this ticket: it looks once more.
func (q *queue) enter(ticket int64, unknown int64) (w *waiter, certain bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	return q.waiter(ticket), q.unknown.Load() == unknown
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
	q.waiters[ticket] = w
	return w
}

// Ends a wait; the waiter is another's from now on.
func (q *queue) leave(ticket int64, w *waiter) {
	q.mutex.Lock()
	delete(q.waiters, ticket)
	if len(q.waiters) == 0 {
		q.hot.Store(false)
	}
	q.mutex.Unlock()
	select {
	case <-w.told:
	default:
	}
	q.spare.Put(w)
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

// Waits for a lease, or to be told to look, but no longer than the library says that nothing can change without that.
func (w *waiter) wait(most patience, lookAgain time.Duration) (lease int64, came event) {
	in := most.left()
	if lookAgain > 0 && (in < 0 || lookAgain < in) {
		in = lookAgain
	}
	select {
	case lease = <-w.told:
	case <-w.after(in):
		if most.isOver() {
			return 0, isOver
		}
		return 0, isDue
	case <-most.ctx.Done():
		came = isOver
	}
	w.stop(in)
	if lease == 0 && came == isGiven {
		came = isTold
	}
	return
}

// A tick of the time before does no harm: it is one more look.
func (w *waiter) after(in time.Duration) <-chan time.Time {
	switch {
	case in < 0:
		return nil
	case w.timer == nil:
		w.timer = time.NewTimer(in)
	default:
		w.timer.Reset(in)
	}
	return w.timer.C
}

func (w *waiter) stop(in time.Duration) {
	if in < 0 || w.timer.Stop() {
		return
	}
	select {
	case <-w.timer.C:
	default:
	}
}

// How long a get may wait: until its context ends, or a moment, if that is not zero.
type patience struct {
	ctx   context.Context
	until time.Time
}

// A negative time: none.
func (most patience) left() time.Duration {
	if most.until.IsZero() {
		return -1
	}
	return max(time.Until(most.until), 0)
}

func (most patience) isOver() bool {
	return most.ctx.Err() != nil || most.left() == 0
}

// The library counts in milliseconds and may be early by a part of one.
func (most patience) wait() {
	if most.until.IsZero() {
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
