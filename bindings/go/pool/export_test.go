// SPDX-License-Identifier: MIT

package pool

import (
	"time"

	"libpool.example/go/internal/native"
)

// Nameless lists the codes that the library has a text for, and this package no error.
func Nameless() (codes []int64) {
	unknown := native.Pool_strerror(-1 << 40)
	for code := int64(-1); native.Pool_strerror(code) != unknown; code-- {
		if kinds[code] == nil {
			codes = append(codes, code)
		}
	}
	return
}

// Kinds is how many errors there are, one for each code.
func Kinds() int { return len(kinds) }

// WakeUps is how often the goroutines of a pool were woken to look after it.
func (p *Pool[C]) WakeUps() int64 { return p.keeper.count() + p.teller.count() }

func (h *helper) count() int64 {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.begun
}

// Address is where the library has the pool.
func (p *Pool[C]) Address() uintptr { return p.handle.address }

// Takes says whether the view lends a connection that this goroutine used last, which is put back; and whether the
// library is asked about it.
func (p *Pool[C]) Takes() (takes, asks bool) {
	lease, asks := p.view.take(p.view.home())
	if lease != 0 {
		end(lease)
	}
	return lease != 0, asks
}

// Expect lets the view try what this lease's slot gives next.
func (l Lease[C]) Expect() { l.place.pool.view.expect(l.place.pool.view.home(), l.number) }

// NeverRings lets gets wait for their opens alone until they are roused.
func (p *Pool[C]) NeverRings() {
	p.underway.mutex.Lock()
	defer p.underway.mutex.Unlock()
	p.underway.grace = time.Hour
}

// HasSpareOpening says whether the next get that opens alone is lent what one before it has left.
func (p *Pool[C]) HasSpareOpening() bool { return p.openings.Get() != nil }

// Fairness is the setting as the library has it.
func (p *Pool[C]) Fairness() time.Duration { return p.fairness }

// LeasesOfATurn is how many leases of a connection make a turn now.
func (p *Pool[C]) LeasesOfATurn() int {
	return int(p.view.turns.within.Load()/uint64(p.view.is.generation)) + 1
}

// LearnThatLeasesLast is how many leases of a connection make a turn once it is known how long they last.
func (p *Pool[C]) LearnThatLeasesLast(each time.Duration) int {
	for leases := 1; leases < mostLeases; leases *= 2 { // it changes by one step at a time
		p.LearnOnce(each)
	}
	return p.LeasesOfATurn()
}

// LearnOnce is how many they are after leases of one connection were watched that lasted so long.
func (p *Pool[C]) LearnOnce(each time.Duration) int {
	p.view.turns.learn(&p.view, int64(each))
	return p.LeasesOfATurn()
}
