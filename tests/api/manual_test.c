/* SPDX-License-Identifier: MIT */
/* The headers are the manual: each error that they name for a function comes, and no other does. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "witness.h"

enum { CODES = 32 };

static const char *const names[CODES] = {
    [1] = "POOL_E_INVALID",   [2] = "POOL_E_STALE",        [3] = "POOL_E_CLOSED",  [4] = "POOL_E_TIMEOUT",
    [5] = "POOL_E_OPEN",      [6] = "POOL_E_REMOTE",       [7] = "POOL_E_BROKEN",  [8] = "POOL_E_OVERLOAD",
    [9] = "POOL_E_CANCELLED", [10] = "POOL_E_UNSUPPORTED", [11] = "POOL_E_NOMEM",  [12] = "POOL_E_SIZE",
    [13] = "POOL_E_NEWER",    [14] = "POOL_E_VTABLE",      [15] = "POOL_E_DRIVER", [16] = "POOL_E_SYSTEM",
    [17] = "POOL_E_OLDER",    [18] = "POOL_E_WILD"};

/* What no test can bring about at will: no memory, and no thread. */
static const bool rare[CODES] = {[11] = true, [16] = true};

static const char *folder;
static bool seen[CODES];
static struct fake fake;

static void see(int64_t result)
{
  assert_true(result > -CODES);
  if (result < 0)
    seen[-result] = true;
}

/* The text of a header. */
static char *read_header(const char *name)
{
  static char text[100000];
  char path[500];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t size = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  text[size] = 0;
  assert_true(size < sizeof text - 1);
  return text;
}

/* Which errors the documentation of a function names, but for those that a parameter may have. */
static void read_manual(const char *header, const char *function, bool *documented)
{
  char declared[64];
  char *text = read_header(header), *comment = NULL;
  snprintf(declared, sizeof declared, " %s(", function);
  char *at = strstr(text, "\nPOOL_API");
  while (at && !(strstr(at, declared) && strstr(at, declared) < strchr(at, ';')))
    at = strstr(at + 1, "\nPOOL_API");
  if (!at)
    fail_msg("%s does not declare %s", header, function);
  *at = 0;
  for (char *next = text; (next = strstr(next, "/**\n")); next++)
    comment = next;
  assert_non_null(comment);
  if (strstr(comment, "@param"))
    *strstr(comment, "@param") = 0;
  memset(documented, 0, CODES * sizeof *documented);
  for (int code = 1; code < CODES && names[code]; code++)
    for (char *name = comment; (name = strstr(name, names[code])); name++) {
      char after = name[strlen(names[code])];
      documented[code] |= !isalnum((unsigned char)after) && after != '_';
    }
}

/* The errors that were seen since are those of the manual. */
static void assert_as_documented(const char *header, const char *function)
{
  bool documented[CODES];
  read_manual(header, function, documented);
  for (int code = 1; code < CODES; code++) {
    if (seen[code] && !documented[code])
      fail_msg("%s returns %s, and %s does not say so", function, names[code], header);
    if (documented[code] && !seen[code] && !rare[code])
      fail_msg("%s never returns %s, though %s says so", function, names[code], header);
  }
  memset(seen, 0, sizeof seen);
}

/* ---- pools in which something is wrong ---- */

static pool_config_t plain(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  config.max_open = 1;
  config.max_waiters = 1;
  return config;
}

static pool_t *make(const pool_config_t *config)
{
  fake_init(&fake);
  return fake_pool(&fake, config, NULL);
}

static pool_t *make_steps(const pool_config_t *config)
{
  pool_t *pool = NULL;
  assert_int_equal(pool_step_create(config, 0, &pool, NULL), 0);
  return pool;
}

static pool_lease_t open_by_step(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  return pool_step_done(step.claim, NULL, &fake, &step);
}

/* The only place is to be opened, and the open fails: from now on the breaker is open. */
static void fail_by_step(pool_t *pool, pool_lease_t claim)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_error_t refused = POOL_ERROR_INIT;
  if (!claim) {
    assert_int_equal(pool_step_begin(pool, -1, 0, &step), 0);
    claim = step.claim;
  }
  pool_step_done(claim, &refused, NULL, &step);
}

