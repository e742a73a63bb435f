// SPDX-License-Identifier: MIT

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

type connection struct{ number int64 }

var errFactory = errors.New("the server is down")

const panicValue = "the factory panics"

// What opens do.
const (
	work         = "work"
	fail         = "fail"
	panics       = "panic"
	hang         = "hang"
	hangThenFail = "hang_then_fail"
)

// A factory that does what it is told; its zero works.
type factory struct {
	mutex     sync.Mutex
	mode      string
	proceed   chan struct{} // closed by letGo
	hanging   int64
	opened    int64
	destroyed int64
}

func (f *factory) set(mode string) error {
	switch mode {
	case work, fail, panics, hang, hangThenFail:
	default:
		return fmt.Errorf("no such factory: %s", mode)
	}
	f.mutex.Lock()
	f.mode = mode
	f.mutex.Unlock()
	return nil
}

func (f *factory) gate() chan struct{} {
	if f.proceed == nil {
		f.proceed = make(chan struct{})
	}
	return f.proceed
}

// What an open is to do, after it has hung if it is to hang.
func (f *factory) pass() string {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	mode := f.mode
	if mode == hang || mode == hangThenFail {
		proceed := f.gate()
		f.hanging++
		f.mutex.Unlock()
		<-proceed
		f.mutex.Lock()
		f.hanging--
	}
	return mode
}

// Those that hang do so whatever becomes of their context.
func (f *factory) open(context.Context) (*connection, error) {
	switch f.pass() {
	case fail, hangThenFail:
		return nil, errFactory
	case panics:
		panic(panicValue)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.opened++
	return &connection{number: f.opened}, nil
}

func (f *factory) letGo() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	close(f.gate())
	f.proceed = nil
}

func (f *factory) close(*connection) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.destroyed++
	return nil
}

func (f *factory) counts() (opened, hanging, destroyed int64) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.opened, f.hanging, f.destroyed
}
