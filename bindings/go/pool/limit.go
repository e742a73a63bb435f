// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"sync/atomic"
	"time"
)

// Gets whose context was over when they began.  They ask the library for nothing, so they are counted here.
type early struct{ cancelled, timedOut atomic.Int64 }

func (e *early) count(err *Error) *Error {
	if err.Kind == ErrCancelled {
		e.cancelled.Add(1)
	} else {
		e.timedOut.Add(1)
	}
	return err
}

func (e *early) addTo(stats Stats) Stats {
	stats.Cancelled += e.cancelled.Load()
	stats.TimedOut += e.timedOut.Load()
	return stats
}

// The context of a get, which the pool's own limit ends as well.
type limitedContext struct {
	context.Context
	caller context.Context
}

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

// Ends a context at the latest after so long; 0: no limit.  A context may have a deadline and a Done that is nil: then
// its deadline is kept here, too.  Every other keeps its own, so who looks at it afterwards sees that it is over.
func limit(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	deadline, dated := ctx.Deadline()
	own := time.Now().Add(after)
	isFirst := after != 0 && (!dated || own.Before(deadline))
	if isFirst {
		deadline = own
	}
	caller := callerOf(ctx)
	if isUnkept(ctx) {
		ctx = undatedContext{ctx}
	} else if !isFirst {
		return ctx, func() {}
	}
	limited, cancel := context.WithDeadline(ctx, deadline)
	return &limitedContext{limited, caller}, cancel
}

// What ends a get that begins now.
func (p *Pool[C]) patience(ctx context.Context) patience {
	most := patience{ctx: ctx}
	deadline, dated := ctx.Deadline()
	if p.timeout > 0 {
		most.until = time.Now().Add(p.timeout)
	}
	if dated && (most.until.IsZero() || !most.until.Before(deadline)) {
		most.until = time.Time{} // the context is first
		if ctx.Done() == nil {
			most.until = deadline // and does not say so
		}
	}
	return most
}

// Whether a context has a deadline at which it does not end.
func isUnkept(ctx context.Context) bool {
	_, dated := ctx.Deadline()
	return dated && ctx.Done() == nil
}

// The error of a get whose context was over when it began.
func (p *Pool[C]) tooLate(ctx context.Context) error {
	return p.early.count(overOrLate(ctx, p.timeout).in(p.handle, ""))
}