/* ---- create ---- */

static void test_manual__errors_of_pool_create(void **state)
{
  (void)state;
  pool_config_t wrong = plain(), unsized = plain(), wild = plain(), opens = plain(), unkept = plain();
  struct {
    pool_config_t config;
    int64_t newer;
  } newer = {plain(), 1};
  pool_vtable_t vtable = fake_vtable();
  pool_t *pool = NULL;
  wrong.max_open = -1;
  unsized.size = 1;
  wild.size = SIZE_MAX;
  newer.config.size = sizeof newer;
  opens.initial = 1;
  unkept.budget = "nobody://host/orders?limit=5";
  fake_init(&fake);
  see(pool_create(&wrong, &vtable, &fake, &pool, NULL));
  see(pool_create(&unsized, &vtable, &fake, &pool, NULL));
  see(pool_create(&wild, &vtable, &fake, &pool, NULL));
  see(pool_create(&newer.config, &vtable, &fake, &pool, NULL));
  see(pool_create(NULL, NULL, &fake, &pool, NULL));
  see(pool_create(&unkept, &vtable, &fake, &pool, NULL));
  fake.fail_open = 1;
  see(pool_create(&opens, &vtable, &fake, &pool, NULL));
  seen[-POOL_E_TIMEOUT] = true; /* of an initial connection: as the open says, which config_test.c has */
  assert_as_documented("pool.h", "pool_create");
  see(pool_step_create(&wrong, 0, &pool, NULL));
  see(pool_step_create(&unsized, 0, &pool, NULL));
  see(pool_step_create(&wild, 0, &pool, NULL));
  see(pool_step_create(&newer.config, 0, &pool, NULL));
  see(pool_step_create(NULL, 32, &pool, NULL));
  see(pool_step_create(&unkept, 0, &pool, NULL));
  assert_as_documented("step.h", "pool_step_create");
  assert_null(pool);
}

/* ---- get ---- */

static void test_manual__errors_of_pool_get(void **state)
{
  (void)state;
  pool_config_t config = plain();
  config.get_timeout_ms = 1;
  pool_t *pool = make(&config), *steps = make_steps(NULL);
  see(pool_get(NULL));
  see(pool_get(steps));
  fake.fail_open = 1;
  see(pool_get_for(pool, -1)); /* as pool_get() without a timeout */
  pool_lease_t lease = pool_get_for(pool, -1);
  assert_true(lease > 0);
  see(pool_get(pool));
  struct getter getter = {0};
  getter_queue(&getter, pool, -1);
  see(pool_get(pool));
  assert_int_equal(pool_put(lease), 0);
  assert_true(getter_end(&getter) > 0);
  assert_int_equal(pool_close(pool, -1), 0);
  see(pool_get(pool));
  assert_as_documented("pool.h", "pool_get");
  pool_free(pool);
  pool_free(steps);
}

static void see_result(void *user, pool_lease_t result)
{
  (void)user;
  see(result);
  if (result > 0)
    pool_put(result);
}

static void test_manual__errors_of_pool_get_async(void **state)
{
  (void)state;
  pool_config_t config = plain();
  pool_t *pool = make(&config), *steps = make_steps(NULL);
  see(pool_get_async(NULL, -1, see_result, NULL));
  see(pool_get_async(steps, -1, see_result, NULL));
  pool_lease_t lease = pool_get(pool);
  int64_t ticket = pool_get_async(pool, -1, see_result, NULL);
  assert_true(ticket > 0);
  see(pool_get_async(pool, -1, see_result, NULL));
  assert_int_equal(pool_cancel(ticket), 0);
  pool_maintain(pool);
  assert_true(pool_get_async(pool, 0, see_result, NULL) > 0);
  pool_maintain(pool);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_put(lease), 0);
  fake.fail_open = 1;
  assert_true(pool_get_async(pool, -1, see_result, NULL) > 0);
  wait_until((pool_maintain(pool), seen[-POOL_E_OPEN]));
  assert_int_equal(pool_close(pool, -1), 0);
  see(pool_get_async(pool, -1, see_result, NULL));
  assert_as_documented("pool.h", "pool_get_async");
  pool_free(pool);
  pool_free(steps);
}

