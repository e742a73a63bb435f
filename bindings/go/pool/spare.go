// SPDX-License-Identifier: MIT

package pool

import "context"

// What a health check or a warm-up does with the connections that no Get waits for.

// AcquireAllIdle lends all connections that are idle now; it opens none and waits for none.  What Config.CheckAfter wants
// checked is checked first, within the context.  Put back with Lease.ReleaseUnused, a connection stays as idle as it was.
func (p *Pool[C]) AcquireAllIdle(ctx context.Context) (leases []Lease[C]) {
	ended := false
	defer func() {
		if !ended { // a hook, check or tracer did not return, so the caller gets none of them
			releaseUnused(leases)
		}
	}()
	for most := p.Len(); len(leases) < most; { // others may open more meanwhile, and without end
		lease, err := p.TryGetIdle(ctx)
		if err != nil {
			break
		}
		leases = append(leases, lease)
	}
	ended = true
	return leases
}

// Deferred, so that each is released whatever happens in the release of another.
func releaseUnused[C any](leases []Lease[C]) {
	for _, lease := range leases {
		defer lease.ReleaseUnused()
	}
}

// TryGetIdle lends an idle connection, or fails with ErrTimeout: it does not open one, as TryGet does.
func (p *Pool[C]) TryGetIdle(ctx context.Context) (Lease[C], error) {
	if ctx == nil {
		return Lease[C]{}, &Error{Kind: ErrInvalid, Message: "ctx is nil"}
	}
	if endOf(ctx) != nil {
		return Lease[C]{}, over(ctx).in(p.handle, "")
	}
	if p.around != nil {
		return p.getIdleAround(ctx)
	}
	return p.getIdle(ctx)
}

// The hook BeforeLend refuses each connection once at most, for then it is closed.
func (p *Pool[C]) getIdleAround(ctx context.Context) (lease Lease[C], err error) {
	ctx = p.around.tracers.acquireStart(ctx, p)
	err = errEnded // unless it returns
	defer func() { p.acquired(ctx, lease, err) }()
	for {
		lease, err = p.getIdle(ctx)
		if err != nil || p.around.hooks.BeforeLend == nil {
			return
		}
		taken := lease
		lease, err = Lease[C]{}, errEnded
		if good, refused := p.approve(ctx, taken, nil); good || refused != nil {
			return taken.orNone(refused), refused
		}
	}
}

func (p *Pool[C]) getIdle(ctx context.Context) (Lease[C], error) {
	for {
		next := beginIdle(p.handle)
		p.tell(&next)
		switch {
		case next.result > 0:
			return p.lend(int64(next.result)), nil
		case next.result < 0:
			return Lease[C]{}, p.failure(next)
		case next.work == workNone:
			return Lease[C]{}, p.handle.refused("no connection is idle")
		case next.work != workCheck:
			p.begin(next, nil)
		default:
			if done, err := p.performFor(ctx, next); done.lease != 0 || err != nil {
				return p.lendIf(done.lease), err
			}
		}
	}
}

// CreateResource opens one more connection, also where others are idle, and returns when it is there for the next Get.
// It fails with ErrTimeout where Config.MaxOpen, MaxOpening or the budget leaves no room or the pool is paused.  It fails
// as a Get would if open fails or the context ends first.  Then the open goes on, and its connection is kept.
func (p *Pool[C]) CreateResource(ctx context.Context) error {
	if ctx != nil && endOf(ctx) != nil {
		return over(ctx).in(p.handle, "")
	}
	opened, err := p.StartResource(ctx)
	if err != nil {
		return err
	}
	limited, cancel := limit(ctx, 0)
	defer cancel()
	select {
	case err = <-opened:
		return err
	case <-limited.Done():
		return over(ctx).in(p.handle, "")
	}
}

// StartResource begins what CreateResource does, and tells the channel how it ended.
func (p *Pool[C]) StartResource(ctx context.Context) (<-chan error, error) {
	if ctx == nil {
		return nil, &Error{Kind: ErrInvalid, Message: "ctx is nil"}
	}
	next := beginOpen(p.handle)
	p.tell(&next)
	switch {
	case next.result == timeoutCode:
		return nil, p.handle.refused("no other connection may be opened now")
	case next.result < 0:
		return nil, p.failure(next)
	}
	opened := make(chan error, 1)
	go p.openSpare(ctx, next, opened)
	return opened, nil
}

func (p *Pool[C]) openSpare(values context.Context, next step, opened chan<- error) {
	result := new(outcome[C])
	defer p.tendAfter(result)
	defer func() { opened <- result.spareError() }()
	p.run(values, next.task(), result, nil)
	p.underway.rouse()
}

// A panic of open is an error here, because nobody is there to go on with it.
func (o *outcome[C]) spareError() error {
	if o.panicked != nil {
		return &Error{Kind: ErrOpen, Err: o.panicked}
	}
	return o.err
}
