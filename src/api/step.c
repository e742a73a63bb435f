/* SPDX-License-Identifier: MIT */
/* The step API: the engine's decisions, handed out as they are. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <pool/step.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/sized.h"
#include "slot/home.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/asker.h"
#include "decide/attention.h"
#include "decide/chores.h"
#include "decide/count.h"
#include "decide/give.h"
#include "decide/lend.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/step.h"
#include "decide/uses.h"
#include "decide/waiter.h"
#include "decide/work.h"
#include "run/crew.h"
#include "run/failure.h"
#include "run/probe.h"

/* Nothing but the result: what most steps are, and what is on the way of each get and put. */
static inline bool write_nothing(pool_step_t *theirs)
{
  if (!theirs || theirs->size != sizeof *theirs)
    return false;
  *theirs = (pool_step_t)POOL_STEP_INIT;
  return true;
}

/* The deadline of a get that does not wait: a moment that is over. */
#define NO_TIME 1

static void note_asked(const struct step *step, int64_t now)
{
  if (step->work != POOL_WORK_OPEN && step->work != POOL_WORK_CHECK)
    return;
  struct extra *extra = extra_of(step->slot);
  atomic_store(&extra->asked_ns, now);
  atomic_store(&extra->waits_ns, step->since_ns);
  atomic_store(&extra->until_ns, step->until_ns);
}

static int64_t left_until(int64_t moment_ns, int64_t now)
{
  return moment_ns == 0 ? 0 : moment_ns > now ? moment_ns - now : 1;
}

static int write_step(pool_step_t *theirs, const struct step *step, int64_t ticket)
{
  int64_t now = step->work || step->look_again_ns ? clock_now() : 0;
  pool_step_t ours = POOL_STEP_INIT;
  ours.work = step->work;
  ours.reason = step->reason;
  ours.claim = step->claim;
  ours.conn = step->slot ? slot_conn(step->slot) : NULL;
  ours.ticket = ticket;
  struct step rest;
  ours.wake = step->tells ? queue_tell_ticket(step->tells, &rest) : 0;
  ours.look_again_ns = ticket ? left_until(step->look_again_ns, now) : 0;
  note_asked(step, now);
  /* Those who sleep in the library (in pool_close) are its own affair. */
  if (step->drained)
    crew_wake(NULL, &(struct step){.drained = step->drained});
  return sized_write(theirs, &ours, STEP_SIZES);
}

/* Before anything happens: a struct that could not be written would lose a decision. */
static int check_step(pool_step_t *theirs)
{
  pool_step_t empty = POOL_STEP_INIT;
  if (!theirs)
    return error_set(NULL, POOL_E_INVALID, 0, "step is NULL");
  int code = sized_write(theirs, &empty, STEP_SIZES);
  return code ? error_code(code) : 0;
}

/* A valid lease or claim of a pool with a vtable, whose connections are not the caller's to close. */
static bool has_vtable(int64_t number, bool lease)
{
  struct slot *slot = slot_find(number);
  uint64_t word = slot ? slot_word(slot) : 0;
  if (!slot || !slot_is_at(word, number))
    return false;
  enum slot_state state = state_of(word);
  bool valid = lease ? state == LEASED : state != EMPTY && state != IDLE && state != LEASED;
  return valid && !slot_pool(slot)->stepped;
}

static int refuse_vtable(void)
{
  return error_set(NULL, POOL_E_UNSUPPORTED, 0, "this pool has a vtable; the step API is for pools without");
}

static pool_lease_t finish(struct step *step, pool_step_t *theirs, pool_lease_t result, int64_t ticket)
{
  if (result > 0) {
    home_remember(slot_pool(slot_of(result))->homes, this_stepping_thread(), result);
    lend_note(result);
  }
  write_step(theirs, step, ticket);
  return result < 0 ? error_code((int)result) : result;
}

static pool_lease_t finish_begin(struct pool *pool, struct step *step, pool_step_t *theirs, pool_lease_t result,
                                 int64_t ticket)
{
  result = finish(step, theirs, result, ticket);
  return result == POOL_E_OPEN ? failure_fail_fast(pool) : result;
}

/* Closing and pausing must not be missed.  Fairness is looked at before, as by all who could not name whom else they
   serve (give.c). */