/* ---- calls ---- */

static int answer;

static int call_with_answer(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                            int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)method, (void)args, (void)reply, (void)deadline_ns, (void)error;
  return answer;
}

static void test_manual__errors_of_pool_call(void **state)
{
  (void)state;
  const pool_bytes_t nothing = {NULL, 0};
  pool_vtable_t vtable = fake_vtable();
  vtable.call = call_with_answer;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, NULL, &vtable);
  pool_lease_t lease = pool_get(pool);
  for (answer = -40; answer < 40; answer++) /* whatever a driver says */
    see(pool_call(lease, "method", nothing, NULL, NULL));
  see(pool_call(lease, NULL, nothing, NULL, NULL));
  assert_int_equal(pool_put(lease), 0);
  see(pool_call(lease, "method", nothing, NULL, NULL));
  assert_as_documented("pool.h", "pool_call");
  fake_finish(&fake, pool);
}

/* ---- steps ---- */

static void with_wrong_steps(int64_t (*function)(pool_step_t *step))
{
  pool_step_t unsized = POOL_STEP_INIT, wild = POOL_STEP_INIT;
  unsized.size = 1;
  wild.size = SIZE_MAX;
  see(function(NULL));
  see(function(&unsized));
  see(function(&wild));
}

static pool_t *stepped, *called;
static pool_lease_t borrowed;

static int64_t begin(pool_step_t *step)
{
  return pool_step_begin(stepped, 0, 0, step);
}

static int64_t cancel(pool_step_t *step)
{
  return pool_step_cancel(-1, step);
}

static int64_t end(pool_step_t *step)
{
  return pool_step_end(borrowed, step);
}

static int64_t done(pool_step_t *step)
{
  return pool_step_done(borrowed, NULL, NULL, step);
}

static int64_t next(pool_step_t *step)
{
  return pool_step_next(called, step);
}

static int64_t idle(pool_step_t *step)
{
  return pool_step_idle(called, step);
}

static int64_t given(pool_step_t *step)
{
  return pool_step_given(borrowed, step);
}

static int64_t pass(pool_step_t *step)
{
  return pool_step_pass(borrowed, step);
}

static int64_t open_more(pool_step_t *step)
{
  return pool_step_open(called, step);
}

/* Pools of steps whose breaker opens at the first failure, with one place and one waiter. */
static pool_t *make_breaking(int32_t queue)
{
  pool_config_t config = plain();
  config.retry_min_ms = config.retry_max_ms = 60000;
  config.breaker_after = 1;
  config.queue = queue;
  config.overload_after_ms = 1;
  return make_steps(&config);
}

