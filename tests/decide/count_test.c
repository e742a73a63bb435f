/* SPDX-License-Identifier: MIT */
/* Every get ends in one count and one event, whatever happens to it; what grows never shrinks; and the events of a
   connection come in its order. */
#include <stdlib.h>
#include <string.h>

#include "support.h"

#define CONNECTIONS 65536
#define GETTERS     4
#define GETS        200

/* What the events told. */
struct ledger {
  _Atomic int64_t events[POOL_EVENT_WARNING + 1];
  _Atomic int64_t codes[32]; /* of gets that failed */
  _Atomic uint8_t states[CONNECTIONS];
  _Atomic int64_t disorder;
};

enum { UNKNOWN, BEING_OPENED, OPEN, OUT, GONE };

static void moves(struct ledger *ledger, const pool_event_t *event, uint8_t from, uint8_t to)
{
  must(event->connection > 0 && event->connection < CONNECTIONS);
  if (!atomic_compare_exchange_strong(&ledger->states[event->connection], &from, to))
    atomic_fetch_add(&ledger->disorder, 1);
}

static void enter(void *user, const pool_event_t *event)
{
  struct ledger *ledger = user;
  must(event->event > 0 && event->event <= POOL_EVENT_WARNING);
  atomic_fetch_add(&ledger->events[event->event], 1);
  switch (event->event) {
  case POOL_EVENT_OPENING:
    moves(ledger, event, UNKNOWN, BEING_OPENED);
    break;
  case POOL_EVENT_OPENED:
    moves(ledger, event, BEING_OPENED, OPEN);
    break;
  case POOL_EVENT_OPEN_FAILED:
    moves(ledger, event, BEING_OPENED, GONE);
    break;
  case POOL_EVENT_WAITED:
    moves(ledger, event, OPEN, OPEN);
    break;
  case POOL_EVENT_LENT:
    must(event->duration_ns >= 0);
    moves(ledger, event, OPEN, OUT);
    break;
  case POOL_EVENT_LEAK_RETURNED:
    moves(ledger, event, OUT, OUT);
    break;
  case POOL_EVENT_RETURNED:
    moves(ledger, event, OUT, OPEN);
    break;
  case POOL_EVENT_CLOSED:
    moves(ledger, event, OPEN, GONE);
    break;
  case POOL_EVENT_LEAKED:
    must(event->connection > 0 && event->connection < CONNECTIONS);
    break;
  case POOL_EVENT_TIMED_OUT:
  case POOL_EVENT_OVERLOADED:
  case POOL_EVENT_CANCELLED:
  case POOL_EVENT_GET_FAILED:
    must(event->duration_ns >= 0 && event->code < 0 && event->message[0] && event->connection == 0);
    atomic_fetch_add(&ledger->codes[-event->code], 1);
    break;
  default:
    must(event->connection == 0);
  }
}

/* ---- a storm ---- */

struct storm {
  struct ledger ledger;
  struct fake fake;
  pool_t *pool;
  _Atomic int64_t asked, good, codes[32]; /* as the askers were told */
  _Atomic int under_way;                  /* asynchronous gets */
  _Atomic bool stop;
  _Atomic uint64_t seeds;
};

static void told(struct storm *storm, pool_lease_t result)
{
  must(result > 0 || (result < 0 && result > -32));
  atomic_fetch_add(result > 0 ? &storm->good : &storm->codes[-result], 1);
}

static void got(void *user, pool_lease_t result)
{
  struct storm *storm = user;
  told(storm, result);
  if (result > 0)
    must(pool_put(result) == 0);
  atomic_fetch_sub(&storm->under_way, 1);
}

/* One open, check or reset in eight fails, and one in four takes a while. */
static bool fails(struct storm *storm)
{
  uint64_t seed = atomic_fetch_add(&storm->seeds, UINT64_C(0x9e3779b97f4a7c15)) | 1;
  uint32_t random = random_next(&seed);
  for (int i = random % 4 == 0 ? 20 : 0; i > 0; i--)
    yield_ns();
  return random % 8 == 1;
}

static int stormy_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  struct storm *storm = context;
  return fails(storm) ? -100 : fake_open(&storm->fake, deadline_ns, conn, error);
}

static int stormy_close(void *context, void *conn, pool_error_t *error)
{
  return fake_close(&((struct storm *)context)->fake, conn, error);
}

static int stormy_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)conn, (void)deadline_ns, (void)error;
  return fails(context) ? -102 : 0;
}

