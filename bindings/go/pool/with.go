// SPDX-License-Identifier: MIT

package pool

import (
	"context"
	"errors"
)

// Broken says that a connection broke, for the error of a function that With calls.  The error is behind it.
func Broken(err error) error { return &Error{Kind: ErrBroken, Err: err} }

// With lends a connection to a function and puts it back when that is over, also by a panic or runtime.Goexit.  It returns
// the function's error as it is; if that is ErrBroken, as Broken makes it, the connection is closed as DiscardBroken does.
func (p *Pool[C]) With(ctx context.Context, use func(conn C) error) error {
	lease, err := p.Get(ctx)
	if err != nil {
		return err
	}
	return with(lease, func(lease Lease[C]) error { return use(lease.Conn()) })
}

// With does what Pool.With does.  A call that ended with ErrBroken has marked the connection already.
func (p *DriverPool) With(ctx context.Context, use func(lease DriverLease) error) error {
	lease, err := p.Get(ctx)
	if err != nil {
		return err
	}
	return with(lease, use)
}

type ender interface {
	Release() error
	DiscardBroken() error
}

// Ends the lease after the function, unless that has done it.
func with[L ender](lease L, use func(L) error) (err error) {
	broken := false
	defer func() {
		end := lease.Release
		if broken {
			end = lease.DiscardBroken
		}
		if failure := end(); err == nil && !errors.Is(failure, ErrStale) {
			err = failure
		}
	}()
	err = use(lease)
	broken = errors.Is(err, ErrBroken)
	return
}