static void test_manual__errors_of_steps_that_get(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  called = make(NULL);
  stepped = make_breaking(POOL_QUEUE_FIFO);
  with_wrong_steps(begin);
  see(pool_step_begin(NULL, 0, 0, &step));
  see(pool_step_begin(called, 0, 0, &step));
  see(pool_step_begin(stepped, 0, 12345, &step));
  pool_lease_t lease = open_by_step(stepped);
  see(pool_step_begin(stepped, 0, 0, &step));
  assert_int_equal(pool_step_begin(stepped, -1, 0, &step), 0);
  int64_t ticket = step.ticket;
  see(pool_step_begin(stepped, -1, 0, &step)); /* one waits already */
  assert_int_equal(pool_step_cancel(ticket, &step), 0);
  assert_int_equal(pool_mark_unusable(lease), 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  fail_by_step(stepped, 0);
  see(pool_step_begin(stepped, 0, 0, &step));
  pool_close(stepped, 0);
  see(pool_step_begin(stepped, 0, 0, &step));
  assert_as_documented("step.h", "pool_step_begin");
  pool_free(stepped);
  fake_finish(&fake, called);
}

static void test_manual__errors_of_steps_that_take_what_is_idle_or_open_more(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  called = make(NULL);
  stepped = make_breaking(POOL_QUEUE_FIFO);
  with_wrong_steps(idle);
  see(pool_step_idle(NULL, &step));
  see(pool_step_idle(called, &step));
  pool_close(stepped, 0);
  see(pool_step_idle(stepped, &step));
  assert_as_documented("step.h", "pool_step_idle");
  with_wrong_steps(open_more);
  see(pool_step_open(NULL, &step));
  see(pool_step_open(called, &step));
  see(pool_step_open(stepped, &step));
  pool_free(stepped);
  stepped = make_breaking(POOL_QUEUE_FIFO);
  assert_int_equal(pool_step_open(stepped, &step), 0);
  pool_lease_t claim = step.claim;
  see(pool_step_open(stepped, &step));
  fail_by_step(stepped, claim);
  see(pool_step_open(stepped, &step));
  assert_as_documented("step.h", "pool_step_open");
  pool_free(stepped);
  fake_finish(&fake, called);
}

/* A ticket whose wait has ended before it was cancelled, in each way that there is. */
static void test_manual__errors_of_steps_that_cancel(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  with_wrong_steps(cancel);
  see(pool_step_cancel(12345, &step));
  stepped = make_breaking(POOL_QUEUE_FIFO);
  assert_int_equal(pool_step_begin(stepped, -1, 0, &step), 0);
  pool_lease_t claim = step.claim;
  assert_int_equal(pool_step_begin(stepped, -1, 0, &step), 0);
  int64_t ticket = step.ticket;
  fail_by_step(stepped, claim);
  see(pool_step_cancel(ticket, &step));
  pool_free(stepped);
  stepped = make_breaking(POOL_QUEUE_SHED);
  pool_lease_t lease = open_by_step(stepped);
  assert_int_equal(pool_step_begin(stepped, -1, 0, &step), 0);
  ticket = step.ticket;
  wait_until((pool_step_next(stepped, &step), stats_of(stepped).waiting == 0));
  see(pool_step_cancel(ticket, &step));
  assert_int_equal(pool_step_end(lease, &step), 0);
  pool_free(stepped);
  stepped = make_breaking(POOL_QUEUE_FIFO);
  open_by_step(stepped);
  assert_int_equal(pool_step_begin(stepped, -1, 0, &step), 0);
  ticket = step.ticket;
  pool_close(stepped, 0);
  while (pool_step_next(stepped, &step) == 1)
    ;
  see(pool_step_cancel(ticket, &step));
  assert_as_documented("step.h", "pool_step_cancel");
  pool_free(stepped);
}

static void *put_main(void *data)
{
  (void)data;
  must(pool_put(borrowed) == 0);
  return NULL;
}

static void test_manual__errors_of_steps_that_end(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  called = make(NULL);
  borrowed = pool_get(called);
  with_wrong_steps(end);
  see(pool_step_end(borrowed, &step));
  see(pool_step_end(-1, &step));
  assert_as_documented("step.h", "pool_step_end");
  with_wrong_steps(pass);
  see(pool_step_pass(borrowed, &step));
  see(pool_step_pass(-1, &step));
  assert_as_documented("step.h", "pool_step_pass");
  with_wrong_steps(given);
  see(pool_step_given(borrowed, &step));
  see(pool_step_given(-1, &step));
  assert_as_documented("step.h", "pool_step_given");
  pool_view_t view = POOL_VIEW_INIT, small = {.size = 1}, absurd = {.size = SIZE_MAX};
  see(pool_step_view(called, NULL));
  see(pool_step_view(NULL, &view));
  see(pool_step_view(called, &view));
  see(pool_step_view(called, &small));
  see(pool_step_view(called, &absurd));
  assert_as_documented("step.h", "pool_step_view");
  with_wrong_steps(next);
  see(pool_step_next(NULL, &step));
  see(pool_step_next(called, &step));
  assert_as_documented("step.h", "pool_step_next");
  pool_step_event_t event = POOL_STEP_EVENT_INIT, unsized = {.size = 1}, wild = {.size = SIZE_MAX};
  see(pool_step_event(NULL, &event));
  see(pool_step_event(stepped, NULL));
  see(pool_step_event(called, &event));
  see(pool_step_event(stepped, &unsized));
  see(pool_step_event(stepped, &wild));
  assert_as_documented("step.h", "pool_step_event");
  with_wrong_steps(done);
  see(pool_step_done(-1, NULL, NULL, &step));
  struct {
    pool_error_t error;
    int64_t newer;
  } failure = {POOL_ERROR_INIT, 1};
  failure.error.size = sizeof failure;
  see(pool_step_done(-1, &failure.error, NULL, &step));
  stepped = make_steps(NULL);
  pool_error_t refused = {sizeof refused, POOL_E_OPEN, 0, "refused"}, late = {sizeof late, POOL_E_TIMEOUT, 0, "late"};
  assert_int_equal(pool_step_begin(stepped, -1, 0, &step), 0);
  see(pool_step_done(step.claim, &refused, NULL, &step));
  assert_int_equal(pool_step_begin(stepped, -1, 0, &step), 0);
  see(pool_step_done(step.claim, &late, NULL, &step));
  assert_int_equal(pool_step_begin(stepped, -1, 0, &step), 0);
  pool_lease_t claim = step.claim;
  pool_close(stepped, 0);
  see(pool_step_done(claim, NULL, &fake, &step));
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  pool_free(stepped);
  assert_int_equal(pool_mark_unusable(borrowed), 0); /* a claim of a pool with a vtable: what is being closed */
  gate_set(&fake.closing, false);
  pthread_t putter = thread_start(put_main, NULL);
  wait_until(gate_waiting(&fake.closing) == 1);
  see(pool_step_done(borrowed + (1 << 20), NULL, NULL, &step));
  gate_set(&fake.closing, true);
  thread_end(putter);
  assert_as_documented("step.h", "pool_step_done");
  fake_finish(&fake, called);
}

static int64_t join(pool_step_t *step)
{
  return pool_step_join(-1, step);
}

static void test_manual__errors_of_steps_that_join(void **state)
{
  (void)state;
  pool_step_t step = POOL_STEP_INIT;
  with_wrong_steps(join);
  see(pool_step_join(-1, &step));
  for (int closes = 0; closes < 2; closes++) {
    stepped = NULL;
    assert_int_equal(pool_step_create(NULL, POOL_STEP_JOINS, &stepped, NULL), 0);
    assert_int_equal(pool_step_begin(stepped, -1, 0, &step), 0);
    pool_lease_t claim = step.claim;
    if (closes)
      pool_close(stepped, 0);
    else if (pool_pause(stepped) == 0)
      pool_evict(stepped);
    see(pool_step_join(claim, &step));
    pool_free(stepped);
  }
  called = make(NULL);
  borrowed = pool_get(called);
  assert_int_equal(pool_mark_unusable(borrowed), 0); /* a claim of a pool with a vtable: what is being closed */
  gate_set(&fake.closing, false);
  pthread_t putter = thread_start(put_main, NULL);
  wait_until(gate_waiting(&fake.closing) == 1);
  see(pool_step_join(borrowed + (1 << 20), &step));
  gate_set(&fake.closing, true);
  thread_end(putter);
  assert_as_documented("step.h", "pool_step_join");
  fake_finish(&fake, called);
}

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_manual__errors_of_pool_create),
      cmocka_unit_test(test_manual__errors_of_pool_get),
      cmocka_unit_test(test_manual__errors_of_pool_get_async),
      cmocka_unit_test(test_manual__errors_of_pool_call),
      cmocka_unit_test(test_manual__errors_of_steps_that_get),
      cmocka_unit_test(test_manual__errors_of_steps_that_take_what_is_idle_or_open_more),
      cmocka_unit_test(test_manual__errors_of_steps_that_cancel),
      cmocka_unit_test(test_manual__errors_of_steps_that_end),
      cmocka_unit_test(test_manual__errors_of_steps_that_join),
  };
  folder = count > 1 ? arguments[1] : "";
  return cmocka_run_group_tests(tests, NULL, NULL);
}
