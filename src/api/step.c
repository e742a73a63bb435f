/* SPDX-License-Identifier: MIT */
/* The step API: what was decided, handed out as it is. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pool/step.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/forks.h"
#include "base/park.h"
#include "base/sized.h"
#include "slot/home.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/asker.h"
#include "decide/attention.h"
#include "decide/chores.h"
#include "decide/count.h"
#include "decide/dismiss.h"
#include "decide/event_queue.h"
#include "decide/give.h"
#include "decide/lend.h"
#include "decide/life.h"
#include "decide/look.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/setting.h"
#include "decide/step.h"
#include "decide/uses.h"
#include "decide/waiter.h"
#include "decide/work.h"
#include "run/budget.h"
#include "run/crew.h"
#include "run/event.h"
#include "run/server.h"
#include "run/failure.h"
#include "run/probe.h"
#include "run/worker.h"

/* Nothing but the result: what most steps are, and what is on the way of each get and put. */
static inline bool write_nothing(pool_step_t *theirs)
{
  if (!theirs || theirs->size != sizeof *theirs)
    return false;
  /* Field by field: a compiler makes of the whole struct one instruction that takes as long as the rest of a put. */
  theirs->work = theirs->reason = theirs->more = theirs->reserved = 0;
  theirs->claim = theirs->given = 0;
  theirs->conn = NULL;
  theirs->ticket = theirs->wake = theirs->look_again_ns = theirs->due_ns = theirs->given_to = 0;
  return true;
}

/* The deadline of a get that does not wait: a moment that is over. */
#define NO_TIME 1

/* Opens that failed for one get took longer: that is as good as this. */
#define LONG_NS INT64_C(3600000000000)

/* Work is handed out: what its report has to know, which the slot's owner writes.  Of an open `asked_ns` is noted. */
static void note_asked(struct pool *pool, const struct step *step, int64_t now)
{
  struct extra *extra = extra_of(step->slot);
  if (step->work != POOL_WORK_OPEN)
    atomic_store_explicit(&extra->asked_ns, now, memory_order_release);
  if (step->work != POOL_WORK_OPEN && step->work != POOL_WORK_CHECK)
    return;
  uint32_t busy_us = step->busy_ns < LONG_NS ? (uint32_t)(step->busy_ns / 1000) : LONG_NS / 1000;
  atomic_store_explicit(&extra->waits_ns, step->since_ns, memory_order_release);
  atomic_store_explicit(&extra->waited, step->waited, memory_order_release);
  atomic_store_explicit(&extra->busy_us, busy_us, memory_order_release);
  atomic_store(&extra->until_ns, step->until_ns);
  atomic_store(&extra->attended, step->attended);
  if (step->work != POOL_WORK_OPEN)
    return;
  server_revive();
  event_opening(pool, atomic_load(&step->slot->connection));
}

static int64_t left_until(int64_t moment_ns, int64_t now)
{
  return moment_ns == 0 ? 0 : moment_ns > now ? moment_ns - now : 1;
}

/* What the sleeper of a binding waits for has changed, as where the library has threads it wakes the keeper or a
   worker. A pool in which nothing has to do with time has no sleeper. */
static bool wants_sleeper(struct pool *pool, const struct step *step)
{
  return step->worker_wanted || (step->keeper_wanted && pool->needs_watch) || atomic_load(&pool->chores.marked);
}

/* A ticket that got a lease and is over: so its get ends. */
static void end_given(struct pool *pool, const struct news *news)
{
  lend_note(news->given);
  event_step_ended(pool, news->given, news->took_ns, news->waited_ns);
}

/* The tickets to be told first.  True: others are to be told, or there is something else to do. */
static __attribute__((noinline)) bool tell_tickets(struct pool *pool, const struct step *step, pool_step_t *ours)
{
  struct step rest = {0};
  struct news news = {0};
  queue_tell_tickets(step->tells, &news, &rest);
  if (news.given)
    end_given(step->tells, &news);
  ours->wake = news.wake;
  ours->given_to = news.given_to;
  ours->given = news.given;
  return rest.tells || wants_sleeper(pool, step) || wants_sleeper(pool, &rest);
}

