// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// DriverPool lends connections that a driver of the library opens and uses, "jsonrpc" for example.  Its leases make
// calls.  All its methods may be called by any goroutine at any time.
type DriverPool struct {
	handle  *handle
	timeout time.Duration // of a get; 0: none
	calling time.Duration // the same of a call
	unseen  unseen
	limits
	tracers tracers
	places  bool // it is noted where each lease was got
}

// DriverLease is the right to make calls over one connection until it is released.  It is a value: its copies are the
// same lease.
type DriverLease struct {
	pool   *DriverPool
	number int64
}

// RemoteError is what a server answered instead of a reply; it is behind ErrRemote.
type RemoteError string

func (e RemoteError) Error() string { return string(e) }

// Call is a call that DriverLease.Go started.
type Call struct {
	Method string
	Args   any
	Reply  any
	Error  error      // when it is done
	Done   chan *Call // receives the call when it is done
}

// How often a Close that waits looks whether its context has ended
const closeTick = 20 * time.Millisecond

// OpenDriver makes a pool on a driver, and opens its first Config.Initial connections.  The driver jsonrpc understands
// "HOST:PORT" and "unix:/PATH", each with "?max_reply_bytes=N".  Connections are opened, checked and closed by threads of
// the library.
func OpenDriver(config Config, driver, address string) (*DriverPool, error) {
	if strings.ContainsRune(driver, 0) || strings.ContainsRune(address, 0) {
		return nil, &Error{Kind: ErrInvalid, Message: "the name of a driver or address contains a zero byte"}
	}
	return newDriverPool(config.Tracer, config.settingsForDriver(""), func(settings *settings) (*handle, error) {
		return newDriverHandle(settings, config.Name, driver, address)
	})
}

// OpenURL makes a pool of what a URL names, as in "jsonrpc://HOST:PORT?pool.max_open=5": the driver by the scheme, a
// setting of the pool by each parameter pool.NAME, which goes before that of the config, and the rest as the driver
// understands it.  A pool without a name is called as the scheme.  Errors quote no password, and a user only where
// a server that refuses a log-in names it.
func OpenURL(config Config, url string) (*DriverPool, error) {
	if url == "" || strings.ContainsRune(url, 0) {
		return nil, &Error{Kind: ErrInvalid, Message: "the URL is empty or contains a zero byte"}
	}
	return newDriverPool(config.Tracer, config.settingsForDriver(url), func(settings *settings) (*handle, error) {
		return newURLHandle(settings, config.Name, url)
	})
}

func newDriverPool(tracer any, settings *settings, create func(*settings) (*handle, error)) (*DriverPool, error) {
	defer settings.free()
	tracers := settings.tracers(tracer)
	if settings.err != nil {
		return nil, settings.err
	}
	if err := mail.open(); err != nil {
		return nil, err
	}
	handle, err := create(settings)
	if err != nil {
		return nil, err
	}
	handle.forget = forgetOfDriver
	p := &DriverPool{handle: handle, timeout: limited(settings.GetGet_timeout_ms()),
		calling: limited(settings.GetCall_timeout_ms()), tracers: tracers, places: settings.notesPlaces()}
	p.limits.read(settings)
	return p, nil
}

// Get lends a connection; it waits and ends as Pool.Get does.
func (p *DriverPool) Get(ctx context.Context) (DriverLease, error) {
	return p.traced(ctx, p.get)
}

func (p *DriverPool) get(ctx context.Context) (DriverLease, error) {
	if ctx == nil {
		return DriverLease{}, &Error{Kind: ErrInvalid, Message: "ctx is nil"}
	}
	if ctx.Err() != nil || (isUnkept(ctx) && endOf(ctx) != nil) {
		return DriverLease{}, p.unseen.count(p.late(ctx, letter{}))
	}
	if lease := lookFor(p.handle); lease > 0 {
		return DriverLease{pool: p, number: lease}, nil
	}
	ctx, cancel := limit(ctx, p.timeout)
	defer cancel()
	came, err := p.wait(ctx)
	if err != nil {
		return DriverLease{}, err
	}
	if came.result <= 0 {
		return DriverLease{}, p.failure(ctx, came)
	}
	return DriverLease{pool: p, number: came.result}, nil
}

