// SPDX-License-Identifier: MIT

package pool

import "sync"

// The goroutines that wait, by their tickets.  The order is the library's; here is only how each is told.
type queue struct {
	mutex   sync.Mutex
	waiters map[int64]chan struct{}
	spare   sync.Pool // channels
}

// Begins a wait; the channel tells when to go on.  The ticket could not be told before.
func (q *queue) enter(ticket int64) chan struct{} {
	told, _ := q.spare.Get().(chan struct{})
	if told == nil {
		told = make(chan struct{}, 1)
	}
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.waiters == nil {
		q.waiters = make(map[int64]chan struct{})
	}
	q.waiters[ticket] = told
	return told
}

// Ends a wait; the channel is another's from now on.
func (q *queue) leave(ticket int64, told chan struct{}) {
	q.mutex.Lock()
	delete(q.waiters, ticket)
	q.mutex.Unlock()
	select {
	case <-told:
	default:
	}
	q.spare.Put(told)
}

// A ticket that is not here any more has passed the word on when it left.
func (q *queue) tell(ticket int64) {
	q.mutex.Lock()
	if told := q.waiters[ticket]; told != nil {
		wake(told)
	}
	q.mutex.Unlock()
}

// To look for no reason does no harm.
func (q *queue) tellAll() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for _, told := range q.waiters {
		wake(told)
	}
}

func wake(told chan struct{}) {
	select {
	case told <- struct{}{}:
	default:
	}
}
