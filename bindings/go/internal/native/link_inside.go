// SPDX-License-Identifier: MIT

//go:build !pool_system

package native

// #cgo CFLAGS: -I${SRCDIR}/../include
import "C"

import (
	_ "libpool.example/go/internal/core"
	_ "libpool.example/go/internal/include/pool"
)
