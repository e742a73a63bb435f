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

// The values of one context, and the end of another.
type constructing struct {
	context.Context
	values context.Context
}

func (c constructing) Value(key any) any { return c.values.Value(key) }

func (p *Pool[T]) construct(values context.Context) (*Resource[T], error) {
	var wish *wish[T]
	ctx, is := values.Value(givenKey{}).(context.Context)
	if !is { // a wish behind such a context is that of another pool, whose constructor calls this one
		ctx = constructing{Context: p.ends, values: values}
		if wish = wishOf[T](values); wish != nil {
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
