// SPDX-License-Identifier: MIT

package pool

/*
#include "event.h"

// The text ends with a zero byte, which Go has added.
static int lease_tag(int64_t lease, _GoString_ text)
{
  return pool_tag(lease, _GoStringPtr(text));
}
*/
import "C"

import (
	"runtime"
	"strings"
	"time"
)

// EventName says what happened.
type EventName string

// Event is something that happened in a pool.
type Event struct {
	Name       EventName     // EventOpened, EventTimedOut, ...
	Reason     string        // why a connection was closed: "unusable", "idle", "lifetime", ..., or ""
	Err        error         // of what failed, or nil
	Lease      int64         // which lease, or 0
	Connection int64         // which connection, numbered from 1 in each pool as opens begin, or 0
	Duration   time.Duration // how long it took; -1: not known
	Tag        string        // what Tag noted beside the lease, its beginning at least, or ""
	Message    string        // of failures why, and what else there is to say, or ""
	Lost       int64         // how many events and lines before this one were dropped, for too many came at one time
}

// LogLevel says how bad it is what a line of the log says.
type LogLevel int

// The levels of the lines that WithLog gets.
const (
	LogError LogLevel = C.POOL_LOG_ERROR // something is wrong: opens keep failing
	LogWarn  LogLevel = C.POOL_LOG_WARN  // something may be wrong: a leak, a failed open or close
	LogInfo  LogLevel = C.POOL_LOG_INFO  // good to know
)

var reasons = map[C.int32_t]string{
	C.POOL_REASON_UNUSABLE: "unusable",
	C.POOL_REASON_SURPLUS:  "surplus",
	C.POOL_REASON_CLOSED:   "closed",
	C.POOL_REASON_CHECK:    "check",
	C.POOL_REASON_RESET:    "reset",
	C.POOL_REASON_IDLE:     "idle",
	C.POOL_REASON_LIFETIME: "lifetime",
	C.POOL_REASON_FLUSHED:  "flushed",
	C.POOL_REASON_RESIZED:  "resized",
	C.POOL_REASON_USES:     "uses",
}

// WithEvents names a function that is told what happens: all of it, or only the events that are named.  EventLent and
// EventReturned come with each Get and Release, which they make slower.  The function is called in a goroutine of the
// pool, soon after what it is told, with one event after the other; it may use the pool.  Its panics are dropped.
func WithEvents[C any](tell func(Event), only ...EventName) Option[C] {
	return func(p *Pool[C]) { p.events, p.only = tell, only }
}

// WithLog names a function that gets a line of text about what is rare: a failed open or close, a leak, a server that is
// down or back again.  It is called as that of WithEvents is.
func WithLog[C any](log func(level LogLevel, line string)) Option[C] {
	return func(p *Pool[C]) { p.log = log }
}

// The functions that are told what happens in a pool.
type listeners struct {
	events func(Event)
	only   []EventName // none: all
	log    func(LogLevel, string)
	teller helper
}

func (l *listeners) abilities() (abilities int) {
	if l.events != nil {
		abilities |= eventsStep
	}
	if l.log != nil {
		abilities |= logStep
	}
	return
}

// Which events the library keeps.
func (l *listeners) choose(s *settings) {
	var mask int64
	for _, name := range l.only {
		bit := numbers[name]
		if bit == 0 && s.err == nil {
			s.err = &Error{Kind: ErrInvalid, Message: "there is no event " + string(name)}
		}
		mask |= 1 << bit
	}
	if mask != 0 {
		s.number("event_mask", mask)
	}
}

// Something is there to be told.
func (l *listeners) ask(handle *handle) {
	l.teller.ask(func() { l.tellAll(handle) })
}

// Tells the rest also if one of the functions ends the goroutine.
func (l *listeners) tellAll(handle *handle) {
	ended := false
	defer func() {
		if !ended {
			l.ask(handle)
		}
	}()
	for {
		var event C.pool_step_event_t
		found := C.event_take(C.uintptr_t(handle.address), &event)
		runtime.KeepAlive(handle)
		if found != 1 {
			ended = true
			return
		}
		l.tell(&event)
	}
}

func (l *listeners) tell(event *C.pool_step_event_t) {
	if event.event != 0 && l.events != nil {
		l.call(func() { l.events(eventOf(event)) })
	}
	if event.level != 0 && l.log != nil {
		l.call(func() { l.log(LogLevel(event.level), C.GoString(&event.line[0])) })
	}
}

func (l *listeners) call(function func()) {
	defer func() { _ = recover() }()
	function()
}

func eventOf(event *C.pool_step_event_t) Event {
	told := Event{
		Name:       names[int(event.event)],
		Reason:     reasons[event.reason],
		Lease:      int64(event.lease),
		Connection: int64(event.connection),
		Duration:   time.Duration(event.duration_ns),
		Tag:        C.GoString(&event.tag[0]),
		Message:    C.GoString(&event.message[0]),
		Lost:       int64(event.lost),
	}
	if event.code != 0 {
		told.Err = failureOf(int64(event.code), told.Message)
	}
	return told
}

// ---- leases ----

// LeaseInfo says of a lease that is out what it is used for.
type LeaseInfo struct {
	Lease      int64         // its number, as in Event
	Connection int64         // the number of its connection, as in Event
	Held       time.Duration // for how long, at least: Get does not note the time, so this counts from when somebody looked
	Tag        string        // the beginning of what Tag noted, or ""
	Caller     string        // where it was got, as in "shop/report.go:42 main.report", with Config.LeakAfter; else ""
}

// Leases lists the leases that are out.
func (p *Pool[C]) Leases() []LeaseInfo {
	infos := p.handle.leases()
	for i := range infos {
		p.describe(&infos[i])
	}
	return infos
}

// Leases does what Pool.Leases does.
func (p *DriverPool) Leases() []LeaseInfo { return p.handle.leases() }

func (h *handle) leases() []LeaseInfo {
	const spare = 8 // more may be lent meanwhile
	room := 0
	for {
		room += spare
		list := make([]C.pool_lease_info_t, room)
		count := int(C.lease_list(C.uintptr_t(h.address), &list[0], C.size_t(room)))
		runtime.KeepAlive(h)
		if count <= room {
			return infosOf(list[:max(count, 0)])
		}
		room = count
	}
}

func infosOf(list []C.pool_lease_info_t) []LeaseInfo {
	infos := make([]LeaseInfo, len(list))
	for i := range list {
		infos[i] = LeaseInfo{Lease: int64(list[i].lease), Connection: int64(list[i].connection),
			Held: time.Duration(list[i].held_ns), Tag: C.GoString(&list[i].tag[0])}
	}
	return infos
}

func tag(lease int64, text string) error {
	if strings.ContainsRune(text, 0) {
		return zeroByte("the tag")
	}
	if code := C.lease_tag(C.int64_t(lease), text+"\x00"); code < 0 {
		return failureOf(int64(code), "")
	}
	return nil
}
