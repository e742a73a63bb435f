// SPDX-License-Identifier: MIT

//go:build race

package pool

// Whether the race detector is built in, which must be shown in which order goroutines have a connection.
const detectsRaces = true