static pool_lease_t keep(struct pool *pool, pool_lease_t lease, struct step *step)
{
  if (!lease || !(atomic_load(&pool->attention) & ATTENTION_NOT_LENDING))
    return lend_confirm(pool, lease, step);
  give_unused(pool, lease, step);
  return 0;
}

static bool must_queue(struct pool *pool)
{
  return attention_hint(pool) & ATTENTION_NOT_NOW;
}

/* The slot that this thread used last, else any, else a new one. */
static pool_lease_t begin_unqueued(struct pool *pool, int64_t timeout_ms, struct step *step)
{
  pool_lease_t lease =
      must_queue(pool) ? 0 : keep(pool, home_take(pool, pool->homes, pool->lend, this_stepping_thread()), step);
  if (lease || step->work)
    return lease;
  lease = asker_take_idle(pool, step);
  if (lease || step->work || timeout_ms)
    return lease;
  return asker_begin(pool, false, false, step);
}

static __attribute__((noinline)) pool_lease_t begin_slowly(struct pool *pool, int64_t timeout_ms, int64_t ticket,
                                                           pool_lease_t lease, pool_step_t *theirs)
{
  struct step step = {0};
  lease = keep(pool, lease, &step);
  if (ticket == 0) {
    pool_lease_t result = lease || step.work ? lease : begin_unqueued(pool, timeout_ms, &step);
    step.until_ns = timeout_ms ? clock_deadline(timeout_ms) : NO_TIME;
    struct waiter *waiter = NULL;
    if (!result && !step.work && timeout_ms != 0 &&
        !(waiter = asker_take_ticket(pool, WAITER_TICKET, clock_deadline(timeout_ms))))
      result = POOL_E_NOMEM;
    if (result < 0)
      count_failed_get(pool, result, true);
    if (!waiter)
      return finish_begin(pool, &step, theirs, result, 0);
    ticket = atomic_load(&waiter->ticket);
  }
  pool_error_t why;
  why.code = 0;
  pool_lease_t result = asker_begin_ticket(pool, ticket, &step, &why);
  result = finish_begin(pool, &step, theirs, result, result == 0 && step.work == POOL_WORK_NONE ? ticket : 0);
  return result == POOL_E_TIMEOUT ? failure_timed_out(pool, &why) : result;
}

static __attribute__((noinline)) pool_lease_t begin_checked(pool_t *pool, int64_t timeout_ms, int64_t ticket,
                                                            pool_step_t *theirs)
{
  int code = check_step(theirs);
  if (code)
    return code;
  if (!pool || timeout_ms < -1)
    return error_set(NULL, POOL_E_INVALID, 0, "%s", pool ? "timeout_ms is below -1" : "pool is NULL");
  if (!pool->stepped)
    return refuse_vtable();
  return begin_slowly(pool, timeout_ms, ticket, 0, theirs);
}

/* A get that succeeded, if what it took is within its limits. */
static __attribute__((noinline)) pool_lease_t begin_limited(struct pool *pool, int64_t timeout_ms, pool_lease_t lease,
                                                            pool_step_t *theirs)
{
  if (pool->trust_ns && overdue_is_doubtful(pool, lease))
    return begin_slowly(pool, timeout_ms, 0, lease, theirs);
  uses_see(pool, lease);
  PROBE_LENT(pool, lease);
  return lease;
}

pool_lease_t pool_step_begin(pool_t *pool, int64_t timeout_ms, int64_t ticket, pool_step_t *theirs)
{
  if (__builtin_expect(ticket != 0 || !pool || timeout_ms < -1 || !write_nothing(theirs), 0))
    return begin_checked(pool, timeout_ms, ticket, theirs);
  pool_lease_t lease = must_queue(pool) ? 0 : home_take_next(pool->homes, pool->lend, this_stepping_thread());
  if (__builtin_expect(!lease, 0))
    return begin_checked(pool, timeout_ms, 0, theirs);
  uint32_t attention = atomic_load(&pool->attention) & (ATTENTION_NOT_LENDING | ATTENTION_LIMITED);
  if (__builtin_expect(attention || is_sampled(lease), 0))
    return attention == ATTENTION_LIMITED && !is_sampled(lease) ? begin_limited(pool, timeout_ms, lease, theirs)
                                                                : begin_slowly(pool, timeout_ms, 0, lease, theirs);
  PROBE_LENT(pool, lease);
  return lease;
}

