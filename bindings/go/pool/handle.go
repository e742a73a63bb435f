// SPDX-License-Identifier: MIT

package pool

import (
	"runtime"

	"libpool.example/go/internal/native"
)

// The pool of the library.  It is a thing of its own so that it can be freed although the connections, as they may,
// refer to the Go pool that keeps them.
type handle struct {
	pool    native.Struct_SS_pool
	address uintptr
}

func newHandle(config *Config) (*handle, error) {
	settings := config.native()
	defer native.DeletePool_config_t(settings)
	failure := native.NewPool_error_t()
	defer native.DeletePool_error_t(failure)
	pool := native.Pool_step_new(settings, config.Name, failure)
	if pool.Swigcptr() == 0 {
		return nil, &Error{Kind: kinds[int64(failure.GetCode())], Message: failure.GetMessage()}
	}
	h := &handle{pool: pool, address: pool.Swigcptr()}
	runtime.SetFinalizer(h, func(h *handle) { native.Pool_free(h.pool) })
	return h, nil
}

func (h *handle) len() int {
	count := native.Pool_len(h.pool)
	runtime.KeepAlive(h)
	return int(count)
}

func (h *handle) close() int {
	open := native.Pool_close(h.pool, 0)
	runtime.KeepAlive(h)
	return open
}

// When to look again, in nanoseconds.
func (h *handle) maintain() int64 {
	due := native.Pool_maintain(h.pool)
	runtime.KeepAlive(h)
	return due
}
