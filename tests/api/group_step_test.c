/* SPDX-License-Identifier: MIT */
/* Groups of the step API: who has a pool, and how the program hears that its key was let go of. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/group.h>

#include "steps.h"

static pool_group_t *start_with(pool_group_config_t config, pool_config_t settings)
{
  pool_group_t *group = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  settings.name = "shop";
  config.settings = &settings;
  if (pool_group_step_create(&config, 0, &group, &error))
    fail_msg("%s", error.message);
  return group;
}

static pool_group_t *start(int64_t key_idle_ms, const char *budget)
{
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  pool_config_t settings = POOL_CONFIG_INIT;
  config.key_idle_ms = key_idle_ms;
  settings.budget = budget;
  return start_with(config, settings);
}

/* A reference of the pool of a key. */
static pool_t *pool_of(pool_group_t *group, const char *key)
{
  pool_t *pool = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_group_step_pool(group, key, strlen(key), NULL, &pool, &error))
    fail_msg("%s", error.message);
  return pool;
}

static pool_group_stats_t sums_of(pool_group_t *group)
{
  pool_group_stats_t stats = POOL_GROUP_STATS_INIT;
  assert_int_equal(pool_group_stats(group, &stats), 0);
  return stats;
}

/* The next thing that is told; waits for it by the descriptor and the time alone. */
static int await_news(pool_group_t *group, pool_t **pool)
{
  struct pollfd look = {.fd = pool_group_event_fd(group), .events = POLLIN};
  int64_t due_ns = 0, until_ns = now_ns() + LONG_NS;
  int news;
  while ((news = pool_group_step_next(group, pool, &due_ns)) == 0) {
    int64_t ms = due_ns < LONG_NS ? due_ns / 1000000 + 1 : LONG_NS / 1000000;
    uint64_t rings;
    if (poll(&look, 1, (int)ms) == 1)
      assert_int_equal(read(look.fd, &rings, sizeof rings), sizeof rings);
    assert_true(now_ns() < until_ns);
  }
  return news;
}

/* Of this pool, whatever else is told before. */
static void await_news_of(pool_group_t *group, pool_t *pool, int news)
{
  pool_t *told = NULL;
  for (bool is = false; !is;) {
    int said = await_news(group, &told);
    is = told == pool && said == news;
    assert_true(said == POOL_GROUP_STEERED || is);
    pool_free(told);
  }
}

static void assert_nothing_new(pool_group_t *group)
{
  pool_t *pool = NULL;
  int64_t due_ns;
  assert_int_equal(pool_group_step_next(group, &pool, &due_ns), 0);
}

/* Opens, perhaps once the budget allows it.  POOL_E_CLOSED: the key was let go of. */
static pool_lease_t try_get(pool_t *pool)
{
  static int conn;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = pool_step_begin(pool, -1, 0, &step);
  wait_until(lease < 0 || step.work == POOL_WORK_OPEN ||
             (lease = pool_step_begin(pool, -1, step.ticket, &step), step.work == POOL_WORK_OPEN));
  return lease < 0 ? lease : pool_step_done(step.claim, NULL, &conn, &step);
}

static pool_lease_t get(pool_t *pool)
{
  pool_lease_t lease = try_get(pool);
  assert_true(lease > 0);
  return lease;
}

/* The pool of a key in which a get has a connection, or waits for one; and the lease or the ticket. */
static pool_t *busy_pool(pool_group_t *group, const char *key, bool waits, int64_t *result)
{
  for (;;) {
    pool_step_t step = POOL_STEP_INIT;
    pool_t *pool = pool_of(group, key);
    *result = waits ? pool_step_begin(pool, -1, 0, &step) : try_get(pool);
    if (*result != POOL_E_CLOSED) {
      *result = waits ? step.ticket : *result;
      assert_true(*result > 0);
      return pool;
    }
    pool_free(pool);
  }
}

static void close_all(pool_t *pool)
{
  pool_step_t step = POOL_STEP_INIT;
  while (pool_step_next(pool, &step) == 1)
    if (step.work == POOL_WORK_CLOSE)
      assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
}

static const char *last_message(void)
{
  static pool_error_t error;
  error = (pool_error_t)POOL_ERROR_INIT;
  pool_failure(&error);
  return error.message;
}

/* ---- keys ---- */

