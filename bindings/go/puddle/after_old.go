// SPDX-License-Identifier: MIT

//go:build !go1.21

package puddle

import "context"

// Calls a function when a context is over.
func after(ctx context.Context, function func()) {
	go func() {
		<-ctx.Done()
		function()
	}()
}