pool_lease_t pool_step_cancel(int64_t ticket, pool_step_t *theirs)
{
  struct step step;
  int code = check_step(theirs);
  if (code)
    return code;
  pool_lease_t result = asker_cancel_ticket(ticket, &step);
  return finish(&step, theirs, result, 0);
}

static __attribute__((noinline)) int end_slowly(pool_lease_t lease, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code)
    return code;
  if (has_vtable(lease, true))
    return refuse_vtable();
  struct slot *slot = slot_find(lease);
  return (int)finish(&step, theirs, slot ? give_end(slot, lease, &step) : POOL_E_STALE, 0);
}

static __attribute__((noinline)) int end_attentively(struct pool *pool, struct slot *slot, uint64_t word,
                                                     pool_step_t *theirs)
{
  struct step step = {0};
  give_note(pool, slot, word);
  give_idle(pool, slot, word, &step);
  bool nothing = step.work == POOL_WORK_NONE && !step.tells && !step.drained;
  return nothing ? 0 : (int)finish(&step, theirs, 0, 0);
}

static __attribute__((noinline)) int end_unmarked(struct slot *slot, pool_lease_t lease, pool_step_t *theirs)
{
  struct pool *pool = idle_mark(slot);
  PROBE_RETURNED(pool, lease);
  if (atomic_load(&pool->attention) & ATTENTION_OF_PUT)
    return end_attentively(pool, slot, slot_put_word(lease), theirs);
  return 0;
}

int pool_step_end(pool_lease_t lease, pool_step_t *theirs)
{
  struct slot *slot = slot_of(lease);
  if (__builtin_expect(is_sampled(lease) || !write_nothing(theirs) || !slot_put(slot, lease, STEPPED), 0))
    return end_slowly(lease, theirs);
  struct pool *pool;
  if (__builtin_expect(!idle_is_marked(slot, &pool), 0))
    return end_unmarked(slot, lease, theirs);
  PROBE_RETURNED(pool, lease);
  if (__builtin_expect(atomic_load(&pool->attention) & ATTENTION_OF_PUT, 0))
    return end_attentively(pool, slot, slot_put_word(lease), theirs);
  return 0;
}

/* Of a failure nobody has to say anything, but may.  NULL: there was none. */
static int read_failure(const pool_error_t *theirs, pool_error_t *failure)
{
  static const pool_error_t unknown = {sizeof unknown, POOL_E_OPEN, 0, "open failed without saying why"};
  failure->code = 0;
  if (!theirs)
    return 0;
  *failure = unknown;
  int code = sized_read(failure, theirs, SIZES(pool_error_t, message));
  error_finish(failure);
  if (failure->message[0] == 0)
    memcpy(failure->message, unknown.message, sizeof unknown.message);
  if (failure->code != POOL_E_TIMEOUT)
    failure->code = POOL_E_OPEN;
  return code;
}

pool_lease_t pool_step_done(pool_lease_t claim, const pool_error_t *theirs_failure, void *conn, pool_step_t *theirs)
{
  struct step step = {0};
  pool_error_t failure;
  int code = check_step(theirs);
  if (code == 0 && (code = read_failure(theirs_failure, &failure)))
    error_code(code);
  if (code)
    return code;
  if (has_vtable(claim, false))
    return refuse_vtable();
  struct slot *slot = slot_find(claim);
  struct outcome outcome = {.succeeded = theirs_failure == NULL,
                            .lend = true,
                            .newest = INT64_MAX,
                            .cut_short = theirs_failure && failure.code == POOL_E_TIMEOUT, /* so it is defined */
                            .conn = conn,
                            .took_ns = slot ? clock_now() - atomic_load(&extra_of(slot)->asked_ns) : -1,
                            .error = theirs_failure ? &failure : NULL};
  pool_lease_t lease = work_done(claim, &outcome, &step);
  lease = finish(&step, theirs, lease, step.ticket);
  if (theirs_failure && lease < 0 && lease == failure.code)
    return error_set(NULL, failure.code, failure.native, "%s", failure.message);
  return lease;
}

int pool_step_next(pool_t *pool, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code)
    return code;
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  if (!pool->stepped)
    return refuse_vtable();
  struct scan cursor = {0};
  bool more = chores_next_unasked(pool, &cursor, &step);
  write_step(theirs, &step, 0);
  return more;
}
