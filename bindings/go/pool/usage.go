// SPDX-License-Identifier: MIT

package pool

import "time"

// Moments are counted from here, by the clock that is never set.
var beginning = time.Now()

func moment() int64 { return int64(time.Since(beginning)) }

func timeOf(moment int64) time.Time { return beginning.Add(time.Duration(moment)) }

// A new connection has its place.
func (p *place[C]) fill(conn C, life *life) {
	p.pass()
	defer p.pass()
	p.made.Store(life.began)
	if p.pool.tracksUse {
		p.used.Store(life.began)
	}
	p.conn, p.life = conn, life
}

// CreationTime is when the open of the connection began.  Like Conn, it panics with ErrStale after the lease has ended.
func (l Lease[C]) CreationTime() time.Time {
	if !l.Valid() {
		panic(stale())
	}
	return timeOf(l.place.made.Load())
}

// LastUsed is when the connection was released last, not counting ReleaseUnused; before that, its CreationTime.  It needs
// Config.TrackUse; without that it is the zero time.  It panics as Conn does.
func (l Lease[C]) LastUsed() time.Time {
	if !l.Valid() {
		panic(stale())
	}
	if !l.place.pool.tracksUse {
		return time.Time{}
	}
	return timeOf(l.place.used.Load())
}

// IdleDuration is how long ago LastUsed is; -1 without Config.TrackUse.
func (l Lease[C]) IdleDuration() time.Duration {
	last := l.LastUsed()
	if last.IsZero() {
		return -1
	}
	return time.Since(last)
}

// ReleaseUnused puts the connection back as Release does, as idle as if it had never been lent: for IdleTimeout,
// CheckAfter, max_uses, Stats, LastUsed and the hook AfterRelease this was no use.
func (l Lease[C]) ReleaseUnused() error {
	if !l.take() {
		return stale()
	}
	if l.place.pool.around != nil {
		l.place.pool.ending(l, false)
	}
	next := endUnused(l.number)
	l.place.pool.settle(next)
	l.place.pool.underway.rouse()
	return l.place.pool.failureIf(next)
}

// Hijack takes the connection out of the pool for good: its place is free for another, and to close it is the caller's
// business from now on; the hook Closing does not get it.
func (l Lease[C]) Hijack() (conn C, err error) {
	if !l.take() {
		return conn, stale()
	}
	p := l.place.pool
	if p.around != nil {
		p.ending(l, true)
	}
	next := endUnusable(l.number)
	p.tell(&next)
	if next.result < 0 {
		return conn, p.failureIf(next)
	}
	if next.work == workClose {
		var none C
		l.place.conn, l.place.life = none, nil // it lives on
		claim := int64(next.claim)
		next = step{}
		p.acknowledge(&next, claim, nil)
	}
	p.finish(next)
	return l.conn, nil
}
