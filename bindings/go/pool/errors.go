// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"libpool.example/go/internal/native"
)

// What went wrong, for errors.Is; the texts are the library's.
var (
	ErrInvalid     = kind(native.POOL_E_INVALID)     // a parameter or setting is wrong; the message names it
	ErrStale       = kind(native.POOL_E_STALE)       // the lease has ended already
	ErrClosed      = kind(native.POOL_E_CLOSED)      // the pool is closed
	ErrTimeout     = kind(native.POOL_E_TIMEOUT)     // the deadline or Config.GetTimeout passed, or TryGet found nothing
	ErrOpen        = kind(native.POOL_E_OPEN)        // a connection could not be opened; open's error is behind it
	ErrRemote      = kind(native.POOL_E_REMOTE)      // the server answered a call with an error; it is behind this one
	ErrBroken      = kind(native.POOL_E_BROKEN)      // the connection broke during a call
	ErrDriver      = kind(native.POOL_E_DRIVER)      // there is no such driver, or it cannot be loaded
	ErrOverload    = kind(native.POOL_E_OVERLOAD)    // too many are waiting already
	ErrCancelled   = kind(native.POOL_E_CANCELLED)   // the context was cancelled
	ErrEvicted     = kind(native.POOL_E_EVICTED)     // Evict ended the wait
	ErrUnsupported = kind(native.POOL_E_UNSUPPORTED) // this pool cannot do that
	ErrNoMemory    = kind(native.POOL_E_NOMEM)       // memory, or the table of slots, is used up
	ErrSystem      = kind(native.POOL_E_SYSTEM)      // the operating system refused a thread or a descriptor
	ErrVtable      = kind(native.POOL_E_VTABLE)      // a driver has no open or no close
	ErrSize        = kind(native.POOL_E_SIZE)        // this package and the library are of different releases, as with
	ErrNewer       = kind(native.POOL_E_NEWER)       // the three that follow
	ErrOlder       = kind(native.POOL_E_OLDER)
	ErrWild        = kind(native.POOL_E_WILD)
)

var kinds = map[int64]error{}

// The error of a code; package variables are made in order of need, so the map is there.
func kind(code int) error {
	made := errors.New(native.Pool_strerror(int64(code)))
	kinds[int64(code)] = made
	return made
}

// Error is what the pool returns: errors.Is finds its kind, one of the values above, and what is behind it.
//
// A Get whose context ended has behind it the context's error, context.DeadlineExceeded or context.Canceled, and its
// cause, if context.Cause knows one.  One that took longer than Config.GetTimeout is ErrTimeout without
// context.DeadlineExceeded.  Of both, why the last open failed may be behind it, too.
type Error struct {
	Kind    error  // ErrClosed, ErrTimeout, ...
	Message string // says more than the kind does, or ""
	Err     error  // the error of open or of the context, or nil
	Pool    string // the name of the pool, or ""
}

func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = e.Kind.Error()
	}
	if e.Pool != "" && !strings.HasPrefix(text, e.Pool+": ") {
		text = e.Pool + ": " + text
	}
	if e.Err == nil {
		return text
	}
	behind := e.Err.Error()
	if late, is := e.Err.(*lateError); is && strings.Contains(text, late.open.Error()) {
		behind = late.over.Error()
	}
	if strings.Contains(text, behind) {
		return text // the library was told it and says it
	}
	return text + ": " + behind
}

// Is makes errors.Is find the kind.
func (e *Error) Is(target error) bool { return target == e.Kind }

// Unwrap gives what is behind the error.
func (e *Error) Unwrap() error { return e.Err }

// Timeout says whether time was what lacked, as for net.Error and os.IsTimeout.
func (e *Error) Timeout() bool { return e.Kind == ErrTimeout }

// Temporary says whether the same may succeed later without anything being changed; it completes net.Error.
func (e *Error) Temporary() bool {
	return e.Kind == ErrTimeout || e.Kind == ErrOverload || e.Kind == ErrEvicted
}