/* Now, where that matters; an open was asked for just before, and how long a close takes is told in an event alone. */
static int64_t moment_of(const struct pool *pool, const struct step *step)
{
  if (step->work == POOL_WORK_OPEN)
    return atomic_load(&extra_of(step->slot)->asked_ns);
  bool timed = step->work == POOL_WORK_CLOSE ? event_follows_closes(&pool->config) : step->work != POOL_WORK_NONE;
  return timed || step->look_again_ns ? clock_now() : 0;
}

/* `pool` may be another by now, where the step ended the last connection of one that was freed: then `more` is of no
   use to anybody.  Without a pool the step is empty. */
static void describe(pool_step_t *ours, struct pool *pool, const struct step *step, int64_t ticket)
{
  int64_t now = moment_of(pool, step);
  if (step->work)
    note_asked(pool, step, now);
  event_of_step(pool, step);
  if (step->budget)
    budget_wake(step->budget, pool);
  ours->work = step->work;
  ours->reason = step->reason;
  ours->claim = step->claim;
  ours->conn = step->slot ? slot_conn(step->slot) : NULL;
  ours->ticket = ticket;
  bool more = step->tells ? tell_tickets(pool, step, ours) : wants_sleeper(pool, step);
  ours->look_again_ns = ticket ? left_until(step->look_again_ns, now) : 0;
  ours->more = more || event_queue_waits(pool);
}

static void fill_step(pool_step_t *ours, struct pool *pool, const struct step *step, int64_t ticket)
{
  if (pool && !atomic_load(&pool->stepped)) { /* it is another by now, and this has served it (I5) */
    struct step served = *step;
    crew_finish(pool, &served);
    if (served.work) /* else the pool may be another by now */
      worker_do(pool, &served, clock_deadline(setting_now(pool->config.get_timeout_ms)), false, NULL);
    return;
  }
  if (pool)
    describe(ours, pool, step, ticket);
  /* Threads that sleep in the library, in pool_close(), are not the program's to wake. */
  if (step->drained)
    park_wake(step->drained);
}

/* Of another size. */
static __attribute__((noinline)) void write_older(pool_step_t *theirs, struct pool *pool, const struct step *step,
                                                  int64_t ticket)
{
  pool_step_t ours = POOL_STEP_INIT;
  fill_step(&ours, pool, step, ticket);
  sized_write(theirs, &ours, STEP_SIZES);
}

/* The caller's struct is empty by now (check_step()), so one of this size is filled in where it is. */
static void write_step(pool_step_t *theirs, struct pool *pool, const struct step *step, int64_t ticket)
{
  if (theirs->size == sizeof *theirs)
    fill_step(theirs, pool, step, ticket);
  else
    write_older(theirs, pool, step, ticket);
}

/* Before anything happens: a struct that could not be written would lose a decision. */
static int check_step(pool_step_t *theirs)
{
  pool_step_t empty = POOL_STEP_INIT;
  if (write_nothing(theirs))
    return 0;
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

static int refuse_vtable(const char *name)
{
  return error_in(name, NULL, POOL_E_UNSUPPORTED, 0, "this pool has a vtable; the step API is for pools without");
}

/* The lease or claim is of such a pool. */
static int refuse_lease(int64_t number)
{
  char name[POOL_NAME_BYTES];
  failure_name(number, name);
  return refuse_vtable(name);
}

static int check_pool(const struct pool *pool)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  return pool->stepped ? 0 : refuse_vtable(pool->name);
}

/* ---- the end of a get ---- */

/* A get that failed, or was given up. */
static void fail(struct pool *pool, pool_lease_t code, const struct past *past)
{
  struct late late = {.timeless = past->began_ns == 0,
                      .starved = past->starved,
                      .queued_ns = past->since_ns ? clock_now() - past->since_ns - past->busy_ns : 0,
                      .busy_ns = past->busy_ns,
                      .cause = past->at_once ? NULL : &past->error};
  failure_of_get(pool, (int)code, &late);
}

static int64_t how_long(const struct past *past)
{
  if (past->began_ns == 0)
    return 0;
  return (past->ended_ns ? past->ended_ns : clock_now()) - past->began_ns;
}

