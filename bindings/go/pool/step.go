// SPDX-License-Identifier: MIT

package pool

/*
#cgo pkg-config: pool
#include "step.h"
*/
import "C"

import "runtime"

// What is to be done next, as <pool/step.h> says it.
type step = C.struct_step

const (
	workNone  = C.POOL_WORK_NONE
	workOpen  = C.POOL_WORK_OPEN
	workCheck = C.POOL_WORK_CHECK
	workClose = C.POOL_WORK_CLOSE

	timeoutCode = C.POOL_E_TIMEOUT
)

func begin(handle *handle, timeout int64, ticket int64) (next step) {
	C.step_begin(C.uintptr_t(handle.address), C.int64_t(timeout), C.int64_t(ticket), &next)
	runtime.KeepAlive(handle)
	return
}

func cancel(ticket int64) (next step) {
	C.step_cancel(C.int64_t(ticket), &next)
	return
}

func end(lease int64) (next step) {
	C.step_end(C.int64_t(lease), &next)
	return
}

func endUnusable(lease int64) (next step) {
	C.step_end_unusable(C.int64_t(lease), &next)
	return
}

func done(claim int64, succeeded bool) (next step) {
	result := C.int32_t(-1)
	if succeeded {
		result = 0
	}
	C.step_done(C.int64_t(claim), result, &next)
	return
}

func following(handle *handle) (next step) {
	C.step_next(C.uintptr_t(handle.address), &next)
	runtime.KeepAlive(handle)
	return
}
