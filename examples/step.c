/* SPDX-License-Identifier: MIT */
/*
 * A pool by the step API: the library never calls back.  It says what work is to be done, the program does it in its
 * own way, and reports.  Connections are made up: a number in a table of the program.
 *
 *   cc step.c $(pkg-config --cflags --libs pool) -pthread -o step && ./step
 */
#include <pool/pool.h>
#include <pool/step.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static int table[100];
static int opened, closed;

/* Does what a step asks for and reports it; in an event loop this may take as long as it likes. */
static pool_lease_t do_work(pool_step_t *step)
{
  switch (step->work) {
  case POOL_WORK_OPEN:
    return pool_step_done(step->claim, NULL, &table[opened++], step);
  case POOL_WORK_CLOSE:
    closed++;
    return pool_step_done(step->claim, NULL, NULL, step);
  default: /* a check or a reset that succeeded */
    return pool_step_done(step->claim, NULL, NULL, step);
  }
}

/* Gets a connection: a lease, or 0 with a ticket, or an error. */
static pool_lease_t get(pool_t *pool, int64_t *ticket)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_begin(pool, 1000, *ticket, &step);
  while (lease == 0 && step.work != POOL_WORK_NONE)
    lease = do_work(&step);
  *ticket = step.ticket;
  return lease;
}

/* Puts a connection back; returns the ticket of the get that is to be told, or 0. */
static int64_t put(pool_lease_t lease)
{
  pool_step_t step = POOL_STEP_INIT;
  int code = pool_step_end(lease, &step);
  int64_t wake = step.wake;
  while (code == 0 && step.work != POOL_WORK_NONE) {
    code = (int)do_work(&step);
    wake = step.wake ? step.wake : wake;
  }
  return wake;
}

/* What remains to be done, until nothing is left. */
static void do_the_rest(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  while (pool_step_next(pool, &step) > 0)
    while (step.work != POOL_WORK_NONE && do_work(&step) == 0)
      ;
}

/* A second get waits until the first connection comes back. */
static int wait_for_a_turn(pool_t *pool)
{
  int64_t none = 0, ticket = 0;
  pool_lease_t first = get(pool, &none), second = get(pool, &ticket);
  if (first < 0 || second != 0 || ticket == 0)
    return 0;
  if (put(first) != ticket) /* the program tells the holder of this ticket */
    return 0;
  second = get(pool, &ticket);
  put(second);
  return second > 0;
}

/* A get that is given up; it may have been given a lease at that moment. */
static int give_up(pool_t *pool)
{
  int64_t none = 0, ticket = 0;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t first = get(pool, &none);
  get(pool, &ticket);
  pool_lease_t late = pool_step_cancel(ticket, &step);
  if (late > 0)
    put(late);
  put(first);
  return late == 0;
}

/* An idle connection is looked at, and put back as idle as it was. */
static int look_at_idle(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_idle(pool, &step);
  return lease > 0 && pool_step_end_unused(lease, &step) == 0;
}

/* One connection more, for nobody in particular. */
static int open_one_more(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  return pool_step_open(pool, &step) == POOL_E_TIMEOUT ? 1 : do_work(&step) == 0; /* POOL_E_TIMEOUT: there is no room */
}

static int count_events(pool_t *pool)
{
  pool_step_event_t event = POOL_STEP_EVENT_INIT;
  int count = 0;
  while (pool_step_event(pool, &event) > 0)
    count += event.event == POOL_EVENT_LENT;
  return count;
}

/* A caller that was not compiled with these headers knows only how large its structs are. */
static int structs_without_macros(void *step, size_t step_size, void *event, size_t event_size)
{
  return pool_step_init(step, step_size) | pool_step_event_init(event, event_size);
}

int main(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_step_t step;
  pool_step_event_t event;
  pool_t *pool;
  config.max_open = 1;
  if (structs_without_macros(&step, sizeof step, &event, sizeof event) != 0 ||
      pool_step_create(&config, POOL_STEP_EVENTS, &pool, NULL) != 0)
    return 1;
  int good = wait_for_a_turn(pool) && give_up(pool) && look_at_idle(pool) && open_one_more(pool);
  int lent = count_events(pool);
  pool_close(pool, 0);
  do_the_rest(pool);
  pool_free(pool);
  printf("step: %d leases, %d connection opened, %d closed\n", lent, opened, closed);
  return good && opened == closed ? 0 : 1;
}