/* Every get ends in one event, told when pool_failure() has the reason. */
static void end_get(struct pool *pool, pool_lease_t result, const struct past *past)
{
  if (result > 0) {
    home_remember(pool->homes, this_stepping_thread(), result);
    lend_note(result);
  } else {
    fail(pool, result, past);
  }
  event_step_ended(pool, result, how_long(past), past->waited_ns);
}

/* Hands out what a call has come to.  0: the get goes on. */
static pool_lease_t finish(struct pool *pool, struct step *step, pool_step_t *theirs, pool_lease_t result,
                           int64_t ticket, const struct past *past)
{
  if (result == POOL_E_STALE)
    failure_of_ticket(); /* was no get */
  else if (result)
    end_get(pool, result, past);
  write_step(theirs, pool, step, ticket);
  return result;
}

/* Of a lease or claim that is over, or never was. */
static int refuse_stale(pool_lease_t lease, pool_step_t *theirs)
{
  write_step(theirs, NULL, &(struct step){0}, 0);
  return failure_of_lease(lease, POOL_E_STALE);
}

static int refuse_claim(pool_lease_t claim, pool_step_t *theirs)
{
  write_step(theirs, NULL, &(struct step){0}, 0);
  return failure_of_claim(claim);
}

/* ---- begin ---- */

/* A lease that a fast path took, if the pool still lends and its connection is within its limits. */
static pool_lease_t keep(struct pool *pool, pool_lease_t lease, struct step *step)
{
  return lend_confirm(pool, asker_keep(pool, lease, step), step);
}

static bool must_queue(struct pool *pool)
{
  return attention_hint(pool) & attention_of_turn(pool);
}

/* The slot that this thread used last, else any. */
static pool_lease_t begin_idle(struct pool *pool, struct step *step)
{
  pool_lease_t lease =
      must_queue(pool) ? 0 : keep(pool, home_take(pool, pool->homes, pool->lend, this_stepping_thread()), step);
  return lease || step->work ? lease : asker_take_idle(pool, step);
}

/* The same, else a new one.  A get with time to wait looks again under the lock, so a hint is enough for it here. */
static pool_lease_t begin_unqueued(struct pool *pool, int64_t timeout_ms, struct step *step)
{
  if (timeout_ms && !idle_hint(&pool->rows))
    return 0;
  pool_lease_t lease = begin_idle(pool, step);
  if (lease || step->work || timeout_ms)
    return lease;
  return asker_begin(pool, false, false, step);
}

static pool_lease_t begin_ticket(struct pool *pool, int64_t ticket, struct step *step, pool_step_t *theirs)
{
  struct past past;
  pool_lease_t result = asker_begin_ticket(pool, ticket, step, &past);
  bool waits = result == 0 && (step->work == POOL_WORK_NONE || step->attended);
  return finish(pool, step, theirs, result, waits ? ticket : 0, &past);
}

/* A get that waits for nobody has no past. */
static pool_lease_t finish_at_once(struct pool *pool, struct step *step, pool_step_t *theirs, pool_lease_t result)
{
  static const struct past none;
  if (result < 0)
    count_failed_get(pool, result, true);
  return finish(pool, step, theirs, result, 0, &none);
}

/* A get that is to wait, and has taken a connection that must be checked first. */
static pool_lease_t begin_joined(struct pool *pool, struct step *step, pool_step_t *theirs)
{
  struct past past;
  struct waiter *waiter = asker_take_ticket(pool, WAITER_TICKET, step->until_ns);
  if (!waiter)
    return finish_at_once(pool, step, theirs, 0); /* its holder waits for the check itself */
  int64_t ticket = atomic_load(&waiter->ticket);
  pool_lease_t result = asker_join(pool, waiter, step, &past);
  return finish(pool, step, theirs, result, result ? 0 : ticket, &past);
}

static pool_lease_t begin_queued(struct pool *pool, int64_t timeout_ms, struct step *step, pool_step_t *theirs)
{
  struct past past;
  pool_lease_t result;
  if (!asker_begin_queued(pool, timeout_ms, step, &past, &result))
    return finish_at_once(pool, step, theirs, POOL_E_NOMEM);
  return finish(pool, step, theirs, result, step->ticket, &past);
}

/* Of one that sees others wait the lock would say the same. */
static bool may_open_alone(struct pool *pool)
{
  return pool->joins && !(attention_hint(pool) & ATTENTION_WAITERS);
}

