// SPDX-License-Identifier: MIT

package pool

import (
	"encoding/json"
	"runtime"
	"sync"

	"libpool.example/go/internal/native"
)

// The pool of the library.  It is a thing of its own so that it can be freed although the connections, as they may,
// refer to the Go pool that keeps them.
type handle struct {
	pool    native.Struct_SS_pool
	address uintptr
	reading sync.Once
	named   string
	forget  func(lease int64) // ends one of a closed pool; nil: another handle has the leases
}

func newHandle(settings *settings, abilities int, name string) (*handle, error) {
	return handleOf(native.Pool_step_new(settings.Pool_config_t, abilities, name, settings.failure), settings)
}

func newDriverHandle(settings *settings, name, driver, address string) (*handle, error) {
	return handleOf(native.Pool_driver_new(settings.Pool_config_t, name, driver, address, settings.failure), settings)
}

func newURLHandle(settings *settings, name, url string) (*handle, error) {
	return handleOf(native.Pool_url_new(settings.Pool_config_t, name, url, settings.failure), settings)
}

func handleOf(pool native.Struct_SS_pool, settings *settings) (*handle, error) {
	if pool.Swigcptr() == 0 {
		return nil, failureOf(int64(settings.failure.GetCode()), settings.failure.GetMessage())
	}
	h := &handle{pool: pool, address: pool.Swigcptr()}
	// It may have connections to close, and others have finalizers, too.
	runtime.SetFinalizer(h, func(h *handle) { go h.free() })
	return h, nil
}

// A lease keeps its pool, so those that are still out were forgotten with it, and the library would wait for them.
func (h *handle) free() {
	if h.forget != nil {
		h.close()
		for _, info := range h.leases() {
			h.forget(info.Lease)
		}
	}
	native.Pool_free(h.pool)
}

func forget(lease int64) {
	if next := end(lease); next.work == workClose {
		succeeded(int64(next.claim), new(step))
	}
}

func forgetOfDriver(lease int64) { put(lease) }

// The name that the pool has in reports, from wherever it is: a Config, a setting or a URL.
func (h *handle) name() string {
	h.reading.Do(func() {
		var report struct{ Name string }
		text, _ := h.report(JSON)
		_ = json.Unmarshal([]byte(text), &report)
		h.named = report.Name
	})
	return h.named
}

// Of one pool, or of all.
func exposed(expose func(native.Pool_error_t) int) error {
	failure := native.NewPool_error_t()
	defer native.DeletePool_error_t(failure)
	if code := expose(failure); code < 0 {
		return failureOf(int64(code), failure.GetMessage())
	}
	return nil
}

func (h *handle) expose() error {
	err := exposed(func(failure native.Pool_error_t) int { return native.Pool_expose(h.pool, failure) })
	runtime.KeepAlive(h)
	return err
}

func (h *handle) len() int {
	count := native.Pool_len(h.pool)
	runtime.KeepAlive(h)
	return int(count)
}

func (h *handle) close() int {
	return h.closeWithin(0)
}

// How many connections are still open after this many milliseconds at most.
func (h *handle) closeWithin(limit int64) int {
	open := native.Pool_close(h.pool, limit)
	runtime.KeepAlive(h)
	return open
}

func (h *handle) flush() int {
	count := native.Pool_flush(h.pool)
	runtime.KeepAlive(h)
	return count
}

func (h *handle) evict() int {
	count := native.Pool_evict(h.pool)
	runtime.KeepAlive(h)
	return count
}

// When to look again, in nanoseconds.
func (h *handle) maintain() int64 {
	due := native.Pool_maintain(h.pool)
	runtime.KeepAlive(h)
	return due
}