static void test_group_step__each_key_has_a_pool_with_its_name(void **state)
{
  (void)state;
  pool_group_t *group = start(-1, NULL);
  pool_t *one = pool_of(group, "one"), *two = pool_of(group, "two"), *again = pool_of(group, "one");
  pool_bytes_t text = {0};
  assert_ptr_equal(one, again);
  assert_ptr_not_equal(one, two);
  assert_int_equal(pool_report(two, POOL_FORMAT_JSON, &text), 0);
  assert_non_null(strstr(text.data, "shop/two"));
  pool_bytes_free(&text);
  assert_int_equal(sums_of(group).keys, 2);
  assert_true(pool_group_get(group, "one", 3, 0) == POOL_E_UNSUPPORTED);
  pool_free(again);
  pool_free(one);
  pool_free(two);
  pool_group_free(group);
}

static void test_group_step__a_key_may_have_settings_of_its_own(void **state)
{
  (void)state;
  pool_group_t *group = start(-1, NULL);
  pool_config_t special = POOL_CONFIG_INIT;
  pool_t *pool = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  int64_t max_open = 0;
  special.max_open = 3;
  special.name = "another";
  assert_int_equal(pool_group_step_pool(group, "one", 3, &special, &pool, NULL), 0);
  assert_int_equal(pool_value(pool, "max_open", &max_open), 0);
  assert_int_equal(max_open, 3);
  pool_free(pool);
  special.max_open = -1;
  assert_int_equal(pool_group_step_pool(group, "two", 3, &special, &pool, &error), POOL_E_INVALID);
  assert_non_null(strstr(error.message, "shop/two: max_open is -1"));
  special.max_open = 3;
  special.initial = 1;
  assert_int_equal(pool_group_step_pool(group, "two", 3, &special, &pool, &error), POOL_E_INVALID);
  assert_non_null(strstr(error.message, "initial must be 0"));
  assert_int_equal(sums_of(group).keys, 1);
  pool_group_free(group);
}

static void test_group_step__what_is_set_wrong_is_refused_at_once(void **state)
{
  (void)state;
  pool_group_t *group = NULL;
  pool_t *pool = NULL;
  int64_t due_ns;
  pool_error_t error = POOL_ERROR_INIT;
  pool_vtable_t vtable = fake_vtable();
  pool_config_t settings = POOL_CONFIG_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  config.vtable = &vtable;
  assert_int_equal(pool_group_step_create(&config, 0, &group, &error), POOL_E_INVALID);
  assert_non_null(strstr(error.message, "vtable must be NULL"));
  config.vtable = NULL;
  config.settings = &settings;
  settings.openers = 2;
  assert_int_equal(pool_group_step_create(&config, 0, &group, &error), POOL_E_INVALID);
  settings.openers = 0;
  settings.initial = 1;
  assert_int_equal(pool_group_step_create(&config, 0, &group, &error), POOL_E_INVALID);
  settings.initial = 0;
  settings.check_after_ms = 5;
  assert_true(pool_group_step_create(&config, 0, &group, &error) < 0);
  assert_int_equal(pool_group_step_create(NULL, 1 << 30, &group, &error), POOL_E_NEWER);
  config.vtable = &vtable;
  settings.check_after_ms = -1;
  assert_int_equal(pool_group_create(&config, &group, &error), 0);
  assert_int_equal(pool_group_event_fd(group), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_group_step_next(group, &pool, &due_ns), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_group_step_pool(group, "k", 1, NULL, &pool, &error), POOL_E_UNSUPPORTED);
  pool_group_free(group);
}

/* ---- keys are let go of ---- */

static void test_group_step__a_key_without_connections_is_let_go_of_though_the_program_has_its_pool(void **state)
{
  (void)state;
  pool_group_t *group = start(20, NULL);
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = pool_of(group, "one"), *told = NULL;
  assert_int_equal(await_news(group, &told), POOL_GROUP_GONE);
  assert_ptr_equal(told, pool);
  pool_free(told);
  assert_int_equal(sums_of(group).keys, 0);
  assert_int_equal(sums_of(group).let_go, 1);
  assert_int_equal(pool_step_begin(pool, 1000, 0, &step), POOL_E_CLOSED);
  int64_t lease;
  pool_t *next = busy_pool(group, "one", false, &lease);
  assert_ptr_not_equal(next, pool);
  pool_free(pool);
  assert_int_equal(pool_step_end(lease, &step), 0);
  pool_group_close(group, 0);
  close_all(next);
  pool_free(next);
  pool_group_free(group);
}

/* How many keys are let go of until then, none of which is one of these pools. */
static void await_gone(pool_group_t *group, int count, const pool_t *one, const pool_t *two)
{
  while (count > 0) {
    pool_t *told = NULL;
    pool_free(pool_of(group, "another"));
    int news = await_news(group, &told);
    assert_true(news == POOL_GROUP_STEERED || (told != one && told != two));
    count -= news == POOL_GROUP_GONE;
    pool_free(told);
  }
}

