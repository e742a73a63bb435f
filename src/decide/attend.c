/* SPDX-License-Identifier: MIT */
#include "decide/attend.h"

#include <stdatomic.h>
#include <stddef.h>

#include <pool/step.h>

#include "decide/pool.h"
#include "decide/step.h"
#include "decide/ticket.h"
#include "decide/waiter.h"
#include "decide/work.h"

/* How long waiters count on work, from when it began; on what was left over so much longer with each time that it was
   in vain. */
#define LEFT_OVER_NS INT64_C(250000000)

void attend_begin(struct pool *pool, struct waiter *waiter, struct step *step, int64_t now)
{
  assert_locked(pool);
  step->attended = atomic_load(&waiter->ticket);
  if (step->work != POOL_WORK_OPEN && step->work != POOL_WORK_CHECK)
    return;
  if (waiter->works++ == 0) {
    waiter->attended_ns = now;
    pool->queue.attended += waiter->queued;
  }
  if (step->work == POOL_WORK_CHECK) {
    waiter->checks++;
    waiter->check_ns = now;
    step->look_again_ns = now + LEFT_OVER_NS;
  }
}

static struct waiter *find(struct pool *pool, int64_t ticket)
{
  struct waiter *waiter = ticket_find(ticket);
  bool ours = waiter && atomic_load(&waiter->pool) == pool && atomic_load(&waiter->ticket) == ticket;
  return ours && waiter->works > 0 ? waiter : NULL;
}

static void end_left_over(struct pool *pool, int32_t work)
{
  struct left_over *left = &pool->left_over;
  assert_that(left->works > 0);
  left->works--;
  left->checks -= work == POOL_WORK_CHECK;
  left->given_up -= left->given_up > 0;
}

struct waiter *attend_end(struct pool *pool, const struct outcome *outcome, int32_t work)
{
  assert_locked(pool);
  struct waiter *waiter = find(pool, outcome->attended);
  if (!waiter) {
    end_left_over(pool, work);
    return NULL;
  }
  waiter->checks -= work == POOL_WORK_CHECK;
  waiter->works--;
  if (waiter->works == 0)
    pool->queue.attended--;
  if (outcome->took_ns > 0 && !outcome->succeeded)
    waiter->busy_ns += outcome->took_ns;
  return waiter;
}

static int32_t hopeful(const struct pool *pool)
{
  return pool->left_over.works - pool->left_over.given_up;
}

void attend_leave(struct pool *pool, struct waiter *waiter, int64_t now)
{
  assert_locked(pool);
  if (waiter->works == 0)
    return;
  if (hopeful(pool) == 0)
    pool->left_over.until_ns = waiter->attended_ns + LEFT_OVER_NS * (1 + pool->left_over.rounds);
  pool->left_over.works += waiter->works;
  pool->left_over.checks += waiter->checks;
  waiter->busy_ns += now - waiter->attended_ns;
  waiter->works = waiter->checks = 0;
}

/* What was left over has taken too long: nobody counts on it any more. */
static void give_up(struct pool *pool, int64_t now)
{
  struct left_over *left = &pool->left_over;
  if (hopeful(pool) == 0 || now < left->until_ns)
    return;
  left->given_up = left->works;
  left->rounds++;
}

bool attend_may_open(struct pool *pool, const struct waiter *waiter, int64_t now)
{
  assert_locked(pool);
  give_up(pool, now);
  if (waiter->works == 0)
    return queue_waiting(&pool->queue) > hopeful(pool);
  return waiter->works == waiter->checks && !attend_is_checking(waiter, now); /* what it has checked perhaps hangs */
}

int64_t attend_again_at(struct pool *pool, const struct waiter *waiter, int64_t now)
{
  assert_locked(pool);
  if (attend_is_checking(waiter, now))
    return waiter->check_ns + LEFT_OVER_NS;
  bool counts = waiter->works == 0 && hopeful(pool) > 0 && pool->left_over.until_ns > now;
  return counts ? pool->left_over.until_ns : 0;
}

void attend_note_success(struct pool *pool)
{
  assert_locked(pool);
  pool->left_over.rounds = 0;
}

struct waiter *attend_next(struct pool *pool, int64_t now)
{
  assert_locked(pool);
  struct waiter *waiter = pool->queue.first;
  while (waiter && waiter->works > 0 && now - waiter->attended_ns < LEFT_OVER_NS)
    waiter = waiter->next;
  return waiter ? waiter : pool->queue.first;
}

/* No more than there are connections come before the one that is looked for. */
struct waiter *attend_first(struct pool *pool)
{
  assert_locked(pool);
  struct waiter *waiter = pool->queue.first;
  while (waiter && waiter->works > 0)
    waiter = waiter->next;
  return waiter;
}

bool attend_is_checking(const struct waiter *waiter, int64_t now)
{
  return waiter->checks > 0 && now - waiter->check_ns < LEFT_OVER_NS;
}

struct waiter *attend_first_unchecking(struct pool *pool, int64_t now)
{
  assert_locked(pool);
  struct waiter *waiter = pool->queue.first;
  while (waiter && attend_is_checking(waiter, now))
    waiter = waiter->next;
  return waiter;
}
