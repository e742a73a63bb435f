// SPDX-License-Identifier: MIT

// Package headers is the folder of the C library's public headers.  It has a Go file and is imported by the packages that
// include the headers, because `go mod vendor` leaves out folders that are not.
//
// It also refuses to be compiled where the library does not run, which all other packages need; see the files whose names
// begin with `refuse_`.
package headers
