// SPDX-License-Identifier: MIT

package pool

import (
	"runtime"
	"time"

	"libpool.example/go/internal/native"
)

// Stats are the counts of a pool at one moment.  The first five are states, the others only grow.
type Stats struct {
	Open           int64 // all places taken: idle, leased, being opened, checked or closed
	Idle           int64
	Leased         int64
	Opening        int64
	Waiting        int64
	Lent           int64 // leases that ended
	Opened         int64
	Closed         int64
	OpenFailures   int64
	Checks         int64
	CheckFailures  int64
	CloseFailures  int64
	ClosedUnusable int64 // because of Discard, or a reset that failed
	ClosedSurplus  int64 // because of MaxIdle
	ClosedIdle     int64 // because of IdleTimeout
	ClosedLifetime int64 // because of MaxLifetime
	ClosedFlushed  int64 // because of Flush
	ClosedResized  int64 // because of Resize
	Waited         int64 // waits that ended with a connection, or with the right to open one
	TimedOut       int64 // gets that ended at their deadline
	FoundNone      int64 // looks that found nothing: each TryGet, and the first look of each Get
	Overloaded     int64
	Cancelled      int64
	FailedFast     int64 // gets that failed at once because the server is down
	FailedOpen     int64 // gets that failed because an open failed
	FailedClosed   int64 // gets that failed because the pool was closed
	Evicted        int64
	BreakerOpened  int64
	Leaked         int64
	WaitSum        time.Duration
	WaitMax        time.Duration
	Wait           Times // in the queue
	Use            Times // from get to release, of one lease in 1,024
}

// Times is how long something took: quantiles, off by at most 1.6 per cent.
type Times struct {
	Count               int64
	Sum                 time.Duration
	P50, P90, P99, P999 time.Duration
	Max                 time.Duration
}

// How Report writes.
const (
	Text       = native.POOL_FORMAT_TEXT       // a table for people
	JSON       = native.POOL_FORMAT_JSON       // one object; durations are in nanoseconds
	Prometheus = native.POOL_FORMAT_PROMETHEUS // Prometheus's text exposition format
)

// Stats counts.
func (p *Pool[C]) Stats() Stats { return p.handle.stats() }

func (h *handle) stats() Stats {
	counts := native.Pool_statistics(h.pool)
	defer native.DeletePool_stats_t(counts)
	runtime.KeepAlive(h)
	return Stats{
		Open:           counts.GetOpen(),
		Idle:           counts.GetIdle(),
		Leased:         counts.GetLeased(),
		Opening:        counts.GetOpening(),
		Waiting:        counts.GetWaiting(),
		Lent:           counts.GetLent(),
		Opened:         counts.GetOpened(),
		Closed:         counts.GetClosed(),
		OpenFailures:   counts.GetOpen_failures(),
		Checks:         counts.GetChecks(),
		CheckFailures:  counts.GetCheck_failures(),
		CloseFailures:  counts.GetClose_failures(),
		ClosedUnusable: counts.GetClosed_unusable(),
		ClosedSurplus:  counts.GetClosed_surplus(),
		ClosedIdle:     counts.GetClosed_idle(),
		ClosedLifetime: counts.GetClosed_lifetime(),
		ClosedFlushed:  counts.GetClosed_flushed(),
		ClosedResized:  counts.GetClosed_resized(),
		Waited:         counts.GetWaited(),
		TimedOut:       counts.GetTimed_out(),
		FoundNone:      counts.GetFound_none(),
		Overloaded:     counts.GetOverloaded(),
		Cancelled:      counts.GetCancelled(),
		FailedFast:     counts.GetFailed_fast(),
		FailedOpen:     counts.GetFailed_open(),
		FailedClosed:   counts.GetFailed_closed(),
		Evicted:        counts.GetEvicted(),
		BreakerOpened:  counts.GetBreaker_opened(),
		Leaked:         counts.GetLeaked(),
		WaitSum:        time.Duration(counts.GetWait_ns()),
		WaitMax:        time.Duration(counts.GetWait_max_ns()),
		Wait:           timesOf(counts.GetWait()),
		Use:            timesOf(counts.GetUse()),
	}
}

func timesOf(times native.Pool_times_t) Times {
	return Times{
		Count: times.GetCount(),
		Sum:   time.Duration(times.GetSum_ns()),
		P50:   time.Duration(times.GetP50_ns()),
		P90:   time.Duration(times.GetP90_ns()),
		P99:   time.Duration(times.GetP99_ns()),
		P999:  time.Duration(times.GetP999_ns()),
		Max:   time.Duration(times.GetMax_ns()),
	}
}

// Report writes what Stats knows, and more, as text; the formats are Text, JSON and Prometheus.
func (p *Pool[C]) Report(format int) (string, error) { return p.handle.report(format) }

func (h *handle) report(format int) (string, error) {
	text := native.Pool_report_text(h.pool, saturate(format))
	runtime.KeepAlive(h)
	if text == "" {
		return "", &Error{Kind: ErrInvalid, Message: "no such format"}
	}
	return text, nil
}

// Version is the version of the C library.
func Version() string { return native.Pool_version() }
