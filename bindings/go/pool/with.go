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
func (p *Pool[C]) With(ctx context.Context, use func(conn C) error) (err error) {
	lease, err := p.Get(ctx)
	if err != nil {
		return err
	}
	broken := false
	defer func() {
		end := lease.Release
		if broken {
			end = lease.DiscardBroken
		}
		if failure := end(); err == nil {
			err = failure
		}
	}()
	err = use(lease.Conn())
	broken = errors.Is(err, ErrBroken)
	return
}

// With does what Pool.With does.  A call that ended with ErrBroken has marked the connection already.
func (p *DriverPool) With(ctx context.Context, use func(lease DriverLease) error) (err error) {
	lease, err := p.Get(ctx)
	if err != nil {
		return err
	}
	broken := false
	defer func() {
		end := lease.Release
		if broken {
			end = lease.DiscardBroken
		}
		if failure := end(); err == nil && !errors.Is(failure, ErrStale) { // the function may have ended it
			err = failure
		}
	}()
	err = use(lease)
	broken = errors.Is(err, ErrBroken)
	return
}
