// SPDX-License-Identifier: MIT

//go:build go1.21

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"libpool.example/go/pool"
)

func TestTheCauseOfACancellationIsBehindTheError(t *testing.T) {
	shutdown := errors.New("the program shuts down")
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	held := get(t, p)
	ctx, cancel := context.WithCancelCause(background)
	waiting := cancelWaiting(p, ctx, func() { cancel(shutdown) })
	for _, err := range []error{waiting, errorOf(p.Get(ctx))} {
		expect(t, err, pool.ErrCancelled)
		expect(t, err, context.Canceled)
		expect(t, err, shutdown)
		says(t, err, ".*: context canceled: the program shuts down")
	}
	release(t, held)
	expect(t, closeWith(ctx, t), shutdown)
}

// Of a pool of which a connection is lent for ever.
func closeWith(ctx context.Context, t *testing.T) error {
	p, _ := newPool(t, pool.Config{})
	held := get(t, p)
	defer release(t, held)
	return p.Close(ctx)
}

func TestACauseDoesNotSayHowAContextEnded(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	held := get(t, p)
	late, cancel := context.WithTimeoutCause(background, time.Millisecond, fmt.Errorf("shut down: %w", context.Canceled))
	defer cancel()
	_, err := p.Get(late)
	expect(t, err, pool.ErrTimeout)
	cancelled, end := context.WithCancelCause(background)
	end(fmt.Errorf("another call: %w", context.DeadlineExceeded))
	_, err = p.Get(cancelled)
	expect(t, err, pool.ErrCancelled)
	release(t, held)
}

var errRequest = errors.New("request 7 is over")

// Errors of a type whose values cannot be compared.
type reasons []error

func (r reasons) Error() string   { return fmt.Sprint([]error(r)) }
func (r reasons) Unwrap() []error { return r }

// A context that says in its own words why it is over, and makes its error anew each time.
type request struct{ context.Context }

func (r request) Err() error {
	if err := r.Context.Err(); err != nil {
		return reasons{err, errRequest}
	}
	return nil
}

// The same, and package context does not know its cause.
type foreign struct{ request }

func (foreign) Value(any) any { return nil }

func TestTheErrorOfAContextMayBeOfAnyKind(t *testing.T) {
	p, _ := newPool(t, pool.Config{MaxOpen: 1})
	held := get(t, p)
	for _, wrap := range []func(context.Context) context.Context{
		func(ctx context.Context) context.Context { return request{ctx} },
		func(ctx context.Context) context.Context { return foreign{request{ctx}} },
	} {
		inner, cancel := context.WithCancel(background)
		ctx := wrap(inner)
		waiting := cancelWaiting(p, ctx, cancel)
		for _, err := range []error{waiting, errorOf(p.Get(ctx)), closeWith(ctx, t)} {
			expect(t, err, context.Canceled)
			expect(t, err, errRequest)
		}
		expect(t, waiting, pool.ErrCancelled)
	}
	release(t, held)
}