static void test_group_step__a_get_that_was_begun_keeps_its_key(void **state)
{
  (void)state;
  int64_t lease, ticket, due_ns;
  pool_group_t *group = start(5, "process:keeps?limit=1");
  pool_step_t step = POOL_STEP_INIT;
  pool_t *one = busy_pool(group, "one", false, &lease), *two = busy_pool(group, "two", true, &ticket), *told = NULL;
  for (int news; (news = pool_group_step_next(group, &told, &due_ns)) != 0;)
    pool_free(told); /* of the tries before */
  await_gone(group, 3, one, two);
  assert_int_equal(pool_step_cancel(ticket, &step), 0);
  await_news_of(group, two, POOL_GROUP_GONE);
  assert_int_equal(pool_step_end(lease, &step), 0);
  pool_group_close(group, 0);
  close_all(one);
  pool_free(one);
  pool_free(two);
  pool_group_free(group);
}

static void test_group_step__a_key_whose_pool_is_closed_is_made_anew(void **state)
{
  (void)state;
  pool_group_t *group = start(-1, NULL);
  pool_t *pool = pool_of(group, "one"), *told = NULL;
  pool_lease_t lease = get(pool);
  pool_step_t step = POOL_STEP_INIT;
  int64_t due_ns;
  assert_int_equal(pool_close(pool, 0), 1);
  pool_t *next = pool_of(group, "one");
  assert_ptr_not_equal(next, pool);
  assert_int_equal(pool_group_step_next(group, &told, &due_ns), POOL_GROUP_GONE);
  assert_ptr_equal(told, pool);
  pool_free(told);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  pool_free(pool);
  pool_free(next);
  pool_group_free(group);
}

/* Ends the key, hears of that, and has others made in whatever memory that leaves. */
static int end(void *user, const void *key, size_t size, pool_t *pool)
{
  static const char others[][4] = {"two", "six", "ten"};
  pool_group_t *group = user;
  pool_t *told = NULL;
  int64_t due_ns;
  assert_int_equal(pool_close(pool, 0), 0);
  pool_t *next = pool_of(group, "one");
  assert_int_equal(pool_group_step_next(group, &told, &due_ns), POOL_GROUP_GONE);
  assert_ptr_equal(told, pool);
  pool_free(told);
  for (int i = 0; i < 3; i++)
    pool_free(pool_of(group, others[i]));
  assert_int_equal(size, 3);
  assert_memory_equal(key, "one", 3);
  pool_free(next);
  return 0;
}

static void test_group_step__a_key_that_ends_in_a_list_is_there_until_its_turn_is_over(void **state)
{
  (void)state;
  pool_group_t *group = start(-1, NULL);
  pool_free(pool_of(group, "one"));
  assert_int_equal(pool_group_keys(group, end, group), 1);
  pool_group_free(group);
}

