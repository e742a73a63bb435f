// SPDX-License-Identifier: MIT

//go:build go1.20

package pool

import "context"

// Why a context was ended, as who ended it says.
func causeOf(ctx context.Context) error { return context.Cause(ctx) }
