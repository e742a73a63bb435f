// SPDX-License-Identifier: MIT

package puddle

import (
	"sync/atomic"
	"time"

	"libpool.example/go/pool"
)

// What a resource is.
const (
	idle int32 = iota
	acquired
	hijacked
)

// Resource is one resource of a pool.  It is the same each time that it is acquired.
type Resource[T any] struct {
	value T
	state atomic.Int32
	lease pool.Lease[*Resource[T]] // while it is acquired
	made  time.Time
	used  int64         // when it was released last
	wish  *wish[T]      // of the Acquire that it was constructed for, until it is acquired
	late  chan struct{} // closed when it is released, if it was acquired of a closed pool
}

func take[T any](lease pool.Lease[*Resource[T]]) *Resource[T] {
	res := lease.Conn()
	if res.wish != nil {
		res.wish.settle(nil)
		res.wish = nil
	}
	res.lease = lease
	res.state.Store(acquired)
	return res
}

// Of all that end an acquisition at one time, one succeeds.
func (res *Resource[T]) leave(next int32, deed string) {
	if !res.state.CompareAndSwap(acquired, next) {
		panic("tried to " + deed + " resource that is not acquired")
	}
}

func (res *Resource[T]) mustBeHeld() {
	if res.state.Load() == idle {
		panic("tried to access resource that is not acquired or hijacked")
	}
}

// Value is the resource itself.
func (res *Resource[T]) Value() T {
	res.mustBeHeld()
	return res.value
}

// Release gives the resource back.
func (res *Resource[T]) Release() {
	res.leave(idle, "release")
	res.used = now()
	if !res.isLate() {
		_ = res.lease.Release()
	}
}

// ReleaseUnused gives the resource back as if it had not been acquired: LastUsedNanotime stays what it was.
func (res *Resource[T]) ReleaseUnused() {
	res.leave(idle, "release")
	if !res.isLate() {
		_ = res.lease.ReleaseUnused()
	}
}

// Destroy gives the resource back to be destroyed.
func (res *Resource[T]) Destroy() {
	res.leave(idle, "destroy")
	if !res.isLate() {
		_ = res.lease.Discard()
	}
}

// Hijack takes the resource out of the pool for good; to destroy it is the caller's business.
func (res *Resource[T]) Hijack() {
	res.leave(hijacked, "hijack")
	if !res.isLate() {
		_, _ = res.lease.Hijack()
	}
}

// CreationTime is when the constructor returned the resource.
func (res *Resource[T]) CreationTime() time.Time {
	res.mustBeHeld()
	return res.made
}

// LastUsedNanotime is when the resource was released last, by a clock of this process; before that, when it was made.
func (res *Resource[T]) LastUsedNanotime() int64 {
	res.mustBeHeld()
	return res.used
}

// IdleDuration is how long ago the resource was released last.
func (res *Resource[T]) IdleDuration() time.Duration {
	res.mustBeHeld()
	return time.Duration(now() - res.used)
}
