// SPDX-License-Identifier: MIT

package pool

import (
	"runtime"
	"time"

	"libpool.example/go/internal/native"
)

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
	return statsOf(counts)
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
