// SPDX-License-Identifier: MIT

package pool

/*
#include "step.h"

static void step_failed_of(int64_t claim, _GoString_ message, struct step *told)
{
  step_failed(claim, _GoStringPtr(message), _GoStringLen(message), told);
}
*/
import "C"

import "runtime"

type told = C.struct_step

// A place in the queue, or none.
func ticketOf(ticket int64) told { return told{ticket: C.int64_t(ticket)} }

// What is to be done next, as <pool/step.h> says it.
type step struct {
	told
	message string // of a failure, or "": its code says it all
}

const (
	workNone  = C.POOL_WORK_NONE
	workOpen  = C.POOL_WORK_OPEN
	workCheck = C.POOL_WORK_CHECK
	workReset = C.POOL_WORK_RESET
	workClose = C.POOL_WORK_CLOSE

	checksStep = C.POOL_STEP_CHECKS
	resetsStep = C.POOL_STEP_RESETS
	eventsStep = C.POOL_STEP_EVENTS
	logStep    = C.POOL_STEP_LOG

	handsStep = C.POOL_STEP_HANDS
	joinsStep = C.POOL_STEP_JOINS

	timeoutCode   = C.POOL_E_TIMEOUT
	cancelledCode = C.POOL_E_CANCELLED
	openCode      = C.POOL_E_OPEN
	closedCode    = C.POOL_E_CLOSED
	staleCode     = C.POOL_E_STALE

	never = C.POOL_NO_DEADLINE
)

// The text is C's memory.
func (s *step) read() {
	s.message = C.GoString(C.step_text(s.text))
	C.step_text_free(s.text)
	s.text = 0
}

func begin(handle *handle, timeout int64, ticket int64) (next step) {
	C.step_begin(C.uintptr_t(handle.address), C.int64_t(timeout), C.int64_t(ticket), &next.told)
	runtime.KeepAlive(handle)
	if next.text != 0 {
		next.read()
	}
	return
}

// Goes on with a get that took this lease by the view.
func taken(handle *handle, timeout int64, lease int64) (next step) {
	C.step_taken(C.uintptr_t(handle.address), C.int64_t(timeout), C.int64_t(lease), &next.told)
	runtime.KeepAlive(handle)
	if next.text != 0 {
		next.read()
	}
	return
}

// Gives a get a place in the queue whose open takes long.
func join(claim int64) (next step) {
	C.step_join(C.int64_t(claim), &next.told)
	if next.text != 0 {
		next.read()
	}
	return
}

// Of a get that was given its lease.
func leased(lease int64) (next step) {
	next.result = C.int64_t(lease)
	return
}

// Work that is done and reported by its claim.
type task struct{ work, claim int64 }

func (s *step) task() task { return task{int64(s.work), int64(s.claim)} }

func (t task) step() (next step) {
	next.work, next.claim = C.int32_t(t.work), C.int64_t(t.claim)
	return
}

func cancel(ticket int64) (next step) {
	C.step_cancel(C.int64_t(ticket), &next.told)
	if next.text != 0 {
		next.read()
	}
	return
}

func end(lease int64) (next step) {
	C.step_end(C.int64_t(lease), &next.told)
	return
}

// The same, and the connection goes to the first waiter.
func pass(lease int64) (next step) {
	C.step_pass(C.int64_t(lease), &next.told)
	return
}

// Goes on with a put that ended this lease by the view.
func given(lease int64) (next step) {
	C.step_given(C.int64_t(lease), &next.told)
	return
}

func endUnused(lease int64) (next step) {
	C.step_end_unused(C.int64_t(lease), &next.told)
	return
}

// Lends what is idle, and nothing else.
func beginIdle(handle *handle) (next step) {
	C.step_idle(C.uintptr_t(handle.address), &next.told)
	runtime.KeepAlive(handle)
	return
}

// Asks for an open that no get waits for.
func beginOpen(handle *handle) (next step) {
	C.step_open(C.uintptr_t(handle.address), &next.told)
	runtime.KeepAlive(handle)
	if next.text != 0 {
		next.read()
	}
	return
}

func endUnusable(lease int64) (next step) {
	C.step_end_unusable(C.int64_t(lease), &next.told)
	return
}

func endBroken(lease int64) (next step) {
	C.step_end_broken(C.int64_t(lease), &next.told)
	return
}

// What is written through a pointer here and on the way to it costs a goroutine that opens no copies: its small first stack
// is enough.
func succeeded(claim int64, next *step) {
	C.step_done(C.int64_t(claim), &next.told)
	if next.text != 0 {
		next.read()
	}
}

// The message is for those who are not let through to the server, because it is known to be down.
func failed(claim int64, message string, next *step) {
	C.step_failed_of(C.int64_t(claim), message, &next.told)
	if next.text != 0 {
		next.read()
	}
}

func following(handle *handle) (next step) {
	C.step_next(C.uintptr_t(handle.address), &next.told)
	runtime.KeepAlive(handle)
	return
}

// ---- what an operator does: the result is a count ----

func (h *handle) resize(maxOpen int) (next step) {
	C.step_resize(C.uintptr_t(h.address), C.int32_t(saturate(maxOpen)), &next.told)
	return h.steered(next)
}

func (h *handle) pause() (next step) {
	C.step_pause(C.uintptr_t(h.address), &next.told)
	return h.steered(next)
}

func (h *handle) resume() (next step) {
	C.step_resume(C.uintptr_t(h.address), &next.told)
	return h.steered(next)
}

func (h *handle) steered(next step) step {
	runtime.KeepAlive(h)
	if next.text != 0 {
		next.read()
	}
	return next
}
