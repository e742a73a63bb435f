// SPDX-License-Identifier: MIT

//go:build !pool_system

package pool

// #cgo CFLAGS: -I${SRCDIR}/../internal/include
import "C"

import (
	_ "libpool.example/go/internal/core"
	_ "libpool.example/go/internal/include/pool"
)
