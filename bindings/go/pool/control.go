// SPDX-License-Identifier: MIT

package pool

import "libpool.example/go/internal/native"

// Expose shows all pools of the process to the program poolctl, those that are made later too; as POOL_EXPOSE=1 does.
// A Pool that is there already can be looked at, and steered from its next Get on that finds no idle connection.
func Expose() error {
	err := exposed(native.Pool_expose_all)
	exposesAll.Store(err == nil)
	return err
}

// Expose shows the pool to the program poolctl until it is closed, which can also pause, resume, flush, resize and evict
// it. A pool that is exposed and not closed is never collected.
func (p *Pool[C]) Expose() error {
	err := p.handle.expose()
	if err == nil {
		p.listen()
	}
	return err
}

// Flush replaces all connections: those that are idle are closed now, side by side, others when they are released.  It
// waits for closes a second at most, and returns how many connections are concerned.
func (p *Pool[C]) Flush() int {
	closes := newBatch()
	count := p.handle.flush()
	p.keeper.set(p.tidy(closes), p.keep)
	if !p.closesBehind {
		closes.wait(courtesy)
	}
	return count
}

// Resize changes Config.MaxOpen, 0 means no hard cap, and returns how many connections are still too many; they will be
// closed as they are released.
func (p *Pool[C]) Resize(maxOpen int) (int, error) {
	return p.controlled(p.limits.resize(p.handle, maxOpen))
}

// Pause lends nothing until Resume: gets wait.  Pauses are counted.  It returns how many connections are in use.
func (p *Pool[C]) Pause() (int, error) {
	return p.controlled(p.handle.pause())
}

// Resume takes one Pause back and returns how many remain.
func (p *Pool[C]) Resume() (int, error) {
	return p.controlled(p.handle.resume())
}

// Evict ends the waits of all Gets that wait now, with ErrEvicted, and returns how many; those that come later wait as
// ever.
func (p *Pool[C]) Evict() int {
	count := p.handle.evict()
	p.tend()
	return count
}

func (p *Pool[C]) controlled(result step) (int, error) {
	p.tend()
	return p.handle.counted(result)
}

// Expose shows the pool to the program poolctl until it is collected, which can also pause, resume, flush, resize and evict
// it.
func (p *DriverPool) Expose() error { return p.handle.expose() }

// Flush does what Pool.Flush does.
func (p *DriverPool) Flush() int { return p.handle.flush() }

// Evict does what Pool.Evict does.
func (p *DriverPool) Evict() int { return p.handle.evict() }

// Resize does what Pool.Resize does.
func (p *DriverPool) Resize(maxOpen int) (int, error) {
	return p.handle.counted(p.limits.resize(p.handle, maxOpen))
}

// Pause does what Pool.Pause does.
func (p *DriverPool) Pause() (int, error) { return p.handle.counted(p.handle.pause()) }

// Resume does what Pool.Resume does.
func (p *DriverPool) Resume() (int, error) { return p.handle.counted(p.handle.resume()) }

func (h *handle) counted(last step) (int, error) {
	if last.result < 0 {
		return 0, h.failureOf(int64(last.result), last.message)
	}
	return int(last.result), nil
}
