// SPDX-License-Identifier: MIT

package pool

import (
	"sync"
	"time"
)

// Between two rounds there is at least this time.
const leastTick = time.Millisecond

// A goroutine that does something as often as it is asked to, and lives no longer than that takes.
type helper struct {
	mutex       sync.Mutex
	busy, again bool
	begun       int64 // how often it did it
}

func (h *helper) ask(do func()) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.again = h.busy; !h.busy {
		h.busy = true
		go h.run(do)
	}
}

// Goes on after what it does has panicked or ended the goroutine.
func (h *helper) run(do func()) {
	defer func() {
		_ = recover()
		h.mutex.Lock()
		defer h.mutex.Unlock()
		if h.busy = h.again; h.busy {
			h.again = false
			go h.run(do)
		}
	}()
	h.mutex.Lock()
	h.begun++
	h.mutex.Unlock()
	do()
}

// Keeps the time of a pool: asks its helper for a round when something is due.
type keeper struct {
	helper
	times sync.Mutex // guards the following
	timer *time.Timer
	at    time.Time // when it rings; zero: not before it is set
	over  bool
}

// Something is due after this long.  What is due earlier goes on being so: a round in vain is better than one that is late.
func (k *keeper) set(in time.Duration, round func()) {
	if in == 0 {
		k.ask(round)
		return
	}
	k.times.Lock()
	defer k.times.Unlock()
	at := time.Now().Add(in)
	if in == never || k.over || (!k.at.IsZero() && !at.Before(k.at)) {
		return
	}
	k.at = at
	if k.timer == nil {
		k.timer = time.AfterFunc(in, func() { k.ring(round) })
	} else {
		k.timer.Reset(in)
	}
}

func (k *keeper) ring(round func()) {
	k.times.Lock()
	k.at = time.Time{}
	k.times.Unlock()
	k.ask(round)
}

// A closed pool has no time.
func (k *keeper) stop() {
	k.times.Lock()
	defer k.times.Unlock()
	if k.over = true; k.timer != nil {
		k.timer.Stop()
	}
}
