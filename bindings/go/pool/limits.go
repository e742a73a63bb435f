// SPDX-License-Identifier: MIT

package pool

import "sync/atomic"

// Limits are the settings that counts are compared with.
type Limits struct {
	MaxOpen int // the hard cap, also after Resize; 0: none
	MaxIdle int // -1: the library's default
	MinIdle int
}

// The limits of a pool, of which one may change.
type limits struct {
	maxOpen          atomic.Int64
	maxIdle, minIdle int
}

func (l *limits) read(s *settings) {
	l.maxOpen.Store(int64(s.GetMax_open()))
	l.maxIdle, l.minIdle = s.GetMax_idle(), s.GetMin_idle()
}

func (l *limits) resize(h *handle, maxOpen int) step {
	left := h.resize(maxOpen)
	if left.result >= 0 {
		l.maxOpen.Store(int64(maxOpen))
	}
	return left
}

// Limits says what the pool may open and keep.  Of a DriverPool that poolctl resizes it does not know.
func (l *limits) Limits() Limits {
	return Limits{MaxOpen: int(l.maxOpen.Load()), MaxIdle: l.maxIdle, MinIdle: l.minIdle}
}
