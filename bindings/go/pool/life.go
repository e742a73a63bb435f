// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// The context that open gets.  It has the values of the call that the connection was opened for, and lives as long as the
// connection: it ends when that was closed, or when its open is given up.
//
// Few programs ask whether it has ended, so as long as nobody does, its end is one change of a word.
type life struct {
	values       context.Context
	before, next *life                // opens that are under way; their lock guards this and the bell
	began        int64                // a moment
	bell         chan struct{}        // of the get that is to be told if it takes long; nil: none is
	until        atomic.Int64         // the moment when the open is given up; 0: never, or it has ended
	how          atomic.Int32         // it ended
	asked        atomic.Bool          // somebody is to be told of the end
	mutex        sync.Mutex           // guards the following
	done         chan struct{}        // nil: nobody asked
	told         bool                 // it is closed
	after        map[*func()]struct{} // to be called at the end
}

// How a life ended.
const (
	goesOn int32 = iota
	isCancelled
	isExpired
)

var endings = [...]error{goesOn: nil, isCancelled: context.Canceled, isExpired: context.DeadlineExceeded}

// Deadline is when the open is given up; after the open there is none.
func (l *life) Deadline() (deadline time.Time, limited bool) {
	until := l.until.Load()
	if until == 0 {
		return
	}
	return timeOf(until), true
}

func (l *life) Done() <-chan struct{} {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		l.ask()
	}
	return l.done
}

func (l *life) Err() error { return endings[l.how.Load()] }

func (l *life) Value(key any) any { return l.values.Value(key) }

// AfterFunc is what package context looks for, since Go 1.21, to do without a goroutine for each derived context.
func (l *life) AfterFunc(function func()) (stop func() bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.after == nil {
		l.after = make(map[*func()]struct{})
	}
	l.after[&function] = struct{}{}
	l.ask()
	return func() bool {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		_, waits := l.after[&function]
		delete(l.after, &function)
		return waits
	}
}

// Under the lock.  Of this and the end of the life, which come in the opposite order, one sees the other.
func (l *life) ask() {
	l.asked.Store(true)
	if l.how.Load() != goesOn {
		l.tell()
	}
}

// Under the lock: tells those that have asked.
func (l *life) tell() {
	if l.done != nil && !l.told {
		l.told = true
		close(l.done)
	}
	for function := range l.after {
		go (*function)()
	}
	l.after = nil
}

func (l *life) end(how int32) {
	if !l.how.CompareAndSwap(goesOn, how) || !l.asked.Load() {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.tell()
}

// Under the lock of the opens: whether this one may go on at this moment; if so, in how many nanoseconds it may not.
func (l *life) expire(now int64) (left int64, lasts bool) {
	until := l.until.Load()
	if until == 0 || l.how.Load() != goesOn {
		return 0, false
	}
	if until <= now {
		l.end(isExpired)
	}
	return until - now, until > now
}

// The opens that are under way, in the order in which they began, in which their time is over, too.  Of a pool, but not in it:
// the timer may ring when the pool is gone.
type opens struct {
	limit       time.Duration // 0: none
	mutex       sync.Mutex    // guards the following
	grace       time.Duration // so long a get waits for its open alone
	first, last *life
	limits      alarm        // gives up what has taken too long
	rings       alarm        // tells gets whose opens take long
	over        bool         // what begins is given up
	alone       atomic.Int64 // how many gets wait for these opens alone; read without the lock
}

func newOpens(limit time.Duration) *opens {
	o := &opens{limit: limit, grace: grace}
	o.limits.do, o.rings.do = o.expire, o.ring
	return o
}

// A get whose open takes longer joins the queue.
const grace = 250 * time.Microsecond

func newLife(values context.Context, e *errand) *life {
	l := &life{values: valuesOf(values)}
	if e != nil {
		l.bell, l.began = e.bell, e.began
	}
	return l
}

func (o *opens) begin(l *life) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if l.began == 0 {
		l.began = moment()
	}
	if o.limit > 0 {
		l.until.Store(l.began + int64(o.limit))
	}
	o.add(l)
	if o.over {
		l.bell = nil
		l.end(isCancelled)
		return
	}
	if o.limit > 0 {
		o.limits.set(o.limit)
	}
	if l.bell != nil {
		o.alone.Add(1)
		o.rings.set(o.grace)
	}
}

// Tells the first get that waits for its open alone: a connection is idle.
func (o *opens) rouse() {
	if o.alone.Load() != 0 {
		o.rouseFirst()
	}
}

func (o *opens) rouseFirst() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for each := o.first; each != nil; each = each.next {
		if each.bell != nil {
			o.tell(each)
			return
		}
	}
}

// Under the lock.
func (o *opens) tell(l *life) {
	wake(l.bell)
	l.bell = nil
	o.alone.Add(-1)
}

func (o *opens) add(l *life) {
	if l.before = o.last; o.last == nil {
		o.first = l
	} else {
		o.last.next = l
	}
	o.last = l
}

// The open has ended; from now on the life has no limit.  Returns whether it had ended before, and how.
func (o *opens) end(l *life) (how int32) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if l.bell != nil {
		l.bell = nil
		o.alone.Add(-1)
	}
	if l.before == nil {
		o.first = l.next
	} else {
		l.before.next = l.next
	}
	if l.next == nil {
		o.last = l.before
	} else {
		l.next.before = l.before
	}
	l.before, l.next = nil, nil
	if how = l.how.Load(); how == goesOn {
		l.until.Store(0)
	}
	return
}

// Gives up what has taken too long.
func (o *opens) expire() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.limits.isSet = false
	now := moment()
	for each := o.first; each != nil && !o.limits.isSet; each = each.next {
		if left, lasts := each.expire(now); lasts {
			o.limits.set(time.Duration(left))
		}
	}
}

// Tells those whose opens take long.
func (o *opens) ring() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.rings.isSet = false
	now := moment()
	for each := o.first; each != nil && !o.rings.isSet; each = each.next {
		left := time.Duration(each.began-now) + o.grace
		if each.bell != nil && left > 0 {
			o.rings.set(left)
		} else if each.bell != nil {
			o.tell(each)
		}
	}
}

// A timer that is not stopped when there is nothing more to be done, for to set it each time costs more than to ring in
// vain once.
type alarm struct {
	do    func()
	timer *time.Timer
	isSet bool
}

// Under the lock of its owner.  What was to be done earlier stays so.
func (a *alarm) set(in time.Duration) {
	if a.isSet {
		return
	}
	if a.isSet = true; a.timer == nil {
		a.timer = time.AfterFunc(in, a.do)
	} else {
		a.timer.Reset(in)
	}
}

func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}

func (o *opens) giveUp() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.over = true
	o.limits.stop()
	for each := o.first; each != nil; each = each.next {
		each.end(isCancelled)
	}
}

// The values of a context, without its end: for a life, which says itself when it ends.
func valuesOf(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return detached(ctx)
}

func wake(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}
