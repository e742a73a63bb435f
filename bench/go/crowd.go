// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/jackc/puddle/v2"
	"libpool.example/go/pool"
)

// Many goroutines that share few connections, and connections that are replaced: how fast, and how fair.
//
// How fast they are is measured without a look at the clock.  Turns and waits are noted in rounds of their own, which are so
// long that ten milliseconds, for which Go may let a goroutine run, are a small part of them.  A goroutine gives up its
// processor while it has a connection, or sleeps as if it asked a server.

// Shares nothing: what is left is a change of goroutines, and two looks at the clock where waits are noted.
var nothing = contender{name: "nothing", prepare: prepareNothing, share: shareNothing}

func prepareNothing(c contest) shift {
	return func(stop *atomic.Bool) (mine tally) {
		for ; !stop.Load(); mine.done += batch {
			for i := 0; i < batch; i++ {
				if c.yields {
					runtime.Gosched()
				}
			}
		}
		return
	}
}

func use[T any](c contest, get func() T, put func(T)) shift {
	return func(stop *atomic.Bool) (mine tally) {
		for ; !stop.Load(); mine.done++ {
			began := time.Now()
			conn := get()
			mine.note(time.Since(began))
			if c.lasts > 0 {
				time.Sleep(c.lasts)
			} else if c.yields {
				runtime.Gosched()
			}
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

func release(l pool.Lease[*connection]) { must(l.Release()) }

func shareLibpool(c contest) shift { return use(c, lease(newLibpool(c.connections, 0)), release) }

func sharePuddle(c contest) shift {
	return use(c, acquire(newPuddle(c.connections)), (*puddle.Resource[*connection]).Release)
}

func shareChannel(c contest) shift {
	free := filled(c.connections)
	return use(c, func() *connection { return <-free }, func(conn *connection) { free <- conn })
}

func shareNothing(c contest) shift {
	return use(c, func() *connection { return nil }, func(*connection) {})
}

// Ours, the peers that never have more connections than they may, and at last what shares nothing.
func sharers() []contender {
	contenders := []contender{libpool}
	for _, each := range peers {
		if each.share != nil {
			contenders = append(contenders, each)
		}
	}
	return append(contenders, nothing)
}

func (m *measurement) share(name string, c contest) {
	all := m.contend(c, sharers())
	ours, puddle, empty := all[0].time(), all[1].time(), all[len(all)-1].time()
	m.report.atMost(name, ours/puddle, "times puddle_v2", 0.2)
	m.report.only(name+".net", (ours-empty)/(puddle-empty), "times puddle_v2")
	m.reportTimes(name, all)
}

// How even the turns are, and how long one waits at most.  Those that lend in strict order wait alike, but for noise.
func (m *measurement) wait(name string, c contest) {
	all := []*entry{}
	for _, each := range sharers() {
		all = append(all, &entry{contender: each, shift: each.share(c)})
	}
	m.rival(c, all, m.longRounds, m.longLength)
	least := median(all[1].waits)
	for _, each := range all[2 : len(all)-1] {
		if waits := median(each.waits); waits < least {
			least = waits
		}
	}
	m.report.atLeast(name+".turns", median(all[0].turns), "least/most", 0.99)
	m.report.atMost(name+".longest", median(all[0].waits)/least, "times the best other", 1+noise)
	for _, each := range all {
		m.report.only(name+"."+each.name+".turns", median(each.turns), "least/most")
		m.report.only(name+"."+each.name+".longest", median(each.waits), "ms")
		m.report.only(name+"."+each.name+".999", median(each.most), "ms")
	}
}

func (m *measurement) replace(name string) {
	one := contest{goroutines: 1, yields: true}
	discard := func(l pool.Lease[*connection]) { must(l.Discard()) }
	all := []*entry{
		{contender: libpool, shift: use(one, lease(newLibpool(connections, 0)), discard)},
		{contender: contender{name: puddleV2}, shift: use(one, acquire(newPuddle(connections)), (*puddle.Resource[*connection]).Destroy)},
	}
	m.rival(one, all, m.rounds, m.length)
	m.report.atMost(name, all[0].time()/all[1].time(), "times puddle_v2", 1.5)
	m.reportTimes(name, all)
}

// How much a get allocates that waits, and what is done meanwhile.
func (m *measurement) allocations(name string) {
	p, four := newLibpool(1, -1), contest{goroutines: 4, yields: true} // in strict order, so all of them wait
	shift := use(four, lease(p), release)
	work(four, shift, m.length) // warms up
	before, waited := new(runtime.MemStats), p.Stats().Waited
	runtime.ReadMemStats(before)
	work(four, shift, m.longLength) // so that what a round takes itself does not count
	after := new(runtime.MemStats)
	runtime.ReadMemStats(after)
	m.report.atMost(name, float64(after.Mallocs-before.Mallocs)/float64(p.Stats().Waited-waited), "a wait", 2)
}
