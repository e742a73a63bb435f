// SPDX-License-Identifier: MIT

package pool

/*
#cgo pkg-config: pool
#include <pool/step.h>

// What a step says, returned by value: no pointer crosses the border, and nothing is allocated.
struct step {
  int64_t result, claim, ticket, wake;
  int32_t work;
};

static struct step told(int64_t result, const pool_step_t *step)
{
  return (struct step){result, step->claim, step->ticket, step->wake, step->work};
}

static struct step step_begin(uintptr_t pool, int64_t timeout_ms, int64_t ticket)
{
  pool_step_t step = POOL_STEP_INIT;
  int64_t result = pool_step_begin((pool_t *)pool, timeout_ms, ticket, &step);
  return told(result, &step);
}

static struct step step_cancel(int64_t ticket)
{
  pool_step_t step = POOL_STEP_INIT;
  int64_t result = pool_step_cancel(ticket, &step);
  return told(result, &step);
}

static struct step step_end(int64_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  int64_t result = pool_step_end(lease, &step);
  return told(result, &step);
}

static struct step step_end_unusable(int64_t lease)
{
  pool_mark_unusable(lease);
  return step_end(lease);
}

static struct step step_done(int64_t claim, int32_t result)
{
  pool_step_t step = POOL_STEP_INIT;
  const pool_error_t failure = {sizeof failure, POOL_E_OPEN, 0, ""};
  int64_t lease = pool_step_done(claim, result ? &failure : NULL, NULL, &step);
  return told(lease, &step);
}

static struct step step_next(uintptr_t pool)
{
  pool_step_t step = POOL_STEP_INIT;
  int64_t result = pool_step_next((pool_t *)pool, &step);
  return told(result, &step);
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

	timeoutCode = C.POOL_E_TIMEOUT
)

func begin(handle *handle, timeout int64, ticket int64) step {
	next := C.step_begin(C.uintptr_t(handle.address), C.int64_t(timeout), C.int64_t(ticket))
	runtime.KeepAlive(handle)
	return next
}

func cancel(ticket int64) step {
	return C.step_cancel(C.int64_t(ticket))
}

func end(lease int64) step {
	return C.step_end(C.int64_t(lease))
}

func endUnusable(lease int64) step {
	return C.step_end_unusable(C.int64_t(lease))
}

func done(claim int64, succeeded bool) step {
	result := C.int32_t(-1)
	if succeeded {
		result = 0
	}
	return C.step_done(C.int64_t(claim), result)
}

func following(handle *handle) step {
	next := C.step_next(C.uintptr_t(handle.address))
	runtime.KeepAlive(handle)
	return next
}
