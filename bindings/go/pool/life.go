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
	values       context.Context
	before, next *life         // opens that are under way; their lock guards this and the following two
	began        int64         // a moment
	bell         chan struct{} // of the get that is to be told if it takes long; nil: none is
	mutex        sync.Mutex    // guards the following
	until        int64         // the moment when the open is given up; 0: never, or it has ended
	done         chan struct{} // nil: nobody asked
	err          error
	after        map[*func()]struct{} // to be called at the end
}

// Deadline is when the open is given up; after the open there is none.
func (l *life) Deadline() (deadline time.Time, limited bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.until == 0 {
		return
	}
	return timeOf(l.until), true
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
	if l.done != nil {
		close(l.done)
	}
	for function := range l.after {
		go (*function)()
	}
	l.after = nil
}

// The connection is open: from now on its life has no limit.  An error says that it was over before.
func (l *life) opened() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.err == nil {
		l.until = 0
	}
	return l.err
}

// Whether the open may go on at this moment; if so, in how many nanoseconds it may not, or never.
func (l *life) expire(now int64) (left int64, goesOn bool) {
	l.mutex.Lock()
	left, goesOn = l.until-now, l.err == nil && l.until != 0
	l.mutex.Unlock()
	if goesOn && left <= 0 {
		l.end(context.DeadlineExceeded)
		goesOn = false
	}
	return
}

// The opens that are under way, in the order in which they began, in which their time is over, too.  Of a pool, but not in it:
// the timer may ring when the pool is gone.
type opens struct {
	limit       time.Duration // 0: none
	mutex       sync.Mutex    // guards the following
	first, last *life
	limits      alarm           // gives up what has taken too long
	rings       alarm           // tells gets whose opens take long
	over        bool            // what begins is given up
	bells       []chan struct{} // that nobody has
}

func newOpens(limit time.Duration) *opens {
	o := &opens{limit: limit}
	o.limits.do, o.rings.do = o.expire, o.ring
	return o
}

// A get whose open takes longer joins the queue.
const grace = 250 * time.Microsecond

// So many bells are kept.
const mostBells = 16

func newLife(values context.Context, e *errand) *life {
	l := &life{values: valuesOf(values)}
	if e != nil {
		l.bell = e.bell
	}
	return l
}

func (o *opens) begin(l *life) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	l.began = moment()
	if o.limit > 0 {
		l.until = l.began + int64(o.limit)
	}
	o.add(l)
	if o.over {
		l.end(context.Canceled)
		return
	}
	if o.limit > 0 {
		o.limits.set(o.limit)
	}
	if l.bell != nil {
		o.rings.set(grace)
	}
}

func (o *opens) add(l *life) {
	if l.before = o.last; o.last == nil {
		o.first = l
	} else {
		o.last.next = l
	}
	o.last = l
}

func (o *opens) end(l *life) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
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
}

// Gives up what has taken too long.
func (o *opens) expire() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.limits.isSet = false
	now := moment()
	for each := o.first; each != nil && !o.limits.isSet; each = each.next {
		if left, goesOn := each.expire(now); goesOn {
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
		left := time.Duration(each.began-now) + grace
		if each.bell != nil && left > 0 {
			o.rings.set(left)
		} else if each.bell != nil {
			wake(each.bell)
			each.bell = nil
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

// Under the lock of the opens.  What was to be done earlier stays so.
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
		each.end(context.Canceled)
	}
}

// The values of a context, without its end: for a life, which says itself when it ends.
func valuesOf(ctx context.Context) context.Context {
	if ctx.Done() == nil {
		return ctx
	}
	return detached(ctx)
}

func (o *opens) lendBell() chan struct{} {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	last := len(o.bells) - 1
	if last < 0 {
		return make(chan struct{}, 1)
	}
	bell := o.bells[last]
	o.bells = o.bells[:last]
	return bell
}

// A bell that is given back may be rung once more for the get that had it; the next then looks for no reason.
func (o *opens) keepBell(bell chan struct{}) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if len(o.bells) < mostBells {
		o.bells = append(o.bells, bell)
	}
}

func wake(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}
