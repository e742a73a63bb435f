// SPDX-License-Identifier: MIT

package puddle

import (
	"context"
	"sync"
	"sync/atomic"

	"libpool.example/go/pool"
)

// With puddle, an Acquire whose resource is being constructed when the pool is closed still gets it.  Package pool refuses
// the get and closes the connection; so the goroutine that would destroy the resource hands it out before, and waits until
// it is released.

// The wish of one Acquire for the resource that is constructed for it; the constructor finds it in its context.
type wish[T any] struct {
	context.Context
	begun   atomic.Bool
	once    sync.Once
	settled atomic.Bool       // one of the two has decided: it is granted or not, or the Acquire has left
	granted chan *Resource[T] // gets nil if that resource is another's, or could not be constructed
}

type wishKey struct{}

func wishOf[T any](values context.Context) *wish[T] {
	w, _ := values.Value(wishKey{}).(*wish[T])
	return w
}

// Value finds the wish by its key.
func (w *wish[T]) Value(key any) any {
	if key == (wishKey{}) {
		return w
	}
	return w.Context.Value(key)
}

func (w *wish[T]) channel() chan *Resource[T] {
	w.once.Do(func() { w.granted = make(chan *Resource[T], 1) })
	return w.granted
}

// Returns whether the Acquire gets the resource; not if no Acquire has asked for it.
func (w *wish[T]) settle(res *Resource[T]) bool {
	if w == nil || !w.settled.CompareAndSwap(false, true) {
		return false
	}
	w.channel() <- res
	return res != nil
}

// An Acquire has a resource already.
func (p *Pool[T]) forget(w *wish[T]) {
	if w.settled.CompareAndSwap(false, true) {
		return
	}
	if res := <-w.channel(); res != nil {
		res.Release()
	}
}

// An Acquire was refused: the resource that it gets all the same, or nil.
func (p *Pool[T]) leave(ctx context.Context, w *wish[T], err error) *Resource[T] {
	if isOf(err, pool.ErrClosed) && w.begun.Load() {
		select {
		case res := <-w.channel():
			return res
		case <-ctx.Done():
		}
	}
	p.forget(w)
	return nil
}

// The pool closes a connection.  Returns whether its resource is somebody else's to destroy.
func (p *Pool[T]) letGo(res *Resource[T]) (hijacks bool) {
	wish := res.wish
	if wish == nil {
		return false
	}
	res.wish = nil
	if !p.closing.Load() {
		wish.settle(nil)
		return false
	}
	res.late = make(chan struct{})
	res.state.Store(acquired)
	if !wish.settle(res) {
		return false
	}
	<-res.late
	return res.state.Load() == hijacked
}

// Ends the acquisition of a resource that has no lease.
func (res *Resource[T]) isLate() bool {
	if res.late == nil {
		return false
	}
	close(res.late)
	return true
}
