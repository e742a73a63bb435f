// SPDX-License-Identifier: MIT

package pool

import (
	"runtime"

	"libpool.example/go/internal/native"
)

// Flush replaces all connections: those that are idle are closed now, others when they are released.  It returns how many
// connections are concerned.
func (p *Pool[C]) Flush() int {
	count := native.Pool_flush(p.handle.pool)
	p.served()
	return count
}

// Resize changes Config.MaxOpen, 0 means no hard cap, and returns how many connections are still too many; they will be
// closed as they are released.
func (p *Pool[C]) Resize(maxOpen int) (int, error) {
	return p.controlled(native.Pool_resize(p.handle.pool, saturate(maxOpen)))
}

// Pause lends nothing until Resume: gets wait.  Pauses are counted.  It returns how many leases are out.
func (p *Pool[C]) Pause() (int, error) {
	return p.controlled(native.Pool_pause(p.handle.pool))
}

// Resume takes one Pause back and returns how many remain.
func (p *Pool[C]) Resume() (int, error) {
	return p.controlled(native.Pool_resume(p.handle.pool))
}

func (p *Pool[C]) controlled(result int) (int, error) {
	p.served()
	if result < 0 {
		return 0, p.failure(int64(result))
	}
	return result, nil
}

// These calls serve waiters, and do not say whom.
func (p *Pool[C]) served() {
	runtime.KeepAlive(p.handle)
	p.queue.tellAll()
	p.tend()
}