static void test_group_step__at_max_keys_one_that_is_not_used_makes_room(void **state)
{
  (void)state;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  config.max_keys = 2;
  pool_group_t *group = start_with(config, (pool_config_t)POOL_CONFIG_INIT);
  pool_t *one = pool_of(group, "one"), *two = pool_of(group, "two"), *refused = NULL, *told = NULL;
  pool_lease_t lease = get(one);
  pool_step_t step = POOL_STEP_INIT;
  int64_t due_ns;
  pool_t *three = pool_of(group, "three");
  assert_int_equal(pool_step_begin(two, 0, 0, &step), POOL_E_CLOSED);
  assert_int_equal(pool_group_step_next(group, &told, &due_ns), POOL_GROUP_GONE);
  assert_ptr_equal(told, two);
  pool_free(told);
  pool_lease_t other = get(three);
  assert_int_equal(pool_group_step_pool(group, "four", 4, NULL, &refused, NULL), POOL_E_OVERLOAD);
  assert_non_null(strstr(last_message(), "shop/four: the group has max_keys, 2"));
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(pool_step_end(other, &step), 0);
  pool_group_close(group, 0);
  close_all(one);
  close_all(three);
  pool_free(one);
  pool_free(two);
  pool_free(three);
  pool_group_free(group);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { PASSING = 5000 };
#else
enum { PASSING = 100000 };
#endif

static void test_group_step__nothing_is_left_of_keys_that_pass_through(void **state)
{
  (void)state;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  config.max_keys = 10;
  pool_group_t *group = start_with(config, (pool_config_t)POOL_CONFIG_INIT);
  pool_t *told = NULL;
  int64_t due_ns;
  int gone = 0;
  for (int i = 0; i < PASSING; i++) {
    char key[24];
    snprintf(key, sizeof key, "key%d", i);
    pool_free(pool_of(group, key));
    for (; pool_group_step_next(group, &told, &due_ns) == POOL_GROUP_GONE; gone++)
      pool_free(told);
  }
  assert_int_equal(sums_of(group).keys, 10);
  assert_int_equal(gone, PASSING - 10);
  pool_group_free(group);
}

/* ---- what others do to a pool ---- */

static void test_group_step__the_program_hears_which_pool_has_to_close_and_which_may_open(void **state)
{
  (void)state;
  pool_group_t *group = start(-1, "process:hears?limit=1");
  pool_t *one = pool_of(group, "one"), *two = pool_of(group, "two");
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_end(get(one), &step), 0);
  assert_int_equal(pool_event_fd(one), POOL_E_UNSUPPORTED);
  struct pollfd look = {.fd = pool_group_event_fd(group), .events = POLLIN};
  for (uint64_t rings; poll(&look, 1, 0) == 1;) /* of what was before */
    assert_int_equal(read(look.fd, &rings, sizeof rings), sizeof rings);
  assert_int_equal(pool_step_begin(two, -1, 0, &step), 0);
  int64_t ticket = step.ticket;
  assert_true(ticket > 0);
  assert_int_equal(poll(&look, 1, (int)(LONG_NS / 1000000)), 1);
  do { /* it need not be idle any more: only the program can close it */
    await_news_of(group, one, POOL_GROUP_STEERED);
    close_all(one);
  } while (stats_of(one).open > 0);
  pool_step_t next = POOL_STEP_INIT;
  for (step.work = POOL_WORK_NONE; step.work != POOL_WORK_OPEN;) {
    await_news_of(group, two, POOL_GROUP_STEERED);
    close_all(two);
    assert_int_equal(pool_step_begin(two, -1, ticket, &step), 0);
  }
  pool_lease_t lease = pool_step_done(step.claim, NULL, &ticket, &next);
  assert_true(lease > 0);
  assert_int_equal(pool_step_end(lease, &step), 0);
  pool_group_close(group, 0);
  close_all(two);
  pool_free(one);
  pool_free(two);
  pool_group_free(group);
}

static void test_group_step__a_pool_that_left_is_not_told_of(void **state)
{
  (void)state;
  pool_group_t *group = start(-1, "process:left?limit=1");
  pool_t *one = pool_of(group, "one"), *two = pool_of(group, "two"), *told = NULL;
  pool_step_t step = POOL_STEP_INIT, other = POOL_STEP_INIT;
  int64_t due_ns;
  pool_lease_t lease = get(one);
  assert_int_equal(pool_step_begin(two, -1, 0, &step), 0);
  struct pollfd look = {.fd = pool_group_event_fd(group), .events = POLLIN};
  assert_int_equal(poll(&look, 1, (int)(LONG_NS / 1000000)), 1); /* perhaps already of these two */
  pool_close(one, 0);
  pool_close(two, 0);
  pool_t *again = pool_of(group, "one"), *new_two = pool_of(group, "two");
  for (int news; (news = pool_group_step_next(group, &told, &due_ns)) != 0; pool_free(told))
    assert_true(news == POOL_GROUP_GONE || (told != one && told != two));
  assert_true(pool_step_begin(two, -1, step.ticket, &other) == POOL_E_CLOSED);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  pool_free(one);
  pool_free(two);
  pool_free(again);
  pool_free(new_two);
  pool_group_free(group);
}

/* ---- the end of a group, and forks ---- */

static void test_group_step__a_closed_one_makes_no_pool_and_those_that_are_out_may_come_back(void **state)
{
  (void)state;
  pool_group_t *group = start(-1, NULL);
  pool_t *pool = pool_of(group, "one"), *none = NULL;
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t lease = get(pool);
  assert_int_equal(pool_group_close(group, 0), 1);
  assert_int_equal(pool_group_step_pool(group, "one", 3, NULL, &none, NULL), POOL_E_CLOSED);
  assert_string_equal(last_message(), "shop/one: the group is closed");
  assert_nothing_new(group);
  pool_group_free(group);
  assert_int_equal(pool_step_end(lease, &step), 0);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  pool_free(pool);
}

