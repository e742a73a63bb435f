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
)

// Set by the function Expose: pools that are there already listen from their next get on that is not served at once.
var exposesAll atomic.Bool

// Where poolctl can steer a pool, or a budget changes what it may have open, a goroutine hears of it.  It keeps the pool
// until that is closed.
type bell struct {
	mutex sync.Mutex
	file  *os.File // nil: nobody listens
	over  bool
}

// Makes the bell of a pool, if poolctl sees it or it has a budget; else it is below 0.
func bellOf(handle *handle) func() int {
	return func() int {
		descriptor := int(C.bell_begin(C.uintptr_t(handle.address)))
		runtime.KeepAlive(handle)
		return descriptor
	}
}

// Begins to listen, if there is something to hear.
func (b *bell) listen(open func() int, told func()) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.file != nil || b.over {
		return
	}
	descriptor := open()
	if descriptor < 0 {
		return
	}
	b.file = os.NewFile(uintptr(descriptor), "libpool")
	go hear(b.file, told)
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
	if b.over = true; b.file != nil {
		b.file.Close()
	}
}

func (p *Pool[C]) listen() {
	if !p.keyed {
		p.bell.listen(bellOf(p.handle), p.attend)
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
