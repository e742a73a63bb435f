// SPDX-License-Identifier: MIT

package pool

import "context"

// Source is a pool of whatever connections, as tracers and collectors see it; Pool and DriverPool are.
type Source interface {
	Name() string
	Stats() Stats
	Limits() Limits
	Report(format int) (string, error)
}

// AcquireTracer is told of each Get and TryGet, in its goroutine.  The context that the first method returns is that of the
// Get from then on, and comes to the second; nil changes nothing.  These interfaces have the shape that those of pgxpool have: Config.Tracer
// has as many of them as it likes.
type AcquireTracer interface {
	TraceAcquireStart(ctx context.Context, pool Source, data TraceAcquireStartData) context.Context
	TraceAcquireEnd(ctx context.Context, pool Source, data TraceAcquireEndData)
}

// ReleaseTracer is told of each lease that ends.
type ReleaseTracer interface {
	TraceRelease(pool Source, data TraceReleaseData)
}

// OpenTracer is told of each open of a Pool, also of those that nobody waits for.
type OpenTracer interface {
	TraceOpenStart(ctx context.Context, pool Source, data TraceOpenStartData) context.Context
	TraceOpenEnd(ctx context.Context, pool Source, data TraceOpenEndData)
}

// CloseTracer is told of each connection of a Pool that was closed.
type CloseTracer interface {
	TraceClose(pool Source, data TraceCloseData)
}

// TraceAcquireStartData has no members yet.
type TraceAcquireStartData struct{}

// TraceAcquireEndData says how a Get ended.
type TraceAcquireEndData struct {
	Conn  any   // the connection; nil of a DriverPool, or if there is none
	Lease int64 // its number, as in Event, or 0
	Err   error // why there is no lease, or nil
}

// TraceReleaseData says which lease ended.
type TraceReleaseData struct {
	Conn      any   // the connection; nil of a DriverPool
	Lease     int64 // its number, as in Event
	Discarded bool  // the connection is closed, and not for the next user
}

// TraceOpenStartData has no members yet.
type TraceOpenStartData struct{}

// TraceOpenEndData says how an open ended.
type TraceOpenEndData struct {
	Conn any   // the connection, if there is one
	Err  error // why there is none, or nil
}

// TraceCloseData says what was closed.
type TraceCloseData struct {
	Conn any
	Err  error // of close, or nil
}

// What a Config.Tracer is able to be told.
type tracers struct {
	acquire  AcquireTracer
	releases ReleaseTracer
	open     OpenTracer
	close    CloseTracer
}

// The tracer of a config.
func (s *settings) tracers(tracer any) (t tracers) {
	t.acquire, _ = tracer.(AcquireTracer)
	t.releases, _ = tracer.(ReleaseTracer)
	t.open, _ = tracer.(OpenTracer)
	t.close, _ = tracer.(CloseTracer)
	none := t.acquire == nil && t.releases == nil && t.open == nil && t.close == nil
	if none && tracer != nil && s.err == nil {
		s.err = &Error{Kind: ErrInvalid, Message: "Config.Tracer has the methods of none of the tracers"}
	}
	return
}

// What follows needs a context, also where a tracer returns none.
func orGiven(returned, given context.Context) context.Context {
	if returned == nil {
		return given
	}
	return returned
}

func (t *tracers) acquireStart(ctx context.Context, pool Source) context.Context {
	if t.acquire == nil {
		return ctx
	}
	return orGiven(t.acquire.TraceAcquireStart(ctx, pool, TraceAcquireStartData{}), ctx)
}

func (t *tracers) acquireEnd(ctx context.Context, pool Source, lease int64, conn any, err error) {
	if t.acquire == nil {
		return
	}
	if err != nil {
		conn = nil
	}
	t.acquire.TraceAcquireEnd(ctx, pool, TraceAcquireEndData{Conn: conn, Lease: lease, Err: err})
}

func (t *tracers) release(pool Source, lease int64, conn any, discarded bool) {
	if t.releases != nil {
		t.releases.TraceRelease(pool, TraceReleaseData{Conn: conn, Lease: lease, Discarded: discarded})
	}
}

func (t *tracers) openStart(ctx context.Context, pool Source) context.Context {
	if t.open == nil {
		return ctx
	}
	return orGiven(t.open.TraceOpenStart(ctx, pool, TraceOpenStartData{}), ctx)
}

func (t *tracers) openEnd(ctx context.Context, pool Source, conn any, err error) {
	if t.open == nil {
		return
	}
	if err != nil {
		conn = nil
	}
	t.open.TraceOpenEnd(ctx, pool, TraceOpenEndData{Conn: conn, Err: err})
}

func (t *tracers) closed(pool Source, conn any, err error) {
	if t.close != nil {
		t.close.TraceClose(pool, TraceCloseData{Conn: conn, Err: err})
	}
}
