// SPDX-License-Identifier: MIT

package pool

/*
#cgo pkg-config: pool
#include "step.h"

static void step_failed(int64_t claim, int32_t code, _GoString_ message, struct step *told)
{
  step_done(claim, code, _GoStringPtr(message), _GoStringLen(message), told);
}
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

	checksStep = C.POOL_STEP_CHECKS

	timeoutCode = C.POOL_E_TIMEOUT
	openCode    = C.POOL_E_OPEN
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

func endBroken(lease int64) (next step) {
	C.step_end_broken(C.int64_t(lease), &next)
	return
}

func succeeded(claim int64) (next step) {
	C.step_done(C.int64_t(claim), 0, nil, 0, &next)
	return
}

// The message is for those who are not let through to the server, because it is known to be down; the code is ErrOpen's,
// or ErrTimeout's if the caller was too impatient, which says nothing about the server.
func failed(claim int64, impatient bool, message string) (next step) {
	code := C.int32_t(C.POOL_E_OPEN)
	if impatient {
		code = C.POOL_E_TIMEOUT
	}
	C.step_failed(C.int64_t(claim), code, message, &next)
	return
}

func following(handle *handle) (next step) {
	C.step_next(C.uintptr_t(handle.address), &next)
	runtime.KeepAlive(handle)
	return
}
