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
func (p *Pool[C]) Stats() (stats Stats) {
	p.handle.countWith(&p.unseen, &stats)
	return
}

// Name is the pool's name, as in reports and errors.
func (p *Pool[C]) Name() string { return p.handle.name() }

func (h *handle) stats() (stats Stats) {
	h.count(&stats)
	return
}

// To copy these counts once more would be a good part of the whole.
func (h *handle) count(stats *Stats) {
	var counts C.pool_stats_t
	C.stats_read(C.uintptr_t(h.address), &counts)
	runtime.KeepAlive(h)
	stats.fill(&counts)
}

func (t *Times) fill(times *C.pool_times_t) {
	*t = Times{
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

// Health is how a pool is, as Health says it.
type Health int

// What a pool may be: see Pool.Health.
const (
	Healthy Health = iota // no Get has to wait
	Busy                  // they wait, and connections come back
	Stuck                 // they want a connection, and none came back for too long
	Down                  // opens fail and no connection is left, or the pool is closed
)

func (h Health) String() string {
	if h < Healthy || h > Down {
		return "unknown"
	}
	return [...]string{"healthy", "busy", "stuck", "down"}[h]
}

// Health says how the pool is, and why, without taking a connection: for the probes of orchestrators.  A pool is Stuck
// when Gets want a connection and nothing came back for stuckAfter; 0 or less: for as long as a Get waits at most.
func (p *Pool[C]) Health(stuckAfter time.Duration) (Health, string) {
	return p.handle.health(stuckAfter)
}

func (h *handle) health(stuckAfter time.Duration) (Health, string) {
	ms := int64(-1)
	if stuckAfter > 0 {
		ms = roundUp(stuckAfter, time.Millisecond)
	}
	text := native.Pool_health_text(h.pool, ms)
	runtime.KeepAlive(h)
	if text == "" {
		return Down, "no memory"
	}
	return Health(text[0] - '0'), text[1:]
}

// Version is the version of the C library.
func Version() string { return native.Pool_version() }
