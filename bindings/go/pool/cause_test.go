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
