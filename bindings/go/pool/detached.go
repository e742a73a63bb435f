// SPDX-License-Identifier: MIT

//go:build go1.21

package pool

import "context"

// The values of a context, without its end.
func detached(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
