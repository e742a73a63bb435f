// SPDX-License-Identifier: MIT

//go:build go1.24

package pool_test

import (
	"testing"

	"libpool.example/go/pool"
)

func TestWithoutHooksNothingIsAllocated(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	release(t, get(t, p))
	if count := testing.AllocsPerRun(1000, func() {
		lease, _ := p.Get(background)
		_ = lease.Release()
		p.Stats()
	}); count != 0 {
		t.Errorf("%v allocations for a get, a release and a Stats", count)
	}
}
