// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"sync"
	"time"
)

// The context that open gets.  It has the values of the call that the connection was opened for, and lives as long as the
// connection: it ends when that was closed, or when its open is given up.
type life struct {
	values   context.Context
	mutex    sync.Mutex // guards the following
	deadline time.Time  // when the open is given up; zero: never, or it has ended
	timer    *time.Timer
	done     chan struct{} // nil: nobody asked
	err      error
	after    map[*func()]struct{} // to be called at the end
}

// A limit of 0: none.
func newLife(values context.Context, limit time.Duration) *life {
	l := &life{values: detached(values)}
	if limit > 0 {
		l.deadline = time.Now().Add(limit)
		l.timer = time.AfterFunc(limit, func() { l.end(context.DeadlineExceeded) })
	}
	return l
}

// Deadline is when the open is given up; after the open there is none.
func (l *life) Deadline() (time.Time, bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.deadline, !l.deadline.IsZero()
}

func (l *life) Done() <-chan struct{} {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.err != nil {
			close(l.done)
		}
	}
	return l.done
}

func (l *life) Err() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.err
}

func (l *life) Value(key any) any { return l.values.Value(key) }

// AfterFunc is what package context looks for, since Go 1.21, to do without a goroutine for each derived context.
func (l *life) AfterFunc(function func()) (stop func() bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.err != nil {
		go function()
		return func() bool { return false }
	}
	if l.after == nil {
		l.after = make(map[*func()]struct{})
	}
	l.after[&function] = struct{}{}
	return func() bool {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		_, waits := l.after[&function]
		delete(l.after, &function)
		return waits
	}
}

func (l *life) end(err error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.err != nil {
		return
	}
	l.err = err
	l.stop()
	if l.done != nil {
		close(l.done)
	}
	for function := range l.after {
		go (*function)()
	}
	l.after = nil
}

func (l *life) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
}

// The connection is open: from now on its life has no limit.  An error says that it was over before.
func (l *life) opened() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.err == nil {
		l.stop()
		l.timer, l.deadline = nil, time.Time{}
	}
	return l.err
}

// The opens that are under way.
type opens struct {
	mutex sync.Mutex
	lives map[*life]struct{}
	over  bool // what begins is given up
}

func (o *opens) begin(l *life) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.lives == nil {
		o.lives = make(map[*life]struct{})
	}
	o.lives[l] = struct{}{}
	if o.over {
		l.end(context.Canceled)
	}
}

func (o *opens) end(l *life) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	delete(o.lives, l)
}

func (o *opens) giveUp() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.over = true
	for each := range o.lives {
		each.end(context.Canceled)
	}
}
