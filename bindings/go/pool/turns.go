// SPDX-License-Identifier: MIT

package pool

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

const (
	mostLeases = 16   // of a turn; a power of two, as all turns are
	mostTimes  = 4    // whose square that is
	longPart   = 8    // of `Fairness`: a lease that takes more than half of this part is a turn
	passedBy   = 1000 // changes of hands of other connections one after the other: then another one is watched

	// Leases come in bursts: one goroutine has several while the next waits for a processor with its own.  So they are watched
	// for this many, or for this many times `Fairness` where they are long.
	watchedLeases = 64
	watchedTimes  = 16
)

// How many leases of a connection goroutines that run may have one after the other while others wait: a turn.  Its last one
// takes the connection to the first waiter.
//
// To change goroutines costs more than a short lease, and next to nothing beside one that asks a server.  And a waiter waits
// for the turns of all before it.  So a turn has `mostLeases` where these are short, and one where they are long: together
// they last half of `Fairness` at most.  How long a lease lasts is found at one connection, where it changes hands; no
// other release reads a clock.
//
// Shared: `within`, with all that release.  What is watched belongs to the holder of the mutex, and others pass by.
type turns struct {
	within   atomic.Uint64 // of a lease: if it has none of these bits, it is the last of a turn
	fairness int64         // nanoseconds; 0: each lease is a turn
	mutex    sync.Mutex
	watched  int64 // the last lease before a connection changed hands
	since    int64 // when it ended
	passed   int   // how often other connections have changed hands since it did

	anew atomic.Bool // nobody waited meanwhile, so what is watched may have been idle
}

func (t *turns) begin(v *view, fairness time.Duration) {
	if t.fairness = int64(fairness); t.fairness > 0 {
		t.set(v, mostLeases) // until it is known how long leases last
		t.anew.Store(true)
	}
}

// Leases are numbered, so that every 16th, say, has no bit of 15.
func (t *turns) set(v *view, leases uint64) {
	t.within.Store((leases - 1) * uint64(v.is.generation))
}

func (t *turns) endWith(lease int64) bool { return uint64(lease)&t.within.Load() == 0 }

// After this lease its connection went to a waiter.
func (t *turns) note(v *view, lease int64) {
	if t.fairness == 0 || !t.mutex.TryLock() {
		return
	}
	defer t.mutex.Unlock()
	if t.passed == passedBy || t.anew.Swap(false) {
		t.watch(lease, moment())
	} else if !v.isSame(lease, t.watched) {
		t.passed++
	} else if now, leases := moment(), v.between(t.watched, lease); leases >= watchedLeases || now-t.since >= watchedTimes*t.fairness {
		t.learn(v, (now-t.since)/max(leases, 1))
		t.watch(lease, now)
	} else {
		t.passed = 0
	}
}

func (t *turns) watch(lease, now int64) {
	t.watched, t.since, t.passed = lease, now, 0
}

// The largest power of two of leases that a turn should have: where they last twice as long, a quarter as many.  A burst of
// short leases, or a moment without a processor, changes turns by one step only.
func (t *turns) learn(v *view, each int64) {
	times := min(max(t.fairness/longPart/max(each, 1), 1), mostTimes)
	should, now := int64(1)<<(bits.Len64(uint64(times*times))-1), int64(t.within.Load()/uint64(v.is.generation)+1)
	t.set(v, uint64(min(max(should, now/2), 2*now)))
}
