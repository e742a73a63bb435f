/* SPDX-License-Identifier: MIT */
/* The step API as Go calls it: what a step says is written into a struct on the caller's stack, without pointers. */
#ifndef STEP_H
#define STEP_H

#include <pool/step.h>

#include <string.h>

/* What a step says.  Mostly that is the result alone; then only it is written, for Go has made all of it 0. */
struct step {
  int64_t result, claim, ticket, wake, look_again;
  int32_t work;
};

static inline void tell(struct step *told, int64_t result, const pool_step_t *step)
{
  told->result = result;
  if (!(step->wake | step->ticket | step->work))
    return;
  told->claim = step->claim;
  told->ticket = step->ticket;
  told->wake = step->wake;
  told->look_again = step->look_again_ns;
  told->work = step->work;
}

static inline void step_begin(uintptr_t pool, int64_t timeout_ms, int64_t ticket, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_begin((pool_t *)pool, timeout_ms, ticket, &step), &step);
}

static inline void step_cancel(int64_t ticket, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_cancel(ticket, &step), &step);
}

static inline void step_end(int64_t lease, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_end(lease, &step), &step);
}

static inline void step_end_unusable(int64_t lease, struct step *told)
{
  pool_mark_unusable(lease);
  step_end(lease, told);
}

static inline void step_end_broken(int64_t lease, struct step *told)
{
  pool_mark_broken(lease);
  step_end(lease, told);
}

/* A code of 0: it succeeded. */
static inline void step_done(int64_t claim, int32_t code, const char *message, size_t size, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_error_t failure = POOL_ERROR_INIT;
  failure.code = code;
  if (size >= sizeof failure.message)
    size = sizeof failure.message - 1;
  if (size)
    memcpy(failure.message, message, size);
  tell(told, pool_step_done(claim, code ? &failure : NULL, NULL, &step), &step);
}

static inline void step_next(uintptr_t pool, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_next((pool_t *)pool, &step), &step);
}

#endif
