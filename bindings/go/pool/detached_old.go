// SPDX-License-Identifier: MIT

//go:build !go1.21

package pool

import (
	"context"
	"time"
)

// The values of a context, without its end.
func detached(ctx context.Context) context.Context { return valuesOnly{ctx} }

type valuesOnly struct{ context.Context }

func (valuesOnly) Deadline() (deadline time.Time, limited bool) { return }
func (valuesOnly) Done() <-chan struct{}                        { return nil }
func (valuesOnly) Err() error                                   { return nil }