/* An open was asked for just before, so the clock need not be read again. */
static int64_t deadline_of(const struct step *step, int64_t timeout_ms)
{
  if (timeout_ms == 0)
    return NO_TIME;
  bool opens = step->work == POOL_WORK_OPEN;
  return clock_deadline_from(opens ? atomic_load(&extra_of(step->slot)->asked_ns) : clock_now(), timeout_ms);
}

static __attribute__((noinline)) pool_lease_t begin_slowly(struct pool *pool, int64_t timeout_ms, int64_t ticket,
                                                           pool_lease_t lease, pool_step_t *theirs)
{
  struct step step = {0};
  lease = keep(pool, lease, &step);
  if (ticket)
    return begin_ticket(pool, ticket, &step, theirs);
  pool_lease_t result = lease || step.work ? lease : begin_unqueued(pool, timeout_ms, &step);
  if (may_open_alone(pool) && timeout_ms && !result && !step.work)
    result = asker_begin_alone(pool, &step);
  if (!result && !step.work && timeout_ms)
    return begin_queued(pool, timeout_ms, &step, theirs);
  step.until_ns = deadline_of(&step, timeout_ms);
  if (step.work == POOL_WORK_CHECK && pool->detached && timeout_ms)
    return begin_joined(pool, &step, theirs);
  return finish_at_once(pool, &step, theirs, result);
}

static int check_begin(const struct pool *pool, int64_t timeout_ms, pool_step_t *theirs)
{
  int code = check_step(theirs);
  if (code)
    return code;
  if (!pool || timeout_ms < -1)
    return error_in(pool ? pool->name : NULL, NULL, POOL_E_INVALID, 0, "%s",
                    pool ? "timeout_ms is below -1" : "pool is NULL");
  return pool->stepped ? 0 : refuse_vtable(pool->name);
}

static __attribute__((noinline)) pool_lease_t begin_checked(pool_t *pool, int64_t timeout_ms, int64_t ticket,
                                                            pool_step_t *theirs)
{
  int code = check_begin(pool, timeout_ms, theirs);
  return code ? code : begin_slowly(pool, timeout_ms, ticket, 0, theirs);
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

/* A get that has taken a lease and then saw these bits of ATTENTION_OF_STEP, or that the lease is to be timed. */
static __attribute__((noinline)) pool_lease_t begin_asked(struct pool *pool, int64_t timeout_ms, pool_lease_t lease,
                                                          uint32_t attention, pool_step_t *theirs)
{
  return attention == ATTENTION_LIMITED && !is_sampled(lease) ? begin_limited(pool, timeout_ms, lease, theirs)
                                                              : begin_slowly(pool, timeout_ms, 0, lease, theirs);
}

pool_lease_t pool_step_begin(pool_t *pool, int64_t timeout_ms, int64_t ticket, pool_step_t *theirs)
{
  if (__builtin_expect(ticket != 0 || !pool || timeout_ms < -1 || !write_nothing(theirs), 0))
    return begin_checked(pool, timeout_ms, ticket, theirs);
  pool_lease_t lease = must_queue(pool) ? 0 : home_take_next(pool->homes, pool->lend, this_stepping_thread());
  if (__builtin_expect(!lease, 0))
    return begin_checked(pool, timeout_ms, 0, theirs);
  uint32_t attention = atomic_load(&pool->attention) & ATTENTION_OF_STEP;
  if (__builtin_expect(attention || is_sampled(lease), 0))
    return begin_asked(pool, timeout_ms, lease, attention, theirs);
  PROBE_LENT(pool, lease);
  return lease;
}

int pool_step_join(pool_lease_t claim, pool_step_t *theirs)
{
  struct step step = {0};
  struct past past;
  int code = check_step(theirs);
  if (code)
    return code;
  if (has_vtable(claim, false))
    return refuse_lease(claim);
  struct slot *slot = slot_find(claim);
  struct pool *pool = slot ? slot_pool(slot) : NULL;
  pool_lease_t result = pool ? asker_join_open(pool, claim, &step, &past) : POOL_E_STALE;
  return result == POOL_E_STALE ? refuse_claim(claim, theirs)
                                : (int)finish(pool, &step, theirs, result, step.attended, &past);
}

/* A lease that the caller took by the pool's words. */
static bool is_taken(const struct pool *pool, pool_lease_t lease)
{
  struct slot *slot = slot_find(lease);
  return slot && slot_is_lease(slot_word(slot), lease) && slot_is_of(slot, pool);
}

pool_lease_t pool_step_taken(pool_t *pool, int64_t timeout_ms, pool_lease_t lease, pool_step_t *theirs)
{
  int code = check_begin(pool, timeout_ms, theirs);
  if (code)
    return code;
  if (!is_taken(pool, lease))
    return refuse_stale(lease, theirs);
  return begin_asked(pool, timeout_ms, lease, atomic_load(&pool->attention) & ATTENTION_OF_STEP, theirs);
}

pool_lease_t pool_step_idle(pool_t *pool, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code || (code = check_pool(pool)))
    return code;
  if (attention_closed(pool))
    return error_code_in(pool->name, POOL_E_CLOSED);
  pool_lease_t lease = begin_idle(pool, &step);
  step.until_ns = NO_TIME;
  return finish_at_once(pool, &step, theirs, lease);
}

