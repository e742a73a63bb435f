// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// What all contenders do: so many goroutines share so many connections, and each may give up its processor while it has
// one.
type contest struct {
	goroutines  int
	connections int
	yields      bool
}

// A pool to be measured.
type contender struct {
	name string
	// Returns what each goroutine does until told to stop, which returns how often it did it.
	prepare func(contest) shift
	capped  bool // never has more connections than it was told
}

type shift func(stop *atomic.Bool) int64

// So often a shift does its work before it looks whether to stop.
const batch = 64

// One of the contenders in one contest.
type entry struct {
	contender
	shift shift
	times []float64 // nanoseconds per get and put, of each round
}

type measurement struct {
	rounds int
	length time.Duration
	report *report
}

// The contenders take turns in short rounds, so that what else the machine does meanwhile meets all of them alike, and
// medians are taken, so that a round that it spoiled does not count for much.
func (m *measurement) compare(name string, c contest) {
	ours, others := entry{contender: libpool, shift: libpool.prepare(c)}, []*entry{}
	for _, each := range peers {
		if each.capped || c.connections > c.goroutines {
			others = append(others, &entry{contender: each, shift: each.prepare(c)})
		}
	}
	all := append([]*entry{&ours}, others...)
	for _, each := range all {
		m.work(c, each.shift) // warms up
	}
	for round := 0; round < m.rounds; round++ {
		for turn := range all {
			each := all[(turn+round)%len(all)]
			each.times = append(each.times, m.work(c, each.shift))
		}
	}
	best := bestOf(others)
	m.report.atMost(name, median(ours.times)/median(best.times), "times "+best.name, 1)
	for _, each := range all {
		m.report.only(name+"."+each.name, median(each.times), "ns")
	}
}

// One round: how many nanoseconds of time one get and put took, all goroutines together.
func (m *measurement) work(c contest, shift shift) float64 {
	runtime.GC() // what the others have left is not of this round
	var stop atomic.Bool
	var done atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for i := 0; i < c.goroutines; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			done.Add(shift(&stop))
		}()
	}
	time.Sleep(m.length)
	stop.Store(true)
	group.Wait()
	return float64(time.Since(began).Nanoseconds()) / float64(done.Load())
}

func bestOf(entries []*entry) *entry {
	best := entries[0]
	for _, each := range entries {
		if median(each.times) < median(best.times) {
			best = each
		}
	}
	return best
}

func median(values []float64) float64 {
	sorted := append([]float64(nil), values...)
	sort.Float64s(sorted)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
