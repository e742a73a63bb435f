// SPDX-License-Identifier: MIT

package pool

/*
#include "stats.h"
*/
import "C"

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
func (p *Pool[C]) Stats() Stats { return p.early.addTo(p.handle.stats()) }

// Name is the pool's name, as in reports and errors.
func (p *Pool[C]) Name() string { return p.handle.name() }

func (h *handle) stats() Stats {
	var counts C.pool_stats_t
	C.stats_read(C.uintptr_t(h.address), &counts)
	runtime.KeepAlive(h)
	return statsOf(&counts)
}

func timesOf(times *C.pool_times_t) Times {
	return Times{
		Count: int64(times.count),
		Sum:   time.Duration(times.sum_ns),
		P50:   time.Duration(times.p50_ns),
		P90:   time.Duration(times.p90_ns),
		P99:   time.Duration(times.p99_ns),
		P999:  time.Duration(times.p999_ns),
		Max:   time.Duration(times.max_ns),
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