int pool_step_open(pool_t *pool, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code || (code = check_pool(pool)))
    return code;
  if ((code = asker_open(pool, &step)))
    return failure_of_get(pool, code, &(struct late){.timeless = true});
  write_step(theirs, pool, &step, 0);
  return 0;
}

pool_lease_t pool_step_cancel(int64_t ticket, pool_step_t *theirs)
{
  struct step step;
  struct past past;
  struct pool *pool = NULL;
  int code = check_step(theirs);
  if (code)
    return code;
  uint64_t forks = forks_count();
  pool_lease_t result = asker_cancel_ticket(ticket, &pool, &past, &step);
  if (result == POOL_E_STALE)
    return finish(NULL, &step, theirs, result, 0, NULL);
  finish(pool, &step, theirs, result, 0, &past);
  life_get_end(pool, forks);
  return result == POOL_E_CANCELLED || result == POOL_E_TIMEOUT ? 0 : result;
}

/* ---- end ---- */

typedef int take_back_fn(struct slot *slot, pool_lease_t lease, struct ending *ending);

static __attribute__((noinline)) int end_slowly(pool_lease_t lease, take_back_fn *take_back, bool passes,
                                                pool_step_t *theirs)
{
  struct step step = {0};
  struct ending ending;
  int code = check_step(theirs);
  if (code)
    return code;
  if (has_vtable(lease, true))
    return refuse_lease(lease);
  struct slot *slot = slot_find(lease);
  if (!slot || take_back(slot, lease, &ending))
    return refuse_stale(lease, theirs);
  struct pool *pool = slot_pool(slot);
  step.passed = passes ? slot : NULL;
  event_returned(pool, &ending);
  free(ending.tag);
  give_settle(slot, &ending, &step);
  write_step(theirs, pool, &step, 0);
  return 0;
}

static __attribute__((noinline)) int end_attentively(struct pool *pool, struct slot *slot, uint64_t word, bool passes,
                                                     pool_step_t *theirs)
{
  struct step step = {.passed = passes ? slot : NULL};
  give_note(pool, slot, word);
  give_idle(pool, slot, word, &step);
  bool nothing = step.work == POOL_WORK_NONE && !step.signal && !step.tells && !step.drained && !step.budget &&
                 !wants_sleeper(pool, &step);
  return nothing ? 0 : (int)finish(pool, &step, theirs, 0, 0, NULL);
}

static __attribute__((noinline)) int end_unmarked(struct slot *slot, pool_lease_t lease, bool passes,
                                                  pool_step_t *theirs)
{
  struct pool *pool = idle_mark(slot);
  PROBE_RETURNED(pool, lease);
  if (atomic_load(&pool->attention) & ATTENTION_OF_PUT)
    return end_attentively(pool, slot, slot_put_word(lease), passes, theirs);
  return 0;
}

int pool_step_end(pool_lease_t lease, pool_step_t *theirs)
{
  struct slot *slot = slot_of(lease);
  if (__builtin_expect(is_sampled(lease) || !write_nothing(theirs) || !slot_put(slot, lease, STEPPED), 0))
    return end_slowly(lease, give_take_back, false, theirs);
  struct pool *pool;
  if (__builtin_expect(!idle_is_marked(slot, &pool), 0))
    return end_unmarked(slot, lease, false, theirs);
  PROBE_RETURNED(pool, lease);
  if (__builtin_expect(atomic_load(&pool->attention) & ATTENTION_OF_PUT, 0))
    return end_attentively(pool, slot, slot_put_word(lease), false, theirs);
  return 0;
}

