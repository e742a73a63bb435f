// SPDX-License-Identifier: MIT

package pool

import (
	"sync"
	"time"
)

// A goroutine that does what is due by time, where a setting needs it.
type keeper struct {
	nudges chan struct{} // nil: there is none
	over   chan struct{}
	ended  sync.Once
}

// A round says when the next is due; it comes after a tick at the latest.
func (k *keeper) start(tick time.Duration, round func() time.Duration) {
	k.nudges = make(chan struct{}, 1)
	k.over = make(chan struct{})
	go k.run(tick, round)
}

func (k *keeper) run(tick time.Duration, round func() time.Duration) {
	over := false
	defer func() {
		if !over {
			go k.run(tick, round) // a round has ended its goroutine
		}
	}()
	timer := time.NewTimer(tick)
	defer timer.Stop()
	for {
		wait := round()
		if wait > tick {
			wait = tick
		}
		if wait < leastTick {
			wait = leastTick
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
			continue
		case <-k.nudges:
		case <-k.over:
			over = true
			return
		}
		if !timer.Stop() {
			<-timer.C
		}
	}
}

// Something has happened that makes the next round due earlier, perhaps.
func (k *keeper) nudge() {
	if k.nudges != nil {
		wake(k.nudges)
	}
}

func (k *keeper) stop() {
	if k.over != nil {
		k.ended.Do(func() { close(k.over) })
	}
}