static void put_somehow(pool_lease_t lease, uint32_t random)
{
  if (random % 64 < 2) /* long enough to be taken for a leak */
    for (int64_t until = now_ns() + 4000000; now_ns() < until;)
      yield_ns();
  if (random % 8 == 0)
    must(pool_mark_unusable(lease) == 0);
  must(pool_put(lease) == 0);
}

static void ask_later(struct storm *storm, uint32_t random)
{
  atomic_fetch_add(&storm->under_way, 1);
  int64_t ticket = pool_get_async(storm->pool, random % 5 - 1, got, storm);
  if (ticket < 0) {
    told(storm, ticket);
    atomic_fetch_sub(&storm->under_way, 1);
  } else if (random % 3 == 0) {
    int code = pool_cancel(ticket);
    must(code == 0 || code == POOL_E_STALE);
  }
}

static void *get_somehow(void *data)
{
  struct storm *storm = data;
  uint64_t seed = atomic_fetch_add(&storm->seeds, UINT64_C(0x9e3779b97f4a7c15)) | 1;
  for (int i = 0; i < GETS; i++) {
    uint32_t random = random_next(&seed);
    atomic_fetch_add(&storm->asked, 1);
    if (random % 4 == 0) {
      ask_later(storm, random >> 8);
      continue;
    }
    pool_lease_t lease = pool_get_for(storm->pool, (random >> 4) % 4);
    told(storm, lease);
    if (lease > 0)
      put_somehow(lease, random >> 8);
  }
  return NULL;
}

static void *disturb(void *data)
{
  struct storm *storm = data;
  uint64_t seed = atomic_fetch_add(&storm->seeds, UINT64_C(0x9e3779b97f4a7c15)) | 1;
  while (!atomic_load(&storm->stop)) {
    uint32_t random = random_next(&seed);
    for (uint32_t i = 0; i < random % 64; i++)
      yield_ns();
    if (random >> 8 & 1)
      must(pool_flush(storm->pool) >= 0);
    if (random >> 9 & 1) {
      must(pool_pause(storm->pool) >= 0);
      yield_ns();
      must(pool_resume(storm->pool) >= 0);
    }
    must(pool_resize(storm->pool, 2 + (int32_t)(random >> 10 & 3)) >= 0);
  }
  return NULL;
}

/* All members of the statistics that only grow. */
static void has_not_shrunk(const pool_stats_t *before, const pool_stats_t *now)
{
#define GAUGE(name)            (void)0
#define COUNTER(name)          must(now->name >= before->name)
#define COUNT(name, kind, ...) kind(name);
#define TIME(name, ...)        must(now->name.count >= before->name.count);
#include "decide/counts.def"
  must(now->wait_max_ns >= before->wait_max_ns);
}

static void *sample(void *data)
{
  struct storm *storm = data;
  pool_stats_t before = POOL_STATS_INIT, now = POOL_STATS_INIT;
  while (!atomic_load(&storm->stop)) {
    must(pool_stats(storm->pool, &now) == 0);
    has_not_shrunk(&before, &now);
    must(now.opened - now.closed == now.open - now.opening);
    before = now;
  }
  return NULL;
}

static void balances(struct storm *storm)
{
  pool_stats_t stats = stats_of(storm->pool);
  const struct ledger *ledger = &storm->ledger;
  assert_int_equal(stats.open, 0);
  assert_int_equal(stats.leased, 0);
  assert_int_equal(stats.lent, storm->good);
  assert_int_equal(stats.timed_out + stats.found_none, storm->codes[-POOL_E_TIMEOUT]);
  assert_int_equal(stats.overloaded, storm->codes[-POOL_E_OVERLOAD]);
  assert_int_equal(stats.cancelled, storm->codes[-POOL_E_CANCELLED]);
  assert_int_equal(stats.failed_open + stats.failed_fast, storm->codes[-POOL_E_OPEN]);
  assert_int_equal(stats.failed_closed, storm->codes[-POOL_E_CLOSED]);
  assert_int_equal(stats.failed_nomem + stats.failed_system, 0);
  assert_int_equal(storm->asked, stats.lent + stats.timed_out + stats.found_none + stats.overloaded + stats.cancelled +
                                     stats.failed_open + stats.failed_fast + stats.failed_closed);
  if (!ledger->events[POOL_EVENT_POOL_CREATED])
    return; /* nobody listened */
  assert_int_equal(ledger->events[POOL_EVENT_LENT], storm->good);
  assert_int_equal(ledger->events[POOL_EVENT_RETURNED], storm->good);
  for (int i = 1; i < 32; i++)
    assert_int_equal(ledger->codes[i], storm->codes[i]);
  assert_int_equal(ledger->disorder, 0);
  assert_int_equal(ledger->events[POOL_EVENT_OPENED], stats.opened);
  assert_int_equal(ledger->events[POOL_EVENT_OPEN_FAILED], stats.open_failures);
  assert_int_equal(ledger->events[POOL_EVENT_OPENING], stats.opened + stats.open_failures);
  assert_int_equal(ledger->events[POOL_EVENT_CLOSED], stats.closed);
  assert_int_equal(ledger->events[POOL_EVENT_LEAKED], stats.leaked);
  /* A get that lost the processor with a lease that it then gave back unused is told of as a leak; nobody puts that. */
  assert_in_range(ledger->events[POOL_EVENT_LEAK_RETURNED], 0, stats.leaked);
  assert_int_equal(ledger->events[POOL_EVENT_POOL_CREATED], 1);
  assert_int_equal(ledger->events[POOL_EVENT_POOL_CLOSED], 1);
}

