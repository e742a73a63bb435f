/* SPDX-License-Identifier: MIT */
#include "steps.h"

pool_t *step_pool(const struct plan *plan)
{
  bool checks = plan->config.check_after_ms >= 0 || plan->config.keepalive_ms > 0;
  return step_pool_able(plan, checks ? POOL_STEP_CHECKS : 0);
}

pool_t *step_pool_able(const struct plan *plan, int32_t abilities)
{
  pool_t *pool = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_step_create(&plan->config, abilities, &pool, &error) != 0)
    fail_msg("pool_step_create: %s", error.message);
  return pool;
}

uint32_t slot_number(int64_t lease)
{
  return (uint32_t)lease & 0xfffff;
}

pool_lease_t step_open(pool_t *pool, void *conn)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_opens(pool, -1, 0, &step);
  pool_lease_t claim = step.claim;
  pool_lease_t lease = pool_step_done(claim, NULL, conn, &step);
  assert_true(lease > 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  assert_int_equal(slot_number(lease), slot_number(claim));
  return lease;
}

void step_open_all(pool_t *pool, pool_lease_t *leases, int count, int *conns)
{
  for (int i = 0; i < count; i++)
    leases[i] = step_open(pool, &conns[i]);
}

int64_t step_queue(pool_t *pool, int64_t timeout_ms)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, timeout_ms, 0, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  assert_true(step.ticket > 0);
  assert_int_equal(step.wake, 0);
  return step.ticket;
}

void step_queue_all(pool_t *pool, int64_t *tickets, int count)
{
  for (int i = 0; i < count; i++)
    tickets[i] = step_queue(pool, -1);
}

int64_t step_refuse(pool_t *pool, int64_t ticket)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_opens(pool, 60000, ticket, &step);
  assert_int_equal(pool_step_done(step.claim, &failed_work, NULL, &step), 0);
  assert_true(step.ticket > 0);
  return step.ticket;
}

int64_t step_put(pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_NONE);
  return step.wake;
}

int64_t step_close(pool_lease_t lease, int32_t reason)
{
  pool_step_t step = POOL_STEP_INIT;
  void *conn = pool_conn(lease);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(step.reason, reason);
  assert_ptr_equal(step.conn, conn);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  return step.wake;
}

int step_close_next(pool_t *pool, int32_t reason)
{
  pool_step_t step = POOL_STEP_INIT;
  int closed = 0;
  while (pool_step_next(pool, &step) == 1) {
    if (step.work == POOL_WORK_NONE)
      continue;
    assert_int_equal(step.work, POOL_WORK_CLOSE);
    assert_int_equal(step.reason, reason);
    assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
    closed++;
  }
  return closed;
}

void step_finish(pool_t *pool, int expected)
{
  assert_int_equal(pool_close(pool, 0), expected);
  assert_int_equal(step_close_next(pool, POOL_REASON_CLOSED), expected);
  assert_int_equal(pool_close(pool, -1), 0);
  pool_stats_t stats = stats_of(pool);
  assert_int_equal(stats.open, 0);
  assert_int_equal(stats.opened, stats.closed);
  pool_free(pool);
}
