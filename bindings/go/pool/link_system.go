// SPDX-License-Identifier: MIT

//go:build pool_system

package pool

// #cgo pkg-config: pool
import "C"

import _ "libpool.example/go/internal/include/pool"
