// SPDX-License-Identifier: MIT

package puddle

import (
	"context"
	"errors"

	"libpool.example/go/pool"
)

// Acquire returns a resource that is idle, else what comes first: one that is released, or a new one if there are fewer
// than MaxSize.  The context ends the wait, but not a construction that was begun: its resource is for the next.
func (p *Pool[T]) Acquire(ctx context.Context) (*Resource[T], error) {
	if err := ctx.Err(); err != nil {
		p.counts.canceled.Add(1)
		return nil, err
	}
	began := now()
	lease, err := p.pool.TryGetIdle(ctx)
	if err == nil {
		return p.acquired(lease, began, false), nil
	}
	wish := &wish[T]{Context: ctx}
	if lease, err = p.pool.Get(wish); err != nil {
		if res := p.leave(ctx, wish, err); res != nil {
			p.counts.note(now()-began, true)
			return res, nil
		}
		return nil, p.failure(ctx, err)
	}
	p.forget(wish)
	if err = ctx.Err(); err != nil { // at the same moment, and puddle's users know the end of the context to win
		_ = lease.ReleaseUnused()
		return nil, p.failure(ctx, err)
	}
	return p.acquired(lease, began, true), nil
}

// TryAcquire returns a resource that is idle, or ErrNotAvailable; then one more is constructed in the background if there
// are fewer than MaxSize.  The context is the constructor's.
func (p *Pool[T]) TryAcquire(ctx context.Context) (*Resource[T], error) {
	lease, err := p.pool.TryGetIdle(endless{Context: context.Background(), values: ctx})
	if err == nil {
		p.counts.acquired.Add(1) // it did not wait, so it took no time
		return take(lease), nil
	}
	if _, err = p.pool.StartResource(given(ctx)); isOf(err, pool.ErrClosed) {
		return nil, ErrClosedPool
	}
	return nil, ErrNotAvailable
}

// The values of a context, whether it is over or not.
type endless struct {
	context.Context
	values context.Context
}

func (e endless) Value(key any) any { return e.values.Value(key) }

// AcquireAllIdle returns all resources that are idle.  It counts in none of the statistics.
func (p *Pool[T]) AcquireAllIdle() []*Resource[T] {
	var all []*Resource[T]
	for _, lease := range p.pool.AcquireAllIdle(context.Background()) {
		all = append(all, take(lease))
	}
	return all
}

// CreateResource constructs one more resource, also where others are idle, and returns when it is idle.  The context is
// the constructor's.
func (p *Pool[T]) CreateResource(ctx context.Context) error {
	ended, err := p.pool.StartResource(given(ctx))
	if isOf(err, pool.ErrTimeout) {
		return ErrNotAvailable
	}
	if err == nil {
		err = <-ended
	}
	return plain(err)
}

func (p *Pool[T]) acquired(lease pool.Lease[*Resource[T]], began int64, waited bool) *Resource[T] {
	p.counts.note(now()-began, waited)
	return take(lease)
}

// Why Acquire failed, as puddle says it.
func (p *Pool[T]) failure(ctx context.Context, err error) error {
	if isOf(err, pool.ErrClosed) {
		return ErrClosedPool
	}
	over := ctx.Err()
	if over == nil && isOf(err, pool.ErrTimeout) && errors.Is(err, context.DeadlineExceeded) {
		over = context.DeadlineExceeded // the library counts in milliseconds and may be early by a part of one
	}
	if over != nil {
		p.counts.canceled.Add(1)
		return over
	}
	return plain(err)
}

// Whether this pool says so of itself; behind it may be the error of a constructor, which has that of another pool.
func isOf(err, kind error) bool {
	failure, is := err.(*pool.Error)
	return is && failure.Kind == kind
}

// The constructor's error as it was.
func plain(err error) error {
	var failed *constructorError
	switch {
	case isOf(err, pool.ErrClosed):
		return ErrClosedPool
	case errors.As(err, &failed):
		return failed.err
	}
	return err
}
