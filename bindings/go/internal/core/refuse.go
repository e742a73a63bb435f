// SPDX-License-Identifier: MIT

//go:build !cgo

package core

// Without cgo, this says what to do.
import _ "libpool.example/go/internal/include/pool"
