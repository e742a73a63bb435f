// SPDX-License-Identifier: MIT

package main

import (
	"math/bits"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

// What all contenders do: so many goroutines share so many connections.
type contest struct {
	goroutines  int
	connections int
	yields      bool          // each gives up its processor while it has one
	lasts       time.Duration // where turns and waits are noted: each sleeps for so long instead
}

// A pool to be measured.
type contender struct {
	name string
	// Returns what each goroutine does until told to stop, which returns how often it did it.
	prepare func(contest) shift
	share   func(contest) shift // the same, and each notes how long it waited; nil: not measured
	capped  bool                // never has more connections than it was told
}

type shift func(stop *atomic.Bool) tally

// What one goroutine has come to.
type tally struct {
	done    int64
	longest time.Duration // wait, where that is noted
	waits   [4 * 64]int32 // how many there were of each length, in quarters of powers of two
}

func (t *tally) note(wait time.Duration) {
	if wait > t.longest {
		t.longest = wait
	}
	length := bits.Len64(uint64(wait) | 4)
	t.waits[4*(length-1)+int(uint64(wait)>>(length-3)&3)]++
}

// In milliseconds: so long nearly all waits are at most, but for one of a thousand.
func nearlyAll(tallies []tally) float64 {
	total, waits := int64(0), [4 * 64]int64{}
	for i := range tallies {
		for length, count := range tallies[i].waits {
			waits[length] += int64(count)
			total += int64(count)
		}
	}
	rest := total / 1000
	for length := len(waits) - 1; length >= 0; length-- {
		if rest -= waits[length]; rest < 0 {
			return float64(int64(length%4+5)<<(length/4-2)) / 1e6
		}
	}
	return 0
}

// So often a shift does its work before it looks whether to stop.
const batch = 64

// One of the contenders in one contest.
type entry struct {
	contender
	shift shift
	times []float64 // nanoseconds per get and put, all goroutines together, of each round
	turns []float64 // the least of a goroutine through the most
	waits []float64 // the longest of each round, in milliseconds
	most  []float64 // but for one of a thousand
}

type measurement struct {
	rounds     int
	length     time.Duration
	longRounds int
	longLength time.Duration
	report     *report
}

// The contenders take turns in short rounds, so that what else the machine does meanwhile meets all of them alike, and
// medians are taken, so that a round that it spoiled does not count for much.
func (m *measurement) contend(c contest, contenders []contender) []*entry {
	all := []*entry{}
	for _, each := range contenders {
		all = append(all, &entry{contender: each, shift: each.prepare(c)})
	}
	m.rival(c, all, m.rounds, m.length)
	return all
}

func (m *measurement) rival(c contest, all []*entry, rounds int, length time.Duration) {
	for _, each := range all {
		work(c, each.shift, m.length) // warms up
	}
	for round := 0; round < rounds; round++ {
		for turn := range all {
			each := all[(turn+round)%len(all)]
			each.note(work(c, each.shift, length))
		}
	}
}

func (m *measurement) compare(name string, c contest) {
	contenders := []contender{libpool}
	for _, each := range peers {
		if each.capped || c.connections > c.goroutines {
			contenders = append(contenders, each)
		}
	}
	all := m.contend(c, contenders)
	best := bestOf(all[1:])
	m.report.atMost(name, all[0].time()/best.time(), "times "+best.name, 1)
	m.reportTimes(name, all)
}

func (m *measurement) reportTimes(name string, all []*entry) {
	for _, each := range all {
		m.report.rounds(name, each.name, each.times, "ns")
	}
}

// One round: what each goroutine has come to, and how long all took.
func work(c contest, shift shift, length time.Duration) ([]tally, time.Duration) {
	runtime.GC() // what the others have left is not of this round
	var stop atomic.Bool
	var group sync.WaitGroup
	tallies := make([]tally, c.goroutines)
	began := time.Now()
	for i := range tallies {
		group.Add(1)
		go func(mine *tally) {
			defer group.Done()
			*mine = shift(&stop)
		}(&tallies[i])
	}
	time.Sleep(length)
	stop.Store(true)
	group.Wait()
	return tallies, time.Since(began)
}

func (e *entry) note(tallies []tally, took time.Duration) {
	total, least, most, longest := int64(0), tallies[0].done, tallies[0].done, time.Duration(0)
	for _, each := range tallies {
		total += each.done
		if each.done < least {
			least = each.done
		}
		if each.done > most {
			most = each.done
		}
		if each.longest > longest {
			longest = each.longest
		}
	}
	e.times = append(e.times, float64(took.Nanoseconds())/float64(total))
	e.turns = append(e.turns, float64(least)/float64(most))
	e.waits = append(e.waits, float64(longest.Microseconds())/1000)
	e.most = append(e.most, nearlyAll(tallies))
}

func (e *entry) time() float64 { return median(e.times) }

func bestOf(entries []*entry) *entry {
	best := entries[0]
	for _, each := range entries {
		if each.time() < best.time() {
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
