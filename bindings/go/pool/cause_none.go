// SPDX-License-Identifier: MIT

//go:build !go1.20

package pool

import "context"

// Contexts of this release of Go know no cause.
func causeOf(context.Context) error { return nil }