// Tells the tracer of a get, and notes which code got the lease.
func (p *DriverPool) traced(ctx context.Context, get func(context.Context) (DriverLease, error)) (DriverLease, error) {
	if ctx == nil {
		return get(ctx)
	}
	ctx = p.tracers.acquireStart(ctx, p)
	lease, err := get(ctx)
	kept := err != nil
	defer func() {
		if !kept {
			_ = lease.Release()
		}
	}()
	if err == nil && p.places {
		_ = tag(lease.number, callerSite().text)
	}
	p.tracers.acquireEnd(ctx, p, lease.number, nil, err)
	kept = true
	return lease, err
}

// The context or the pool's limit ended a get; the letter may say more.
func (p *DriverPool) late(ctx context.Context, came letter) *Error {
	return overOrLate(ctx, p.timeout).in(p.handle, string(came.text))
}

// TryGet lends a connection that is idle; if there is none now, the error is ErrTimeout.
func (p *DriverPool) TryGet() (DriverLease, error) {
	return p.traced(context.Background(), p.tryGet)
}

func (p *DriverPool) tryGet(context.Context) (DriverLease, error) {
	lease := takeIdle(p.handle)
	switch {
	case lease == timeoutCode:
		return DriverLease{}, p.handle.wouldWait()
	case lease <= 0:
		return DriverLease{}, p.handle.failureOf(lease, "")
	}
	return DriverLease{pool: p, number: lease}, nil
}

func (p *DriverPool) wait(ctx context.Context) (letter, error) {
	number, waiter := mail.expect()
	ticket := mail.get(p.handle, orNow(milliseconds(ctx)), number)
	if ticket < 0 {
		mail.forget(number)
		return letter{}, p.handle.failureOf(ticket, "")
	}
	select {
	case came := <-waiter:
		return came, nil
	case <-ctx.Done():
	}
	if !mail.forget(number) {
		return <-waiter, nil
	}
	if cancelTicket(ticket) {
		return letter{}, p.unseen.recount(p.late(ctx, letter{}), ErrCancelled)
	}
	return letter{}, p.late(ctx, letter{})
}

// The library counts in milliseconds and may be early by a part of one.
func (p *DriverPool) failure(ctx context.Context, came letter) error {
	failure := p.handle.failureOf(came.result, string(came.text))
	if _, limited := ctx.Deadline(); failure.Kind == ErrTimeout && limited {
		<-ctx.Done()
		return p.unseen.recount(p.late(ctx, came).insteadOf(ErrTimeout), ErrTimeout)
	}
	return failure
}

// Len is how many connections are idle; 0 after Close.
func (p *DriverPool) Len() int { return p.handle.len() }

// Stats counts.
func (p *DriverPool) Stats() (stats Stats) {
	p.handle.countWith(&p.unseen, &stats)
	return
}

// Name does what Pool.Name does.
func (p *DriverPool) Name() string { return p.handle.name() }

// Report writes what Stats knows, and more, as text; the formats are Text, JSON and Prometheus.
func (p *DriverPool) Report(format int) (string, error) { return p.handle.report(format) }

// Health says how the pool is, as Pool.Health does.
func (p *DriverPool) Health(stuckAfter time.Duration) (Health, string) {
	return p.handle.health(stuckAfter)
}

// Close closes the pool and waits for the rest as Pool.Close does.
func (p *DriverPool) Close(ctx context.Context) error {
	if ctx == nil {
		return &Error{Kind: ErrInvalid, Message: "ctx is nil"}
	}
	for open := p.handle.close(); open > 0; open = p.handle.closeWithin(closeTick.Milliseconds()) {
		if endOf(ctx) != nil {
			return stillOpen(ctx, p.handle, open)
		}
	}
	return nil
}

// Release puts the connection back.  Calls of it that are still under way end as usual.  A lease that has ended already
// gets ErrStale.
func (l DriverLease) Release() error {
	return l.end(false)
}

func (l DriverLease) end(discarded bool) error {
	if code := put(l.number); code < 0 {
		return l.ended(code)
	}
	l.pool.tracers.release(l.pool, l.number, nil, discarded)
	return nil
}

// Discard ends the lease and closes the connection.
func (l DriverLease) Discard() error {
	if code := markUnusable(l.number); code < 0 {
		return l.ended(code)
	}
	return l.end(true)
}

