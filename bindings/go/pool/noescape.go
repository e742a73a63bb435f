// SPDX-License-Identifier: MIT

//go:build go1.24

package pool

// C keeps nothing that it is given, and never calls Go, which could move the stack: so no struct has to be allocated.
// Earlier compilers do not know these words, and allocate.

/*
#cgo noescape step_begin
#cgo nocallback step_begin
#cgo noescape step_taken
#cgo nocallback step_taken
#cgo noescape step_join
#cgo nocallback step_join
#cgo noescape step_given
#cgo nocallback step_given
#cgo noescape step_cancel
#cgo nocallback step_cancel
#cgo noescape step_end
#cgo nocallback step_end
#cgo noescape step_pass
#cgo nocallback step_pass
#cgo noescape step_end_unused
#cgo nocallback step_end_unused
#cgo noescape step_idle
#cgo nocallback step_idle
#cgo noescape step_open
#cgo nocallback step_open
#cgo noescape step_end_unusable
#cgo nocallback step_end_unusable
#cgo noescape step_end_broken
#cgo nocallback step_end_broken
#cgo noescape step_done
#cgo nocallback step_done
#cgo noescape step_next
#cgo nocallback step_next
#cgo noescape step_failed_of
#cgo nocallback step_failed_of
#cgo noescape stats_read
#cgo nocallback stats_read
*/
import "C"