/* Ends with gets that meet a closed pool. */
static void rage(struct storm *storm, const pool_config_t *config)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = stormy_open;
  vtable.close = stormy_close;
  vtable.check = stormy_check;
  pthread_t getters[GETTERS], disturber, sampler;
  fake_init(&storm->fake);
  assert_int_equal(pool_create(config, &vtable, storm, &storm->pool, NULL), 0);
  for (int i = 0; i < GETTERS; i++)
    getters[i] = thread_start(get_somehow, storm);
  disturber = thread_start(disturb, storm);
  sampler = thread_start(sample, storm);
  while (atomic_load(&storm->asked) <= GETTERS * (GETS - 50))
    yield_ns(); /* as long as it takes: under a sanitizer, on a busy machine, that is long */
  atomic_store(&storm->stop, true);
  thread_end(disturber);
  thread_end(sampler);
  pool_close(storm->pool, 0);
  for (int i = 0; i < GETTERS; i++)
    thread_end(getters[i]);
  wait_until(atomic_load(&storm->under_way) == 0);
  assert_int_equal(pool_close(storm->pool, 10000), 0);
  assert_int_equal(storm->asked, GETTERS * GETS);
  balances(storm);
  pool_free(storm->pool);
  assert_int_equal(storm->fake.open_now, 0);
}

static pool_config_t stormy(uint32_t variant)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 3;
  config.get_timeout_ms = 20;
  config.openers = variant & 1 ? 2 : 0;
  config.check_after_ms = variant & 2 ? 0 : 1;
  if (variant & 4) {
    config.retry_min_ms = 1;
    config.retry_max_ms = 2;
    config.breaker_after = 2;
    config.leak_after_ms = 1;
  }
  if (variant & 8) {
    config.max_waiters = 3;
    config.queue = POOL_QUEUE_SHED;
    config.overload_after_ms = 1;
  }
  return config;
}

static void rage_in_ways(uint32_t variants, bool listen)
{
  for (uint32_t variant = 0; variant < variants; variant++) {
    struct storm *storm = calloc(1, sizeof *storm);
    assert_non_null(storm);
    atomic_store(&storm->seeds, variant * 77777 + 1);
    pool_config_t config = stormy(variant);
    config.events = listen ? enter : NULL;
    config.user = &storm->ledger;
    rage(storm, &config);
    free(storm);
  }
}

static void test_count__each_get_is_in_one_count_and_one_event(void **state)
{
  (void)state;
  rage_in_ways(16, true);
}

static void test_count__the_fast_ways_count_alike(void **state)
{
  (void)state;
  rage_in_ways(4, false);
}

/* ---- without memory ---- */

static _Thread_local bool no_memory;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
  return no_memory ? NULL : __real_calloc(count, size);
}

/* The first of the program, so there is no ticket yet. */
static void test_count__a_get_without_memory(void **state)
{
  (void)state;
  static struct storm storm;
  pool_config_t config = POOL_CONFIG_INIT;
  config.events = enter;
  config.user = &storm.ledger;
  fake_init(&storm.fake);
  pool_t *pool = fake_pool(&storm.fake, &config, NULL);
  no_memory = true;
  int64_t ticket = pool_get_async(pool, -1, got, &storm);
  no_memory = false;
  assert_int_equal(ticket, POOL_E_NOMEM);
  assert_int_equal(stats_of(pool).failed_nomem, 1);
  assert_int_equal(storm.ledger.codes[-POOL_E_NOMEM], 1);
  assert_int_equal(storm.ledger.events[POOL_EVENT_GET_FAILED], 1);
  fake_finish(&storm.fake, pool);
}

