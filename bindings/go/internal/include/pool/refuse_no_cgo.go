// SPDX-License-Identifier: MIT

//go:build linux && !android && !cgo

package headers

// The compiler quotes this name, which says what to do.  Go switches cgo off by itself where it finds no C compiler, and
// where it compiles for another system or processor.  Then CC has to name a compiler for that one.
var _ = libpool_is_written_in_C__set_CGO_ENABLED_to_1_and_install_a_C_compiler
