// SPDX-License-Identifier: MIT

package pool

/*
#include "bell.h"

static int bell_begin(uintptr_t pool)
{
  return bell_of((pool_t *)pool);
}
*/
import "C"

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Set by the function Expose: pools that are there already listen from their next get on that is not served at once.
var exposesAll atomic.Bool

// Where poolctl can steer a pool, or a budget changes what it may have open, a goroutine hears of it.  It keeps the pool
// until that is closed.
type bell struct {
	mutex sync.Mutex
	file  *os.File // nil: nobody listens
	again alarm    // tries once more
	over  bool
}

// Where the process has no descriptor to spare, it is tried again after this long.
const deafness = 100 * time.Millisecond

// Makes the bell of a pool, if poolctl sees it or it has a budget; else it is below 0.
func bellOf(handle *handle) func() int {
	return func() int {
		descriptor := int(C.bell_begin(C.uintptr_t(handle.address)))
		runtime.KeepAlive(handle)
		return descriptor
	}
}

// Begins to listen, if there is something to hear.  Where that is certain, what lacks is a descriptor, and it tries again.
func (b *bell) listen(open func() int, told func(), isCertain bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.file != nil || b.over {
		return
	}
	if descriptor := open(); descriptor >= 0 {
		b.file = os.NewFile(uintptr(descriptor), "libpool")
		go hear(b.file, told)
	} else if isCertain {
		b.again.do = func() { b.listenAgain(open, told) }
		b.again.set(deafness)
	}
}

// What was to be heard meanwhile nobody has heard.
func (b *bell) listenAgain(open func() int, told func()) {
	b.mutex.Lock()
	b.again.isSet = false
	b.mutex.Unlock()
	b.listen(open, told, true)
	told()
}

func (b *bell) isDeaf() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.file == nil
}

// The goroutine waits as for a socket, without a thread.
func hear(file *os.File, told func()) {
	var count [8]byte
	for {
		if _, err := file.Read(count[:]); err != nil {
			return // it was closed
		}
		told()
	}
}

// A closed pool has nothing to hear.
func (b *bell) end() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.again.stop()
	if b.over = true; b.file != nil {
		b.file.Close()
	}
}

func (p *Pool[C]) listen() {
	if !p.keyed {
		p.bell.listen(bellOf(p.handle), p.attend, p.shares)
	}
}

// Whether there may be something to hear.
func (p *Pool[C]) shouldListen() bool { return !p.keyed && (p.shares || exposesAll.Load()) }

// Somebody else has steered the pool.  Those that wait look for themselves, for the keeper may be in a close that hangs.
func (p *Pool[C]) attend() {
	if p.filling.Load() {
		wake(p.allowed)
		return
	}
	p.keeper.ask(p.keep)
	p.queue.tellAll()
}