/* ---- the step API ---- */

struct steps {
  pool_t *pool;
  uint64_t seed;
  int64_t asked, good, codes[32];
  pool_lease_t leases[64];
  int out;
  int64_t tickets[64];
  int waiting;
};

/* Does what a step asks for, one open in four fails. */
static pool_lease_t work(struct steps *steps, pool_step_t *step)
{
  pool_lease_t result = 0;
  while (step->work != POOL_WORK_NONE) {
    pool_error_t why = POOL_ERROR_INIT;
    bool fails = step->work == POOL_WORK_OPEN && random_next(&steps->seed) % 4 == 0;
    why.code = POOL_E_OPEN;
    pool_lease_t done = pool_step_done(step->claim, fails ? &why : NULL, steps, step);
    result = result ? result : done;
  }
  return result;
}

static void step_ended(struct steps *steps, pool_lease_t result)
{
  if (result < 0)
    steps->codes[-result]++;
  if (result <= 0)
    return;
  steps->good++;
  steps->leases[steps->out++] = result;
}

static void step_get(struct steps *steps, int64_t timeout_ms, int64_t ticket)
{
  pool_step_t step = POOL_STEP_INIT;
  steps->asked += ticket == 0;
  pool_lease_t result = pool_step_begin(steps->pool, timeout_ms, ticket, &step);
  if (!result)
    result = work(steps, &step);
  if (result)
    step_ended(steps, result);
  else if (step.ticket) /* also one whose open failed, and that goes on waiting */
    steps->tickets[steps->waiting++] = step.ticket;
  else
    fail_msg("a get that neither ended nor waits");
}

static void step_put(struct steps *steps)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = steps->leases[--steps->out];
  assert_int_equal(pool_step_end(lease, &step), 0);
  work(steps, &step);
}

static void step_cancel(struct steps *steps)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t result = pool_step_cancel(steps->tickets[--steps->waiting], &step);
  step_ended(steps, result ? result : POOL_E_CANCELLED);
}

static void step_somehow(struct steps *steps)
{
  uint32_t random = random_next(&steps->seed);
  if (random % 4 == 0 && steps->out > 0)
    step_put(steps);
  else if (random % 4 == 1 && steps->waiting > 0)
    step_cancel(steps);
  else if (random % 4 == 2 && steps->waiting > 0)
    step_get(steps, -1, steps->tickets[--steps->waiting]);
  else if (steps->waiting < 32 && steps->out < 32)
    step_get(steps, random % 8 < 4 ? 0 : -1, 0);
}

static void test_count__gets_by_steps_too(void **state)
{
  (void)state;
  for (uint64_t seed = 1; seed <= 20; seed++) {
    struct steps steps = {.seed = seed};
    pool_config_t config = POOL_CONFIG_INIT;
    config.max_open = 3;
    config.max_waiters = seed % 2 ? 2 : 0;
    assert_int_equal(pool_step_create(&config, 0, &steps.pool, NULL), 0);
    for (int i = 0; i < 2000; i++)
      step_somehow(&steps);
    pool_close(steps.pool, 0);
    step_get(&steps, -1, 0);
    while (steps.waiting > 0)
      step_get(&steps, -1, steps.tickets[--steps.waiting]);
    pool_stats_t stats = stats_of(steps.pool);
    assert_int_equal(stats.lent + stats.leased, steps.good);
    assert_int_equal(stats.found_none, steps.codes[-POOL_E_TIMEOUT]); /* nobody's time runs out here */
    assert_int_equal(stats.timed_out, 0);
    assert_int_equal(stats.overloaded, steps.codes[-POOL_E_OVERLOAD]);
    assert_int_equal(stats.cancelled, steps.codes[-POOL_E_CANCELLED]);
    assert_int_equal(stats.failed_open, steps.codes[-POOL_E_OPEN]);
    assert_int_equal(stats.failed_closed, steps.codes[-POOL_E_CLOSED]);
    assert_int_equal(steps.asked, steps.good + stats.found_none + stats.overloaded + stats.cancelled +
                                      stats.failed_open + stats.failed_closed);
    while (steps.out > 0)
      step_put(&steps);
    pool_free(steps.pool);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_count__a_get_without_memory), /* first */
      cmocka_unit_test(test_count__each_get_is_in_one_count_and_one_event),
      cmocka_unit_test(test_count__the_fast_ways_count_alike),
      cmocka_unit_test(test_count__gets_by_steps_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