int pool_step_pass(pool_lease_t lease, pool_step_t *theirs)
{
  struct slot *slot = slot_of(lease);
  if (is_sampled(lease) || !write_nothing(theirs) || !slot_put(slot, lease, STEPPED))
    return end_slowly(lease, give_take_back, true, theirs);
  return end_unmarked(slot, lease, true, theirs);
}

int pool_step_given(pool_lease_t lease, pool_step_t *theirs)
{
  uint64_t bit;
  struct slot *slot = slot_find(lease);
  int code = check_step(theirs);
  if (code)
    return code;
  if (!slot || !idle_place(slot, &bit))
    return refuse_stale(lease, theirs);
  return idle_place(slot, &bit)->pool->stepped ? end_unmarked(slot, lease, false, theirs) : refuse_lease(lease);
}

int pool_step_end_unused(pool_lease_t lease, pool_step_t *theirs)
{
  return end_slowly(lease, give_take_back_unused, false, theirs);
}

/* The failure that the caller reports; its members may be empty.  NULL: there was none. */
static int read_failure(const pool_error_t *theirs, pool_error_t *failure)
{
  static const pool_error_t unknown = {sizeof unknown, POOL_E_OPEN, 0, MESSAGE("open failed without saying why")};
  failure->code = 0;
  if (!theirs)
    return 0;
  *failure = unknown;
  int code = sized_read(failure, theirs, SIZES(pool_error_t, message[239])); /* so long it was at first */
  error_finish(failure);
  if (failure->message[0] == 0)
    memcpy(failure->message, unknown.message, sizeof unknown.message);
  if (failure->code != POOL_E_TIMEOUT)
    failure->code = POOL_E_OPEN;
  return code;
}

/* What is told of work that ended, while the slot is still the caller's, so that the pool cannot go away. */
static void tell_work(struct pool *pool, struct slot *slot, enum slot_state state, const struct outcome *outcome)
{
  int64_t connection = atomic_load(&slot->connection);
  if (state == OPENING && outcome->succeeded)
    event_opened(pool, connection, outcome->took_ns);
  else if (state == OPENING)
    event_open_failed(pool, connection, outcome->error, outcome->took_ns);
  if (state != CLOSING)
    return;
  if (!outcome->succeeded)
    event_close_failed(pool, outcome->error);
  event_closed(pool, connection, dismiss_reason(slot), extra_of(slot)->cause, outcome->took_ns);
}

/* A new connection has times of its own, and a sleeper that rests has not flagged it; after a failed open there is a
   moment to try again.  As crew_need_keeper() does where the library has threads. */
static void need_sleeper(struct pool *pool, struct slot *slot, const struct outcome *outcome, struct step *step)
{
  if (!pool->needs_watch)
    return;
  int64_t due_ns = outcome->succeeded ? look_first_due(&pool->config, slot) : POOL_NO_DEADLINE;
  bool rests = atomic_exchange(&pool->looks.resting, false);
  if (rests || due_ns < atomic_load(&pool->looks.next_ns))
    step_want_keeper(pool, step);
}

/* One of the connections that the pool begins with could not be opened: the binding gives up the pool. */
static pool_lease_t fail_to_fill(struct pool *pool, int64_t connection, const pool_error_t *cause)
{
  return error_in(pool->name, NULL, cause->code, cause->native, "could not open initial connection %lld of %d: %s",
                  (long long)connection, pool->config.initial, cause->message);
}

/* The get that an open or check was for, as it was noted when it was asked for.  The error is long, and mostly there is
   none. */
static void past_of_work(struct past *past, const struct outcome *outcome)
{
  past->began_ns = outcome->since_ns ? outcome->since_ns : outcome->asked_ns - outcome->busy_ns;
  past->since_ns = outcome->since_ns;
  past->ended_ns = outcome->asked_ns + outcome->took_ns;
  past->waited_ns = outcome->waited_ns;
  past->busy_ns = outcome->busy_ns + outcome->took_ns;
  past->at_once = past->starved = false;
  past->error.code = past->error.message[0] = 0;
  if (outcome->error)
    past->error = *outcome->error;
}

