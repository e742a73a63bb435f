// SPDX-License-Identifier: MIT

package puddle

import (
	"context"
	"time"
)

// What a constructor failed with, as it was.
type constructorError struct{ err error }

func (e *constructorError) Error() string { return e.err.Error() }

func (e *constructorError) Unwrap() error { return e.err }

// The key of the context that the constructor gets as it is.
type givenKey struct{}

// A context for package pool, which hands on its values only.
func given(ctx context.Context) context.Context {
	return context.WithValue(ctx, givenKey{}, ctx)
}

// What a constructor gets: package pool's context, which ends when the pool is closed as well.
type constructing struct {
	context.Context
	life context.Context
}

func (c constructing) Deadline() (deadline time.Time, limited bool) { return c.life.Deadline() }

func (c constructing) Value(key any) any { return c.life.Value(key) }

func (c constructing) Err() error {
	err := c.Context.Err()
	if over := c.life.Err(); err != nil && over != nil {
		return over
	}
	return err
}

// Of a construction without a limit the pool alone is the end, so nothing has to be heard of its life.
func (p *Pool[T]) constructing(life context.Context) constructing {
	ends := p.ends
	if _, limited := life.Deadline(); limited {
		var end context.CancelFunc
		ends, end = context.WithCancel(ends)
		after(life, end)
	}
	return constructing{ends, life}
}

func (p *Pool[T]) construct(life context.Context) (*Resource[T], error) {
	var wish *wish[T]
	ctx, is := life.Value(givenKey{}).(context.Context)
	if !is { // a wish behind such a context is that of another pool, whose constructor calls this one
		ctx = p.constructing(life)
		if wish = wishOf[T](life); wish != nil {
			wish.begun.Store(true)
		}
	}
	constructed := false
	defer func() {
		if !constructed { // it failed, or did not return
			wish.settle(nil)
		}
	}()
	value, err := p.constructor(ctx)
	if err != nil {
		return nil, &constructorError{err}
	}
	constructed = true
	return &Resource[T]{value: value, made: time.Now(), used: now(), wish: wish}, nil
}
