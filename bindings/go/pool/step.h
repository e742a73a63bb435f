/* SPDX-License-Identifier: MIT */
/* The step API as Go calls it: what a step says is written into a struct on the caller's stack, without Go pointers. */
#ifndef STEP_H
#define STEP_H

#include <pool/step.h>

#include <stdlib.h>
#include <string.h>

/* What a step says.  Mostly that is the result alone; then only it is written, for Go has made all of it 0. */
struct step {
  int64_t result, claim, ticket, wake, given_to, given, look_again, due;
  uintptr_t text; /* why there is no lease, for step_text_free(); 0: the result says it all */
  int32_t work, more;
};

static inline void tell(struct step *told, int64_t result, const pool_step_t *step)
{
  told->result = result;
  if (!(step->wake | step->given_to | step->ticket | step->work | step->more))
    return;
  told->claim = step->claim;
  told->ticket = step->ticket;
  told->wake = step->wake;
  told->given_to = step->given_to;
  told->given = step->given;
  told->look_again = step->look_again_ns;
  told->work = step->work;
  told->more = step->more;
}

/* The library keeps the reason for each thread, and the goroutine's next call may come from another thread. */
static inline int tell_failure(struct step *told)
{
  pool_error_t failure = POOL_ERROR_INIT;
  int code = pool_failure(&failure);
  if (strcmp(failure.message, pool_strerror(code)) != 0)
    told->text = (uintptr_t)strdup(failure.message);
  return code;
}

static inline const char *step_text(uintptr_t text)
{
  return (const char *)text;
}

static inline void step_text_free(uintptr_t text)
{
  free((void *)text);
}

static inline void step_begin(uintptr_t pool, int64_t timeout_ms, int64_t ticket, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_begin((pool_t *)pool, timeout_ms, ticket, &step), &step);
  if (told->result < 0)
    tell_failure(told);
}

/* Goes on with a get that took this lease itself. */
static inline void step_taken(uintptr_t pool, int64_t timeout_ms, int64_t lease, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_taken((pool_t *)pool, timeout_ms, lease, &step), &step);
  if (told->result < 0)
    tell_failure(told);
}

/* Goes on with a get whose open takes long, in the queue. */
static inline void step_join(int64_t claim, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_join(claim, &step), &step);
  if (told->result < 0)
    tell_failure(told);
}

static inline int step_view(uintptr_t pool, pool_view_t *view)
{
  *view = (pool_view_t)POOL_VIEW_INIT;
  return pool_step_view((pool_t *)pool, view);
}

/* The result is a lease, or why there is none. */
static inline void step_cancel(int64_t ticket, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_cancel(ticket, &step), &step);
  if (told->result <= 0)
    told->result = tell_failure(told);
}

static inline void step_end(int64_t lease, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_end(lease, &step), &step);
}

/* The same, and the connection goes to the first who waits. */
static inline void step_pass(int64_t lease, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_pass(lease, &step), &step);
}

/* Goes on with a put that ended this lease itself. */
static inline void step_given(int64_t lease, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_given(lease, &step), &step);
}

static inline void step_end_unused(int64_t lease, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_end_unused(lease, &step), &step);
}

static inline void step_idle(uintptr_t pool, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_idle((pool_t *)pool, &step), &step);
}

static inline void step_open(uintptr_t pool, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_open((pool_t *)pool, &step), &step);
  if (told->result < 0)
    tell_failure(told);
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

static inline void step_report(int64_t claim, const pool_error_t *failure, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_done(claim, failure, NULL, &step), &step);
  if (told->result < 0)
    tell_failure(told);
}

static inline void step_done(int64_t claim, struct step *told)
{
  step_report(claim, NULL, told);
}

static inline void step_failed(int64_t claim, const char *message, size_t size, struct step *told)
{
  pool_error_t failure = POOL_ERROR_INIT;
  failure.code = POOL_E_OPEN;
  if (size >= sizeof failure.message)
    size = sizeof failure.message - 1;
  if (size)
    memcpy(failure.message, message, size);
  step_report(claim, &failure, told);
}

/* Of what an operator does: a count, or why it was refused. */
static inline void tell_count(struct step *told, int count)
{
  told->result = count;
  if (count < 0)
    tell_failure(told);
}

static inline void step_resize(uintptr_t pool, int32_t max_open, struct step *told)
{
  tell_count(told, pool_resize((pool_t *)pool, max_open));
}

static inline void step_pause(uintptr_t pool, struct step *told)
{
  tell_count(told, pool_pause((pool_t *)pool));
}

static inline void step_resume(uintptr_t pool, struct step *told)
{
  tell_count(told, pool_resume((pool_t *)pool));
}

static inline void step_next(uintptr_t pool, struct step *told)
{
  pool_step_t step = POOL_STEP_INIT;
  tell(told, pool_step_next((pool_t *)pool, &step), &step);
  told->due = step.due_ns;
}

#endif
