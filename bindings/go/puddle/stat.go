// SPDX-License-Identifier: MIT

package puddle

import (
	"sync/atomic"
	"time"
)

// The clock begins an hour before the process, so that no moment is 0.
var beginning = time.Now().Add(-time.Hour)

func now() int64 { return int64(time.Since(beginning)) }

// What was counted since the pool was made.
type counts struct {
	acquired, waited, canceled atomic.Int64
	took, waitedFor            atomic.Int64 // nanoseconds
}

func (c *counts) note(took int64, waited bool) {
	c.acquired.Add(1)
	c.took.Add(took)
	if waited {
		c.waited.Add(1)
		c.waitedFor.Add(took)
	}
}

// Stat is what a pool was at one moment.
type Stat struct {
	constructing, acquired, idle, max        int32
	acquireCount, emptyCount, canceledCount  int64
	acquireDuration, emptyAcquireWaitingTime time.Duration
}

// Stat counts.
func (p *Pool[T]) Stat() *Stat {
	counted := p.pool.Stats()
	return &Stat{
		constructing:            int32(counted.Opening),
		acquired:                int32(counted.Leased),
		idle:                    int32(counted.Idle),
		max:                     p.maxSize,
		acquireCount:            p.counts.acquired.Load(),
		emptyCount:              p.counts.waited.Load(),
		canceledCount:           p.counts.canceled.Load(),
		acquireDuration:         time.Duration(p.counts.took.Load()),
		emptyAcquireWaitingTime: time.Duration(p.counts.waitedFor.Load()),
	}
}

// TotalResources is how many resources there are: being constructed, acquired and idle.
func (s *Stat) TotalResources() int32 { return s.constructing + s.acquired + s.idle }

// ConstructingResources is how many are being constructed.
func (s *Stat) ConstructingResources() int32 { return s.constructing }

// AcquiredResources is how many are acquired.
func (s *Stat) AcquiredResources() int32 { return s.acquired }

// IdleResources is how many are idle.
func (s *Stat) IdleResources() int32 { return s.idle }

// MaxResources is how many there may be.
func (s *Stat) MaxResources() int32 { return s.max }

// AcquireCount is how many acquires have succeeded.
func (s *Stat) AcquireCount() int64 { return s.acquireCount }

// AcquireDuration is how long these took together, without those of TryAcquire.
func (s *Stat) AcquireDuration() time.Duration { return s.acquireDuration }

// EmptyAcquireCount is how many of these found no resource idle.
func (s *Stat) EmptyAcquireCount() int64 { return s.emptyCount }

// EmptyAcquireWaitTime is how long those took together.
func (s *Stat) EmptyAcquireWaitTime() time.Duration { return s.emptyAcquireWaitingTime }

// CanceledAcquireCount is how many acquires their context ended.
func (s *Stat) CanceledAcquireCount() int64 { return s.canceledCount }