static pool_lease_t done(struct slot *slot, enum slot_state state, const struct outcome *outcome, pool_step_t *theirs)
{
  struct step step = {0};
  struct past past;
  struct pool *pool = slot_pool(slot);
  int64_t connection = atomic_load(&slot->connection);
  tell_work(pool, slot, state, outcome);
  pool_lease_t result = work_settle(slot, state, outcome, &step);
  if (state == OPENING)
    need_sleeper(pool, slot, outcome, &step);
  if (outcome->lend) {
    past_of_work(&past, outcome);
    return finish(pool, &step, theirs, result, step.ticket, &past);
  }
  write_step(theirs, pool, &step, 0);
  if (outcome->fills && !outcome->succeeded)
    return fail_to_fill(pool, connection, outcome->error);
  return result < 0 ? error_code_in(pool->name, (int)result) : result;
}

static bool is_timed(const struct pool *pool, enum slot_state state)
{
  return state != CLOSING || event_follows_closes(&pool->config);
}

pool_lease_t pool_step_done(pool_lease_t claim, const pool_error_t *theirs_failure, void *conn, pool_step_t *theirs)
{
  pool_error_t failure;
  int code = check_step(theirs);
  if (code == 0 && (code = read_failure(theirs_failure, &failure)))
    error_code(code);
  if (code)
    return code;
  if (has_vtable(claim, false))
    return refuse_lease(claim);
  struct outcome outcome = {.succeeded = theirs_failure == NULL,
                            .lend = true,
                            .newest = INT64_MAX,
                            .cut_short = theirs_failure && failure.code == POOL_E_TIMEOUT, /* so it is defined */
                            .conn = conn,
                            .error = theirs_failure ? &failure : NULL};
  enum slot_state state = work_take(claim, &outcome);
  if (state == EMPTY)
    return refuse_claim(claim, theirs);
  outcome.took_ns = is_timed(slot_pool(slot_of(claim)), state) ? clock_now() - outcome.asked_ns : 0;
  failure.size = sizeof failure;
  if (state == CHECKING && outcome.succeeded &&
      failure_of_check(slot_pool(slot_of(claim)), outcome.took_ns, &failure)) {
    outcome.succeeded = false;
    outcome.error = &failure;
  }
  return done(slot_of(claim), state, &outcome, theirs);
}

/* ---- what waits for anybody ---- */

/* In how many ns pool_maintain() is to be called: at once where something has moved since it was. */
static int64_t due_in(struct pool *pool)
{
  if (!pool->needs_watch || attention_closed(pool))
    return POOL_NO_DEADLINE;
  if (atomic_load(&pool->keeper_signal) != atomic_load(&pool->looks.signal))
    return 0;
  int64_t due_ns = atomic_load(&pool->looks.next_ns), now = clock_now();
  return due_ns == POOL_NO_DEADLINE ? due_ns : due_ns > now ? due_ns - now : 0;
}

int pool_step_next(pool_t *pool, pool_step_t *theirs)
{
  struct step step = {0};
  int code = check_step(theirs);
  if (code || (code = check_pool(pool)))
    return code;
  struct scan cursor = {0};
  if (chores_next_unasked(pool, &cursor, &step)) {
    write_step(theirs, pool, &step, 0);
    return 1;
  }
  pool_step_t ours = POOL_STEP_INIT;
  ours.due_ns = due_in(pool);
  ours.more = event_queue_waits(pool);
  sized_write(theirs, &ours, STEP_SIZES);
  return 0;
}

int pool_step_event(pool_t *pool, pool_step_event_t *theirs)
{
  pool_step_event_t event = POOL_STEP_EVENT_INIT;
  if (!theirs)
    return error_set(NULL, POOL_E_INVALID, 0, "event is NULL");
  int code = sized_check(theirs->size, STEP_EVENT_SIZES);
  if (code)
    return error_code(code);
  if ((code = check_pool(pool)))
    return code;
  bool found = event_queue_take(pool, &event);
  sized_write(theirs, &event, STEP_EVENT_SIZES);
  return found;
}
