// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"libpool.example/go/internal/native"
)

// What went wrong, for errors.Is; the texts are the library's.
var (
	ErrInvalid     = kind(native.POOL_E_INVALID)     // a parameter or setting is wrong; the message names it
	ErrStale       = kind(native.POOL_E_STALE)       // the lease has ended already
	ErrClosed      = kind(native.POOL_E_CLOSED)      // the pool is closed
	ErrTimeout     = kind(native.POOL_E_TIMEOUT)     // the deadline passed, or TryGet found nothing
	ErrOpen        = kind(native.POOL_E_OPEN)        // a connection could not be opened; open's error is behind it
	ErrRemote      = kind(native.POOL_E_REMOTE)      // the server answered a call with an error; it is behind this one
	ErrBroken      = kind(native.POOL_E_BROKEN)      // the connection broke during a call
	ErrDriver      = kind(native.POOL_E_DRIVER)      // there is no such driver, or it cannot be loaded
	ErrOverload    = kind(native.POOL_E_OVERLOAD)    // too many are waiting already
	ErrCancelled   = kind(native.POOL_E_CANCELLED)   // the context was cancelled
	ErrEvicted     = kind(native.POOL_E_EVICTED)     // Evict ended the wait
	ErrUnsupported = kind(native.POOL_E_UNSUPPORTED) // this pool cannot do that
	ErrNoMemory    = kind(native.POOL_E_NOMEM)       // memory, or the table of slots, is used up
)

var kinds = map[int64]error{
	int64(native.POOL_E_INVALID):     ErrInvalid,
	int64(native.POOL_E_STALE):       ErrStale,
	int64(native.POOL_E_CLOSED):      ErrClosed,
	int64(native.POOL_E_TIMEOUT):     ErrTimeout,
	int64(native.POOL_E_OPEN):        ErrOpen,
	int64(native.POOL_E_REMOTE):      ErrRemote,
	int64(native.POOL_E_BROKEN):      ErrBroken,
	int64(native.POOL_E_DRIVER):      ErrDriver,
	int64(native.POOL_E_OVERLOAD):    ErrOverload,
	int64(native.POOL_E_CANCELLED):   ErrCancelled,
	int64(native.POOL_E_EVICTED):     ErrEvicted,
	int64(native.POOL_E_UNSUPPORTED): ErrUnsupported,
	int64(native.POOL_E_NOMEM):       ErrNoMemory,
}

func kind(code int) error {
	return errors.New(native.Pool_strerror(int64(code)))
}

// Error is what the pool returns: errors.Is finds its kind, one of the values above, and what is behind it.
type Error struct {
	Kind    error  // ErrClosed, ErrTimeout, ...
	Message string // says more than the kind does, or ""
	Err     error  // the error of open or of the context, or nil
}

func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = e.Kind.Error()
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

// The context ended a get whose last open had failed: errors.Is and errors.As find both errors.
type lateError struct {
	over error // the context's
	open error
}

func (e *lateError) Error() string {
	return e.over.Error() + "; the last open failed: " + e.open.Error()
}

func (e *lateError) Is(target error) bool { return errors.Is(e.over, target) }

func (e *lateError) As(target any) bool { return errors.As(e.over, target) }

func (e *lateError) Unwrap() error { return e.open }

// Why a context ended a get.
func over(err error) *Error {
	if errors.Is(err, context.Canceled) {
		return &Error{Kind: ErrCancelled, Err: err}
	}
	return &Error{Kind: ErrTimeout, Err: err}
}

func stillOpen(count int, err error) error {
	message := fmt.Sprintf("the pool is closed, but connections are still lent or being opened: %d", count)
	return &Error{Kind: over(err).Kind, Message: message, Err: err}
}

func failureOf(code int64, message string) *Error {
	known := kinds[code]
	if known == nil {
		known = kind(int(code))
	}
	return &Error{Kind: known, Message: message}
}

// The error of a step; one that says that the server is down has the error of the last open behind it.
func (p *Pool[C]) failure(last step) error {
	failure := failureOf(int64(last.result), last.message)
	if cause := p.lastCause.Load(); cause != nil && failure.Kind == ErrOpen {
		failure.Err = *cause
	}
	return failure
}

func (p *Pool[C]) failureIf(last step) error {
	if last.result >= 0 {
		return nil
	}
	return p.failure(last)
}
