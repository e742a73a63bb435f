// SPDX-License-Identifier: MIT

//go:build go1.20

package pool

import "context"

// Why a context was ended, in the words of the code that ended it.
func causeOf(ctx context.Context) error { return context.Cause(ctx) }
