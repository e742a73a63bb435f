// SPDX-License-Identifier: MIT

package pool_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"libpool.example/go/pool"
)

// What a pool has told.
type diary struct {
	mutex  sync.Mutex
	events []pool.Event
	lines  []string
}

func (d *diary) event(event pool.Event) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.events = append(d.events, event)
}

func (d *diary) line(level pool.LogLevel, line string) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.lines = append(d.lines, map[pool.LogLevel]string{
		pool.LogError: "error ", pool.LogWarn: "warn ", pool.LogInfo: "info "}[level]+line)
}

func (d *diary) names() string {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	var names []string
	for _, event := range d.events {
		names = append(names, string(event.Name))
	}
	return strings.Join(names, " ")
}

// The last event of a name that was told.
func (d *diary) last(name pool.EventName) (last pool.Event) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for _, event := range d.events {
		if event.Name == name {
			last = event
		}
	}
	return
}

func (d *diary) says(line string) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	for _, each := range d.lines {
		if each == line {
			return true
		}
	}
	return false
}

func TestEventsAreToldInTheirOrder(t *testing.T) {
	var d diary
	p, _ := newPool(t, pool.Config{MaxOpen: 1}, pool.WithEvents[*connection](d.event))
	lease := get(t, p)
	release(t, lease)
	succeed(t, get(t, p).Discard())
	drain(t, p)
	want := "pool_created opening opened lent returned lent returned closed pool_closed"
	eventually(t, "all is told", func() bool { return d.names() == want })
	closed := d.last(pool.EventClosed)
	if closed.Reason != "unusable" || closed.Connection != 1 || closed.Err != nil || closed.Lost != 0 {
		t.Errorf("%+v", closed)
	}
	if lent := d.last(pool.EventLent); lent.Connection != 1 || lent.Lease == 0 || lent.Duration < 0 {
		t.Errorf("%+v", lent)
	}
}

func TestOnlyTheNamedEventsAreTold(t *testing.T) {
	var d diary
	p, _ := newPool(t, pool.Config{MaxOpen: 1},
		pool.WithEvents[*connection](d.event, pool.EventPoolFlushed, pool.EventClosed))
	release(t, get(t, p))
	p.Flush()
	eventually(t, "both are told", func() bool { return d.names() == "pool_flushed closed" })
	if reason := d.last(pool.EventClosed).Reason; reason != "flushed" {
		t.Error(reason)
	}
	_, err := pool.New(pool.Config{}, new(factory).open, pool.WithEvents[*connection](d.event, "opned"))
	expect(t, err, pool.ErrInvalid)
	says(t, err, "there is no event opned")
}

func TestWhatFailsIsToldWithTheReason(t *testing.T) {
	var d diary
	p, err := pool.New(pool.Config{Name: "prices", RetryMin: time.Hour, RetryMax: time.Hour, BreakerAfter: 1},
		func(context.Context) (*connection, error) { return nil, errNo },
		pool.WithEvents[*connection](d.event), pool.WithLog[*connection](d.line))
	succeed(t, err)
	defer drain(t, p)
	_, err = p.Get(background)
	expect(t, err, pool.ErrOpen)
	eventually(t, "it is told", func() bool {
		return d.says("warn prices: could not open a connection: no") && d.last(pool.EventBreakerOpened).Message == "no"
	})
	failed := d.last(pool.EventOpenFailed)
	expect(t, failed.Err, pool.ErrOpen)
	if failed.Message != "no" {
		t.Errorf("%+v", failed)
	}
}

func TestAFailedResetIsToldAsTheReason(t *testing.T) {
	var d diary
	p, _ := newPool(t, pool.Config{}, pool.WithEvents[*connection](d.event),
		pool.WithReset(func(*connection) error { return errNo }))
	release(t, get(t, p))
	eventually(t, "it is told", func() bool { return d.last(pool.EventClosed).Reason == "reset" })
	if message := d.last(pool.EventClosed).Message; message != "no" {
		t.Error(message)
	}
}

