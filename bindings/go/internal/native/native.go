// SPDX-License-Identifier: MIT

// Package native is the C library as SWIG shows it: what runs once in a pool's life, the settings, counts and codes.
// All but this file is generated from bindings/pool.i.
package native

// #cgo pkg-config: pool
import "C"