static int in_child(pool_group_t *group, pool_t *pool, int fd)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_t *told = NULL;
  must(pool_group_event_fd(group) == fd);
  must(fcntl(fd, F_GETFD) >= 0);
  pool_t *same = NULL;
  must(pool_group_step_pool(group, "one", 3, NULL, &same, NULL) == 0 && same == pool);
  pool_free(same);
  must(pool_step_begin(pool, 0, 0, &step) == 0 && step.work == POOL_WORK_OPEN);
  must(pool_step_done(step.claim, &(pool_error_t){.size = sizeof(pool_error_t), .code = POOL_E_OPEN}, NULL, &step) < 0);
  int64_t due_ns;
  must_soon(pool_group_step_next(group, &told, &due_ns) == POOL_GROUP_GONE && told == pool);
  pool_free(told);
  pool_free(pool);
  pool_group_free(group);
  return 0;
}

static void test_group_step__a_child_of_fork_has_the_same_keys_and_a_descriptor_of_its_own(void **state)
{
  (void)state;
  pool_group_t *group = start(30, NULL);
  pool_t *pool = pool_of(group, "one");
  int fd = pool_group_event_fd(group), status = 0;
  pid_t child = fork();
  if (child == 0)
    _exit(in_child(group, pool, fd));
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  await_news_of(group, pool, POOL_GROUP_GONE);
  pool_free(pool);
  pool_group_free(group);
}

/* ---- many threads ---- */

enum { THREADS = 4, KEYS = 5, ROUNDS = 400 };

static pool_group_t *shared;

/* As a binding does: a get that finds its pool closed asks the group again. */
static void *get_and_put_often(void *seed)
{
  uint64_t random = (uint64_t)(uintptr_t)seed;
  for (int i = 0; i < ROUNDS; i++) {
    char key[2] = {(char)('a' + random_next(&random) % KEYS), 0};
    pool_step_t step = POOL_STEP_INIT;
    pool_lease_t lease = POOL_E_CLOSED;
    while (lease == POOL_E_CLOSED) {
      pool_t *pool = NULL;
      must(pool_group_step_pool(shared, key, 1, NULL, &pool, NULL) == 0);
      lease = pool_step_begin(pool, 0, 0, &step);
      if (lease == 0 && step.work == POOL_WORK_OPEN)
        lease = pool_step_done(step.claim, NULL, seed, &step);
      pool_free(pool);
    }
    must(lease > 0);
    pool_mark_unusable(lease);
    must(pool_step_end(lease, &step) == 0 && step.work == POOL_WORK_CLOSE);
    must(pool_step_done(step.claim, NULL, NULL, &step) == 0);
  }
  return NULL;
}

static void test_group_step__a_get_races_with_letting_go_and_never_fails(void **state)
{
  (void)state;
  pthread_t threads[THREADS];
  pool_t *told = NULL;
  int64_t due_ns, gone = 0;
  shared = start(1, NULL);
  for (intptr_t i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, get_and_put_often, (void *)(i + 1)), 0);
  for (int i = 0; i < 20000 || gone == 0; i++)
    if (pool_group_step_next(shared, &told, &due_ns) == POOL_GROUP_GONE) {
      gone++;
      assert_int_equal(pool_close(told, 0), 0);
      pool_free(told);
    }
  for (int i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  pool_group_stats_t sums = sums_of(shared);
  assert_int_equal(sums.open, 0);
  assert_int_equal(sums.made - sums.let_go, sums.keys);
  pool_group_free(shared);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_group_step__a_child_of_fork_has_the_same_keys_and_a_descriptor_of_its_own),
      cmocka_unit_test(test_group_step__each_key_has_a_pool_with_its_name),
      cmocka_unit_test(test_group_step__a_key_may_have_settings_of_its_own),
      cmocka_unit_test(test_group_step__what_is_set_wrong_is_refused_at_once),
      cmocka_unit_test(test_group_step__a_key_without_connections_is_let_go_of_though_the_program_has_its_pool),
      cmocka_unit_test(test_group_step__a_get_that_was_begun_keeps_its_key),
      cmocka_unit_test(test_group_step__a_key_whose_pool_is_closed_is_made_anew),
      cmocka_unit_test(test_group_step__a_key_that_ends_in_a_list_is_there_until_its_turn_is_over),
      cmocka_unit_test(test_group_step__at_max_keys_one_that_is_not_used_makes_room),
      cmocka_unit_test(test_group_step__nothing_is_left_of_keys_that_pass_through),
      cmocka_unit_test(test_group_step__the_program_hears_which_pool_has_to_close_and_which_may_open),
      cmocka_unit_test(test_group_step__a_pool_that_left_is_not_told_of),
      cmocka_unit_test(test_group_step__a_closed_one_makes_no_pool_and_those_that_are_out_may_come_back),
      cmocka_unit_test(test_group_step__a_get_races_with_letting_go_and_never_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