func TestALeakIsToldWithItsTag(t *testing.T) {
	var d diary
	p, _ := newPool(t, pool.Config{LeakAfter: time.Second},
		pool.WithEvents[*connection](d.event, pool.EventLeaked))
	lease := get(t, p)
	succeed(t, lease.Tag("report.go:42"))
	eventually(t, "it is told", func() bool { return d.names() == "leaked" })
	if leaked := d.last(pool.EventLeaked); leaked.Tag != "report.go:42" || leaked.Duration < time.Second {
		t.Errorf("%+v", leaked)
	}
	leases := p.Leases() // its holder has had it since a little later than the library lent it
	if len(leases) != 1 || leases[0].Tag != "report.go:42" || leases[0].Held < 100*time.Millisecond {
		t.Errorf("%+v", leases)
	}
	expect(t, lease.Tag("report\x00.go"), pool.ErrInvalid)
	if tag := p.Leases()[0].Tag; tag != "report.go:42" {
		t.Errorf("a tag that was refused changed it to %q", tag)
	}
	release(t, lease)
	expect(t, lease.Tag("again"), pool.ErrStale)
	expect(t, pool.Lease[*connection]{}.Tag("none"), pool.ErrStale)
}

func TestAllLeasesAreListed(t *testing.T) {
	p, _ := newPool(t, pool.Config{})
	if list := p.Leases(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	var leases []pool.Lease[*connection]
	for i := 0; i < 50; i++ {
		leases = append(leases, get(t, p))
	}
	connections := map[int64]bool{}
	for _, info := range p.Leases() {
		connections[info.Connection] = true
	}
	if len(connections) != 50 {
		t.Errorf("%d are listed", len(connections))
	}
	for _, lease := range leases {
		release(t, lease)
	}
}

func TestWhoIsToldMayUseThePoolAndFail(t *testing.T) {
	var d diary
	var p *pool.Pool[*connection]
	ready := make(chan struct{})
	p, _ = newPool(t, pool.Config{MaxOpen: 1}, pool.WithEvents[*connection](func(event pool.Event) {
		<-ready
		d.event(event)
		if p.Stats().Lent == 1 {
			release(t, get(t, p))
		}
		if event.Name == pool.EventOpening {
			panic("no")
		}
	}))
	release(t, get(t, p))
	close(ready)
	eventually(t, "the events go on", func() bool { return strings.Count(d.names(), "lent") == 2 })
}

func TestTheOtherEventsAreToldAfterOneThatEndedTheGoroutine(t *testing.T) {
	var d diary
	ready := make(chan struct{})
	p, _ := newPool(t, pool.Config{}, pool.WithEvents[*connection](func(event pool.Event) {
		<-ready
		d.event(event)
		if event.Name == pool.EventPoolCreated {
			runtime.Goexit()
		}
	}))
	release(t, get(t, p))
	rests(t, p) // nobody asks for more
	close(ready)
	eventually(t, "all are told", func() bool { return d.names() == "pool_created opening opened lent returned" })
}

func TestWhatIsDroppedIsCounted(t *testing.T) {
	var d diary
	ready := make(chan struct{})
	p, _ := newPool(t, pool.Config{}, pool.WithEvents[*connection](func(event pool.Event) {
		<-ready
		d.event(event)
	}))
	for i := 0; i < 500; i++ {
		release(t, get(t, p))
	}
	close(ready)
	eventually(t, "all are told or counted", func() bool {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		count, lost := int64(len(d.events)), int64(0)
		for _, event := range d.events {
			lost += event.Lost
		}
		return lost > 0 && count+lost == 1003
	})
}

func TestACloseIsToldWithItsTime(t *testing.T) {
	d := new(diary)
	p, err := pool.New(pool.Config{MaxOpen: 1}, new(factory).open,
		pool.WithClose(func(*connection) error {
			for began := time.Now(); time.Since(began) < time.Millisecond; {
			}
			return nil
		}),
		pool.WithEvents[*connection](d.event, pool.EventClosed))
	succeed(t, err)
	release(t, get(t, p))
	for i := 0; i < 2; i++ {
		succeed(t, get(t, p).Discard())
	}
	drain(t, p)
	eventually(t, "both are told", func() bool { return d.names() == "closed closed" })
	if last := d.last(pool.EventClosed); last.Duration < time.Millisecond || last.Duration > time.Minute || last.Reason != "unusable" {
		t.Errorf("%+v", last)
	}
}