// DiscardBroken does what Lease.DiscardBroken does.  A call that ends with ErrBroken has done it already.
func (l DriverLease) DiscardBroken() error {
	if code := markBroken(l.number); code < 0 {
		return l.ended(code)
	}
	return l.end(true)
}

// Tag does what Lease.Tag does.
func (l DriverLease) Tag(text string) error { return tag(l.number, text) }

func (l DriverLease) ended(code int64) error {
	if code < 0 {
		return failureOf(code, "")
	}
	return nil
}

// Call calls a method and stores the reply in what reply points to; nil drops it.  Arguments and reply are what
// encoding/json makes of them.  It ends with ErrRemote, and the server's error as a RemoteError behind it, ErrBroken,
// ErrTimeout, ErrCancelled or ErrStale.  A call that is given up at the end of the context goes on without being heard,
// and the lease is to be released as usual.
func (l DriverLease) Call(ctx context.Context, method string, args, reply any) error {
	if ctx == nil {
		return &Error{Kind: ErrInvalid, Message: "ctx is nil"}
	}
	if endOf(ctx) != nil {
		return l.givenUp(ctx)
	}
	ctx, cancel := limit(ctx, 0)
	defer cancel()
	number, waiter, err := l.start(method, args)
	if err != nil {
		return l.failure(err)
	}
	select {
	case came := <-waiter:
		return l.failure(came.reply(reply))
	case <-ctx.Done():
	}
	if !mail.forget(number) {
		return l.failure((<-waiter).reply(reply))
	}
	return l.givenUp(callerOf(ctx))
}

// The error of a call says of which pool it is, and which setting ended it.
func (l DriverLease) failure(err error) error {
	failed, is := err.(*Error)
	if !is || l.pool == nil {
		return err
	}
	failed.Pool = l.pool.handle.name()
	if failed.Kind == ErrTimeout && l.pool.calling > 0 {
		failed.Err = &limitError{"call_timeout_ms", l.pool.calling}
	}
	return failed
}

func (l DriverLease) givenUp(ctx context.Context) error {
	ended := over(ctx)
	ended.Message = "the call was given up when its context ended"
	if l.pool != nil {
		ended.Pool = l.pool.handle.name()
	}
	return ended
}

// Go starts a call and returns at once; done receives it when it is over, and is made if it is nil.
func (l DriverLease) Go(method string, args, reply any, done chan *Call) *Call {
	if done == nil {
		done = make(chan *Call, 1)
	}
	call := &Call{Method: method, Args: args, Reply: reply, Done: done}
	_, waiter, err := l.start(method, args)
	go func() {
		defer func() { done <- call }()
		if call.Error = l.failure(err); err == nil {
			call.Error = errEnded // unless it returns
			call.Error = l.failure((<-waiter).safeReply(reply))
		}
	}()
	return call
}

func (l DriverLease) start(method string, args any) (int64, chan letter, error) {
	if l.pool == nil {
		return 0, nil, stale()
	}
	if method == "" || strings.ContainsRune(method, 0) {
		return 0, nil, &Error{Kind: ErrInvalid, Message: "a method's name is empty or contains a zero byte"}
	}
	text, err := json.Marshal(args)
	if err != nil {
		return 0, nil, &Error{Kind: ErrInvalid, Message: "the arguments cannot be written as JSON", Err: err}
	}
	number, waiter := mail.expect()
	if code := mail.call(l.number, method, string(text), number); code < 0 {
		mail.forget(number)
		return 0, nil, failureOf(code, "")
	}
	return number, waiter, nil
}

// What a letter says about a call.
func (came letter) reply(reply any) error {
	if came.result < 0 {
		failure := failureOf(came.result, string(came.text))
		if failure.Kind == ErrRemote {
			return &Error{Kind: ErrRemote, Err: RemoteError(came.text)}
		}
		return failure
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(came.text, reply); err != nil {
		return &Error{Kind: ErrInvalid, Message: "the reply does not fit", Err: err}
	}
	return nil
}

// The same in a goroutine that nobody else has: what a method of the reply panics with becomes the error.
func (came letter) safeReply(reply any) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &Error{Kind: ErrInvalid, Message: "the reply cannot be stored",
				Err: fmt.Errorf("panic: %v\n\n%s", value, debug.Stack())}
		}
	}()
	return came.reply(reply)
}
