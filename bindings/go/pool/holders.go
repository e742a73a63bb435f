// SPDX-License-Identifier: MIT

package pool

import (
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The holder of a connection: where in the program it was got, and when.  With Config.LeakAfter each Get notes that.
type holder struct {
	site  atomic.Pointer[site]
	since atomic.Int64 // a moment
}

// A place in the program.
type site struct{ text string }

// The places of the program by the number that the compiler gave them; nil: the place is inside of this module.
var sites sync.Map // uintptr: *site

const depth = 16 // how far out of this module it is looked for

// This module's packages that are between a program and this one.
var inner = []string{module() + "/pool.", module() + "/rpcpool.", module() + "/puddle.", "github.com/jackc/puddle/v2."}

func module() string {
	pc, _, _, _ := runtime.Caller(0)
	name := runtime.FuncForPC(pc).Name()
	return name[:strings.LastIndexByte(name, '/')]
}

// The caller of this module.
func callerSite() *site {
	var frames [depth]uintptr
	count := runtime.Callers(2, frames[:])
	for _, pc := range frames[:count] {
		known, is := sites.Load(pc)
		if !is {
			known, _ = sites.LoadOrStore(pc, siteOf(pc))
		}
		if place := known.(*site); place != nil {
			return place
		}
	}
	return &site{"?"}
}

// The first place outside of this module that a number stands for: more than one, where functions were inlined.
func siteOf(pc uintptr) *site {
	frames := runtime.CallersFrames([]uintptr{pc})
	for more := true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); frame.Function != "" && !isInner(frame.Function) {
			folder, file := path.Split(frame.File)
			return &site{fmt.Sprintf("%s:%d %s", path.Join(path.Base(folder), file), frame.Line, path.Base(frame.Function))}
		}
	}
	return nil
}

func isInner(function string) bool {
	for _, prefix := range inner {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return false
}

// Notes the holder of a lease; the library knows the place as well, for its events, its log and poolctl.
func (h *holder) note(lease int64) {
	place := callerSite()
	h.site.Store(place)
	h.since.Store(moment())
	_ = tag(lease, place.text)
}

// Says what is known here of a lease that is out.
func (p *Pool[C]) describe(info *LeaseInfo) {
	place := p.table.at(info.Lease)
	site, since := place.site.Load(), place.since.Load()
	if site == nil || place.lease.Load() != info.Lease {
		return
	}
	info.Caller = site.text
	info.Held = time.Duration(moment() - since)
}
