// SPDX-License-Identifier: MIT

//go:build !pool_system

// Package core is the C library itself, compiled with the program: all its sources lie in this folder, where cgo looks for
// them.  With the build tag pool_system the program is linked with the installed library instead.
package core

/*
#cgo CFLAGS: -O2 -std=gnu11 -pthread -fno-strict-aliasing -fno-lto -fvisibility=hidden -Wno-psabi -Wno-pragmas
#cgo CFLAGS: -D_GNU_SOURCE -DPOOL_EMBEDDED -I${SRCDIR}/../include
#cgo LDFLAGS: -pthread -ldl

// Drivers are loaded at run time, and look for the library's functions in the program.
#cgo LDFLAGS: -rdynamic

// These processors leave some atomic operations to a library of the compiler.
#cgo arm mips mipsle riscv64 LDFLAGS: -latomic
*/
import "C"

import _ "libpool.example/go/internal/include/pool"