// PanicError is what Get panics with after open or check did, which run in a goroutine of their own.
type PanicError struct {
	Value any    // what they panicked with
	Stack []byte // of their goroutine
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("panic while a connection was being opened or checked: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap gives the value, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

func stale() error { return &Error{Kind: ErrStale} }

// A get ended without a connection, and its last open had failed: errors.Is and errors.As find both errors.  That an open
// ran into a deadline of its own says nothing of the caller's, so errors of contexts are looked for in the first alone.
type lateError struct {
	over error // why the get ended
	open error
}

func (e *lateError) Error() string {
	return e.over.Error() + "; the last open failed: " + e.open.Error()
}

func (e *lateError) Is(target error) bool {
	if target == context.DeadlineExceeded || target == context.Canceled {
		return errors.Is(e.over, target)
	}
	return errors.Is(e.over, target) || errors.Is(e.open, target)
}

func (e *lateError) As(target any) bool {
	return errors.As(e.over, target) || errors.As(e.open, target)
}

// A context ended, and it was said why.
type causeError struct{ over, cause error }

func (e *causeError) Error() string {
	return e.over.Error() + ": " + e.cause.Error()
}

func (e *causeError) Is(target error) bool {
	return errors.Is(e.over, target) || errors.Is(e.cause, target)
}

func (e *causeError) As(target any) bool {
	return errors.As(e.over, target) || errors.As(e.cause, target)
}

// Behind the error of a get or call that took as long as the pool's own setting allows.
type limitError struct {
	setting string
	limit   time.Duration
}

func (e *limitError) Error() string {
	return fmt.Sprintf("%s is %d", e.setting, e.limit.Milliseconds())
}

// Why a context is over, or nil.  One whose Done is nil cannot say so, but may have a deadline.
func endOf(ctx context.Context) error {
	err := ctx.Err()
	if deadline, is := ctx.Deadline(); err == nil && is && !time.Now().Before(deadline) {
		err = context.DeadlineExceeded
	}
	if err == nil {
		return nil
	}
	if cause := causeOf(ctx); cause != nil && !errors.Is(err, cause) {
		return &causeError{over: err, cause: cause}
	}
	return err
}

// What is to be returned to a caller whose context is over.
func over(ctx context.Context) *Error {
	said, err := ctx.Err(), endOf(ctx)
	if said == nil || errors.Is(said, context.DeadlineExceeded) { // its cause may be any error, also that of another context
		return &Error{Kind: ErrTimeout, Err: err}
	}
	return &Error{Kind: ErrCancelled, Err: err}
}

// The same of a get, which the pool's own limit may have ended.
func overOrLate(ctx context.Context, limit time.Duration) *Error {
	caller := callerOf(ctx)
	if endOf(caller) == nil {
		return &Error{Kind: ErrTimeout, Err: &limitError{"get_timeout_ms", limit}}
	}
	return over(caller)
}

func ofAtMost(most int64) string {
	if most == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d", most)
}

// Says of which pool it is, and what the library says of it; where that was not asked, how many connections there are.
func (e *Error) in(handle *handle, message string) *Error {
	if e.Pool = handle.name(); message == "" {
		message = e.Kind.Error()
	}
	if e.Message = message; !strings.Contains(message, " are open, ") {
		now := handle.stats()
		e.Message += fmt.Sprintf("; %d%s are open, %d leased, %d idle, %d wait", now.Open, ofAtMost(now.MaxOpen), now.Leased,
			now.Idle, now.Waiting)
		if now.OldestLease > 0 {
			e.Message += fmt.Sprintf("; the oldest lease is out for %d ms", now.OldestLease.Milliseconds())
		}
	}
	return e
}

// What the library's text says first of a get that did.
var howItEnded = map[error]string{ErrTimeout: ": no connection in time: ", ErrCancelled: ": cancelled: "}

// The library took the get for one that ended so, and its text says that.
func (e *Error) insteadOf(counted error) *Error {
	if taken := e.Pool + howItEnded[counted]; e.Kind != counted && strings.HasPrefix(e.Message, taken) {
		e.Message = e.Pool + howItEnded[e.Kind] + e.Message[len(taken):]
	}
	return e
}

// The caller that makes a pool knows which.
func unnamed(err error) error {
	if failure, is := err.(*Error); is {
		failure.Pool = ""
	}
	return err
}

func stillOpen(ctx context.Context, handle *handle, count int) error {
	ended := over(ctx)
	ended.Pool = handle.name()
	ended.Message = fmt.Sprintf("the pool is closed, but connections are still lent or being opened: %d", count)
	return ended
}

func failureOf(code int64, message string) *Error {
	known := kinds[code]
	if known == nil {
		known = kind(int(code))
	}
	return &Error{Kind: known, Message: message}
}

// The same of a call of one pool.
func (h *handle) failureOf(code int64, message string) *Error {
	failure := failureOf(code, message)
	failure.Pool = h.name()
	return failure
}

// The error of a step; one that says that the server is down has the error of the last open behind it.
func (p *Pool[C]) failure(last step) error {
	failure := p.handle.failureOf(int64(last.result), last.message)
	if cause := p.lastCause.Load(); cause != nil && failure.Kind == ErrOpen {
		failure.Err = *cause
	}
	return failure
}

// The error of a call that does not wait: time is not what it lacked.
func (h *handle) refused(message string) error {
	return &Error{Kind: ErrTimeout, Message: message, Pool: h.name()}
}

func (h *handle) wouldWait() error { return h.refused("no connection can be had without waiting") }

func (p *Pool[C]) failureIf(last step) error {
	switch {
	case last.result >= 0:
		return nil
	case last.result == staleCode:
		return stale()
	}
	return p.failure(last)
}
