// SPDX-License-Identifier: MIT

//go:build !linux || android

package headers

// The compiler quotes this name, which says what to do.
var _ = libpool_runs_on_Linux_only__build_with_GOOS_linux
