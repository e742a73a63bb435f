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

func (f *factory) gate() (mode string, proceed chan struct{}) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.proceed == nil {
		f.proceed = make(chan struct{})
	}
	return f.mode, f.proceed
}

// Those that hang do so whatever becomes of their context.
func (f *factory) open(context.Context) (*connection, error) {
	mode, proceed := f.gate()
	if mode == hang || mode == hangThenFail {
		<-proceed
	}
	switch mode {
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
	_, proceed := f.gate()
	close(proceed)
	f.mutex.Lock()
	f.proceed = nil
	f.mutex.Unlock()
}

func (f *factory) close(*connection) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.destroyed++
	return nil
}

func (f *factory) counts() (opened, destroyed int64) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.opened, f.destroyed
}
