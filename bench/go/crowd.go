// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/puddle/v2"
	"libpool.example/go/pool"
)

// Many goroutines that share few connections, and connections that are replaced: how fast, and how fair.

// What one goroutine has come to.
type tally struct {
	done    int64
	longest time.Duration // wait
}

// Shares nothing: what is left is what measuring takes, two looks at the clock and a change of goroutines.
const nothing = "nothing"

// One of those that are measured so; work is what a goroutine does until told to stop.
type party struct {
	name  string
	work  func(stop *atomic.Bool) tally
	times []float64
	turns []float64 // the least of a goroutine through the most
	waits []float64 // the longest of each round, in milliseconds
}

func use[T any](get func() T, put func(T)) func(*atomic.Bool) tally {
	return func(stop *atomic.Bool) (mine tally) {
		for ; !stop.Load(); mine.done++ {
			began := time.Now()
			conn := get()
			if waited := time.Since(began); waited > mine.longest {
				mine.longest = waited
			}
			runtime.Gosched()
			put(conn)
		}
		return
	}
}

func newLibpool(connections int, fairness time.Duration) *pool.Pool[*connection] {
	open := func(context.Context) (*connection, error) { return new(connection), nil }
	p, err := pool.New(pool.Config{MaxOpen: connections, Fairness: fairness}, open, pool.WithClose((*connection).Close))
	must(err)
	return p
}

func newPuddle(connections int) *puddle.Pool[*connection] {
	p, err := puddle.NewPool(&puddle.Config[*connection]{
		Constructor: func(context.Context) (*connection, error) { return new(connection), nil },
		Destructor:  func(*connection) {},
		MaxSize:     int32(connections),
	})
	must(err)
	return p
}

func lease(p *pool.Pool[*connection]) func() pool.Lease[*connection] {
	return func() pool.Lease[*connection] {
		lease, err := p.Get(context.Background())
		must(err)
		return lease
	}
}

func acquire(p *puddle.Pool[*connection]) func() *puddle.Resource[*connection] {
	return func() *puddle.Resource[*connection] {
		resource, err := p.Acquire(context.Background())
		must(err)
		return resource
	}
}

func sharing(connections int) []*party {
	free := make(chan *connection, connections)
	for i := 0; i < connections; i++ {
		free <- new(connection)
	}
	return []*party{
		{name: "libpool", work: use(lease(newLibpool(connections, 0)), func(l pool.Lease[*connection]) { must(l.Release()) })},
		{name: "puddle_v2", work: use(acquire(newPuddle(connections)), (*puddle.Resource[*connection]).Release)},
		{name: "channel", work: use(func() *connection { return <-free }, func(conn *connection) { free <- conn })},
		{name: nothing, work: use(func() *connection { return nil }, func(*connection) {})},
	}
}

func replacing() []*party {
	return []*party{
		{name: "libpool", work: use(lease(newLibpool(connections, 0)), func(l pool.Lease[*connection]) { must(l.Discard()) })},
		{name: "puddle_v2", work: use(acquire(newPuddle(connections)), (*puddle.Resource[*connection]).Destroy)},
	}
}

// One round of so many goroutines.
func (m *measurement) gather(goroutines int, p *party) {
	runtime.GC()
	var stop atomic.Bool
	var group sync.WaitGroup
	tallies := make([]tally, goroutines)
	began := time.Now()
	for i := range tallies {
		group.Add(1)
		go func(mine *tally) {
			defer group.Done()
			*mine = p.work(&stop)
		}(&tallies[i])
	}
	time.Sleep(m.length)
	stop.Store(true)
	group.Wait()
	p.note(tallies, time.Since(began))
}

func (p *party) note(tallies []tally, took time.Duration) {
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
	p.times = append(p.times, float64(took.Nanoseconds())/float64(total))
	p.turns = append(p.turns, float64(least)/float64(most))
	p.waits = append(p.waits, float64(longest.Microseconds())/1000)
}

// The parties take turns, as contenders do.
func (m *measurement) rival(goroutines int, parties []*party) {
	for round := 0; round < m.rounds; round++ {
		for turn := range parties {
			m.gather(goroutines, parties[(turn+round)%len(parties)])
		}
	}
}

func (m *measurement) share(name string, goroutines, connections int) {
	parties := sharing(connections)
	m.rival(goroutines, parties)
	ours, puddle, channel, empty := parties[0], parties[1], parties[2], parties[3]
	least := median(puddle.waits)
	if waits := median(channel.waits); waits < least {
		least = waits
	}
	measuring := median(empty.times)
	m.report.atMost(name, median(ours.times)/median(puddle.times), "times puddle_v2", 0.2)
	m.report.only(name+".net", (median(ours.times)-measuring)/(median(puddle.times)-measuring), "times puddle_v2")
	m.report.atLeast(name+".turns", median(ours.turns), "least/most", 0.99)
	m.report.atMost(name+".longest", median(ours.waits)/least, "times the best other", 1)
	for _, each := range parties {
		m.report.only(name+"."+each.name, median(each.times), "ns")
		m.report.only(name+"."+each.name+".turns", median(each.turns), "least/most")
		m.report.only(name+"."+each.name+".longest", median(each.waits), "ms")
	}
}

func (m *measurement) replace(name string) {
	parties := replacing()
	m.rival(1, parties)
	m.report.atMost(name, median(parties[0].times)/median(parties[1].times), "times puddle_v2", 1.5)
	for _, each := range parties {
		m.report.only(name+"."+each.name, median(each.times), "ns")
	}
}

// How much a get allocates that waits, and what is done meanwhile.
func (m *measurement) allocations(name string) {
	p := newLibpool(1, -1) // in strict order, so all of them wait
	mine := &party{work: use(lease(p), func(l pool.Lease[*connection]) { must(l.Release()) })}
	m.gather(4, mine) // warms up
	before, waited := new(runtime.MemStats), p.Stats().Waited
	runtime.ReadMemStats(before)
	m.gather(4, mine)
	after := new(runtime.MemStats)
	runtime.ReadMemStats(after)
	m.report.atMost(name, float64(after.Mallocs-before.Mallocs)/float64(p.Stats().Waited-waited), "a wait", 2)
}
