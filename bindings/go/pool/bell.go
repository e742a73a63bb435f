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

// Where poolctl can steer a pool, a goroutine hears of it.  It keeps the pool until that is closed.
type bell struct {
	mutex sync.Mutex
	file  *os.File // nil: nobody listens
	over  bool
}

// Begins to listen, if poolctl sees the pool.
func (b *bell) listen(handle *handle, told func()) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.file != nil || b.over {
		return
	}
	descriptor := int(C.bell_begin(C.uintptr_t(handle.address)))
	runtime.KeepAlive(handle)
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

func (p *Pool[C]) listen() { p.bell.listen(p.handle, p.attend) }

// Somebody else has steered the pool.  Those that wait look for themselves, for the keeper may be in a close that hangs.
func (p *Pool[C]) attend() {
	p.keeper.ask(p.keep)
	p.queue.tellAll()
}
