// SPDX-License-Identifier: MIT

// Package native is the C library as SWIG shows it: what runs once in a pool's life, the settings, counts and codes.
// swig.go and swig_wrap.c are generated from bindings/pool.i.
package native

// Where this is not served, it says so.
import _ "libpool.example/go/internal/include/pool"
