// SPDX-License-Identifier: MIT

//go:build !race

package pool

const detectsRaces = false
