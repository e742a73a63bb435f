// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"sync/atomic"
	"time"
)

// What the library's counts lack: gets that ended without a word to it, and those of which it does not know how they ended.
type unseen struct{ cancelled, timedOut, failedOpen atomic.Int64 }

func (u *unseen) of(kind error) *atomic.Int64 {
	switch kind {
	case ErrCancelled:
		return &u.cancelled
	case ErrOpen:
		return &u.failedOpen
	}
	return &u.timedOut
}

func (u *unseen) count(err *Error) *Error {
	u.of(err.Kind).Add(1)
	return err
}

// The library has counted this get as one that ended so.  It knows a deadline to a millisecond, and none that the context
// does not tell.
func (u *unseen) recount(err *Error, counted error) *Error {
	if err.Kind != counted {
		u.of(counted).Add(-1)
		u.of(err.Kind).Add(1)
	}
	return err
}

// A get gave up its place with this step because its open or check had failed.
func (u *unseen) failed(last step) {
	if last.result == cancelledCode {
		u.cancelled.Add(-1)
		u.failedOpen.Add(1)
	}
}

// A get was counted when it left, and now once more by the library, because the open that it left has failed.
func (u *unseen) hasLeft(err error) {
	if failure, is := err.(*Error); is && failure.Kind == ErrOpen {
		u.failedOpen.Add(-1)
	}
}

// They are read before the library's counts, so that none is taken away which is not there yet.
func (h *handle) countWith(u *unseen, stats *Stats) {
	timedOut, cancelled, failedOpen := u.timedOut.Load(), u.cancelled.Load(), u.failedOpen.Load()
	h.count(stats)
	stats.FailedOpen += failedOpen
	stats.TimedOut = max(stats.TimedOut+timedOut, 0) // of drivers the library counts a little later
	stats.Cancelled = max(stats.Cancelled+cancelled, 0)
}

// The context of a get, which the pool's own limit ends as well.
type limitedContext struct {
	context.Context
	caller   context.Context
	deadline time.Time
}

func (l *limitedContext) Deadline() (time.Time, bool) { return l.deadline, true }

// Without a deadline, for contexts whose deadline nobody keeps.
type undatedContext struct{ context.Context }

func (undatedContext) Deadline() (time.Time, bool) { return time.Time{}, false }

// The context that the caller has given.
func callerOf(ctx context.Context) context.Context {
	if limited, is := ctx.(*limitedContext); is {
		return limited.caller
	}
	return ctx
}

// Ends a context at the latest after this long; 0: no limit.  A context may have a deadline at which it does not end: then
// that is kept here, too.
func limit(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	deadline, dated := ctx.Deadline()
	if !dated && after == 0 {
		return ctx, func() {}
	}
	caller, ends := callerOf(ctx), deadline.Add(slack(ctx))
	if own := time.Now().Add(after); after != 0 && (!dated || own.Before(deadline)) {
		deadline, ends = own, own
	}
	limited, cancel := context.WithDeadline(undatedContext{ctx}, ends)
	return &limitedContext{limited, caller, deadline}, cancel
}

// What ends a get that begins now.
func (p *Pool[C]) patience(ctx context.Context) patience {
	most := patience{ctx: ctx, began: moment()}
	if p.timeout > 0 {
		most.until = most.began + int64(p.timeout)
	}
	deadline, dated := ctx.Deadline()
	if !dated {
		return most
	}
	if left := time.Until(deadline); left < farOff && (most.until == 0 || left <= p.timeout) {
		most.until = max(most.began+int64(left+slack(ctx)), 1) // the context is first, and mostly says so itself
	}
	return most
}

const farOff = 100 * 365 * 24 * time.Hour // no sum with such a time overflows

// So much after its deadline a context is over although it does not say so.  One whose Done is nil cannot say so.
func slack(ctx context.Context) time.Duration {
	if ctx.Done() == nil {
		return 0
	}
	return 10 * time.Millisecond
}

// Whether a context has a deadline at which it does not end.
func isUnkept(ctx context.Context) bool {
	_, dated := ctx.Deadline()
	return dated && ctx.Done() == nil
}

// The error of a get whose context was over when it began.
func (p *Pool[C]) tooLate(ctx context.Context) error {
	return p.unseen.count(overOrLate(ctx, p.timeout).in(p.handle, ""))
}
