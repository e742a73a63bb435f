/* SPDX-License-Identifier: MIT */
/* Groups: pools by key, which share a budget. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/budget.h>
#include <pool/group.h>

#include "witness.h"

static struct fake server;
static pool_vtable_t vtable;

static pool_group_t *start_with(const pool_group_config_t *like, const char *budget)
{
  pool_config_t settings = like->settings ? *like->settings : (pool_config_t)POOL_CONFIG_INIT;
  pool_group_config_t config = *like;
  pool_group_t *group = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  fake_init(&server);
  vtable = fake_vtable();
  settings.name = "shop";
  settings.budget = budget;
  config.settings = &settings;
  config.vtable = config.vtable ? config.vtable : &vtable;
  config.context = &server;
  if (pool_group_create(&config, &group, &error))
    fail_msg("%s", error.message);
  return group;
}

static pool_group_t *start(const char *budget)
{
  return start_with(&(pool_group_config_t)POOL_GROUP_CONFIG_INIT, budget);
}

static void finish(pool_group_t *group)
{
  assert_int_equal(pool_group_close(group, 10000), 0);
  pool_group_free(group);
  wait_until(server.open_now == 0);
  assert_int_equal(server.misuse, 0);
}

static pool_lease_t get(pool_group_t *group, const char *key)
{
  pool_lease_t lease = pool_group_get(group, key, strlen(key), 60000);
  assert_true(lease > 0);
  return lease;
}

static void get_and_put(pool_group_t *group, const char *key)
{
  assert_int_equal(pool_put(get(group, key)), 0);
}

static pool_group_stats_t sums_of(pool_group_t *group)
{
  pool_group_stats_t stats = POOL_GROUP_STATS_INIT;
  assert_int_equal(pool_group_stats(group, &stats), 0);
  return stats;
}

static const char *last_message(void)
{
  static _Thread_local pool_error_t error;
  error = (pool_error_t)POOL_ERROR_INIT;
  pool_failure(&error);
  return error.message;
}

#define assert_says(text)                                                                                              \
  do                                                                                                                   \
    if (!strstr(last_message(), text))                                                                                 \
      fail_msg("%s", last_message());                                                                                  \
  while (0)

/* ---- keys ---- */

static void test_group__each_key_has_a_pool_of_its_own(void **state)
{
  (void)state;
  pool_group_t *group = start("");
  pool_lease_t one = get(group, "one"), two = get(group, "two");
  int first = fake_number(one), second = fake_number(two);
  assert_int_equal(pool_put(one), 0);
  assert_int_equal(pool_put(two), 0);
  two = get(group, "two");
  one = get(group, "one");
  assert_int_equal(fake_number(one), first);
  assert_int_equal(fake_number(two), second);
  pool_group_stats_t sums = sums_of(group);
  assert_int_equal(sums.keys, 2);
  assert_int_equal(sums.made, 2);
  assert_int_equal(sums.leased, 2);
  assert_int_equal(sums.open, 2);
  assert_int_equal(pool_put(one), 0);
  assert_int_equal(pool_put(two), 0);
  assert_int_equal(sums_of(group).idle, 2);
  finish(group);
}

struct seen {
  int count, stops_after;
  char names[8][300];
  size_t sizes[8];
};

static int see(void *user, const void *key, size_t size, pool_t *pool)
{
  struct seen *seen = user;
  pool_bytes_t why = {0};
  assert_int_equal(pool_health(pool, 1000, &why), 0);
  pool_bytes_free(&why);
  memcpy(seen->names[seen->count], key, size);
  seen->sizes[seen->count++] = size;
  return seen->count == seen->stops_after ? 7 : 0;
}

static void test_group__a_key_is_any_bytes(void **state)
{
  (void)state;
  static const char keys[][4] = {"a\0b", "a\0c", "a", "\n\xff"};
  static const size_t sizes[] = {3, 3, 1, 2};
  struct seen seen = {0};
  pool_group_t *group = start("");
  for (int i = 0; i < 4; i++)
    assert_int_equal(pool_put(pool_group_get(group, keys[i], sizes[i], 1000)), 0);
  assert_int_equal(pool_group_keys(group, see, &seen), 4);
  for (int i = 0; i < 4; i++) {
    bool found = false;
    for (int k = 0; k < 4; k++)
      found = found || (seen.sizes[k] == sizes[i] && memcmp(seen.names[k], keys[i], sizes[i]) == 0);
    assert_true(found);
  }
  seen = (struct seen){.stops_after = 2};
  assert_int_equal(pool_group_keys(group, see, &seen), 7);
  finish(group);
}

/* Ends a key by closing its pool, and has others made in whatever memory that leaves. */
static int end(void *user, const void *key, size_t size, pool_t *pool)
{
  char same[8], other[8];
  pool_group_t *group = user;
  assert_int_equal(size, 3);
  memcpy(same, key, size);
  assert_int_equal(pool_close(pool, 0), 0);
  assert_int_equal(pool_put(pool_group_get(group, same, size, 1000)), 0);
  for (int i = 0; i < 10; i++) {
    snprintf(other, sizeof other, "%c%02d", same[0], i);
    get_and_put(group, other);
  }
  assert_memory_equal(key, same, size);
  return 0;
}

static void test_group__a_key_that_ends_in_a_list_is_there_until_its_turn_is_over(void **state)
{
  (void)state;
  pool_group_t *group = start("");
  get_and_put(group, "one");
  get_and_put(group, "two");
  assert_int_equal(pool_group_keys(group, end, group), 2);
  assert_int_equal(sums_of(group).keys, 22);
  finish(group);
}

static void test_group__a_wrong_key_is_refused_with_a_reason(void **state)
{
  (void)state;
  char key[POOL_GROUP_KEY_MOST + 1];
  memset(key, 'k', sizeof key);
  pool_group_t *group = start("");
  assert_int_equal(pool_group_get(group, key, 0, 0), POOL_E_INVALID);
  assert_says("shop: a key has 1 to 255 bytes, not 0");
  assert_int_equal(pool_group_get(group, key, sizeof key, 0), POOL_E_INVALID);
  assert_says("take a shorter one, or a digest of it");
  assert_int_equal(pool_group_get(group, "k", 1, -2), POOL_E_INVALID);
  assert_int_equal(pool_put(pool_group_get(group, key, POOL_GROUP_KEY_MOST, 0)), 0);
  assert_int_equal(sums_of(group).keys, 1);
  finish(group);
}

static void test_group__messages_name_the_group_and_the_key(void **state)
{
  (void)state;
  pool_config_t settings = POOL_CONFIG_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  settings.max_open = 1;
  config.settings = &settings;
  pool_group_t *group = start_with(&config, "");
  pool_lease_t lease = get(group, "acme");
  assert_int_equal(pool_group_get(group, "acme", 4, 10), POOL_E_TIMEOUT);
  assert_says("shop/acme: ");
  assert_int_equal(pool_put(lease), 0);
  server.fail_open = 1;
  assert_int_equal(pool_group_get(group, "other\nkey", 9, 1000), POOL_E_OPEN);
  assert_says("shop/other?key: ");
  finish(group);
}

/* ---- settings ---- */

static int of_nothing(void *context, const void *key, size_t size, pool_config_t *settings, pool_vtable_t *callbacks,
                      void **key_context, pool_error_t *error)
{
  (void)context, (void)key, (void)size, (void)settings, (void)callbacks, (void)key_context, (void)error;
  return 0;
}

static void test_group__what_is_set_wrong_is_refused_at_once(void **state)
{
  (void)state;
  pool_group_t *group = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  pool_config_t settings = POOL_CONFIG_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  settings.name = "shop";
  config.settings = &settings;
#define REFUSED(expected, text)                                                                                        \
  do {                                                                                                                 \
    assert_int_equal(pool_group_create(&config, &group, &error), expected);                                            \
    if (!strstr(error.message, text))                                                                                  \
      fail_msg("%s", error.message);                                                                                   \
  } while (0)
  REFUSED(POOL_E_VTABLE, "shop: the vtable is NULL");
  vtable = fake_vtable();
  config.vtable = &vtable;
  config.max_keys = 0;
  REFUSED(POOL_E_INVALID, "max_keys is 0; it must be from 1 to 1000000");
  config.max_keys = 5;
  config.reserved = 1;
  REFUSED(POOL_E_NEWER, "a struct sets members that this version of the library does not know");
  config.reserved = 0;
  config.key_idle_ms = 0;
  REFUSED(POOL_E_INVALID, "key_idle_ms is 0; it must be from 1 to a year, or -1 (never)");
  config.key_idle_ms = -1;
  settings.min_idle = -7;
  REFUSED(POOL_E_INVALID, "min_idle");
  settings.min_idle = 0;
  settings.budget = "process:shop";
  REFUSED(POOL_E_INVALID, "shop: the budget 'shop' has no limit");
  settings.budget = "fleet://user:secret@host/shop?limit=5";
  REFUSED(POOL_E_DRIVER, "no budget is kept by 'fleet:'");
  assert_null(strstr(error.message, "secret"));
  settings.budget = NULL;
  settings.check_after_ms = 5;
  REFUSED(POOL_E_INVALID, "check_after_ms is set, but the vtable has no check");
  settings.check_after_ms = -1;
  vtable.release = fake_release;
  REFUSED(POOL_E_INVALID, "no prepare that gives each pool a context of its own");
  assert_null(group);
  config.prepare = of_nothing;
  config.vtable = NULL; /* what prepare leaves out is said when a key is asked for */
  assert_int_equal(pool_group_create(&config, &group, &error), 0);
  assert_int_equal(pool_group_get(group, "k", 1, 0), POOL_E_VTABLE);
  assert_says("shop/k: the vtable has no open");
  assert_int_equal(sums_of(group).keys, 0);
  pool_group_free(group);
  pool_group_free(NULL);
}

/* ---- what is special to a key ---- */

static struct {
  _Atomic int prepared, released, fails;
  struct gate gate;
} tenants;

struct tenant {
  char name[16];
};

static int tenant_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  *conn = strdup(((struct tenant *)context)->name);
  server.open_now++;
  return 0;
}

static int tenant_close(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)error;
  free(conn);
  server.open_now--;
  return 0;
}

static void tenant_release(void *context)
{
  free(context);
  tenants.released++;
}

static int of_tenant(void *context, const void *key, size_t size, pool_config_t *settings, pool_vtable_t *callbacks,
                     void **key_context, pool_error_t *error)
{
  must(context == &server && *key_context == &server && strcmp(settings->name, "shop/acme") == 0);
  tenants.prepared++;
  gate_pass(&tenants.gate);
  if (tenants.fails > 0) {
    tenants.fails--;
    snprintf(error->message, sizeof error->message, "no such tenant");
    return POOL_E_INVALID;
  }
  struct tenant *tenant = calloc(1, sizeof *tenant);
  memcpy(tenant->name, key, size);
  settings->max_open = 1;
  callbacks->open = tenant_open;
  callbacks->close = tenant_close;
  callbacks->release = tenant_release;
  *key_context = tenant;
  return 0;
}

static pool_group_t *start_tenants(const char *budget, int64_t key_idle_ms)
{
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  tenants.prepared = tenants.released = tenants.fails = 0;
  gate_init(&tenants.gate, true);
  config.prepare = of_tenant;
  config.key_idle_ms = key_idle_ms;
  return start_with(&config, budget);
}

static void test_group__prepare_says_what_is_special_to_a_key(void **state)
{
  (void)state;
  pool_group_t *group = start_tenants("process:tenants?limit=4", -1);
  pool_lease_t lease = get(group, "acme");
  assert_string_equal(pool_conn(lease), "acme");
  assert_int_equal(pool_group_get(group, "acme", 4, 0), POOL_E_TIMEOUT); /* its max_open is 1 */
  assert_int_equal(pool_put(lease), 0);
  finish(group);
  assert_int_equal(tenants.prepared, 1);
  wait_until(tenants.released == 1);
}

static int64_t open_until_ns;

/* No server is there, so an open lasts until its deadline. */
static int open_late(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  open_until_ns = deadline_ns;
  return POOL_E_TIMEOUT;
}

static int of_the_slow(void *context, const void *key, size_t size, pool_config_t *settings, pool_vtable_t *callbacks,
                       void **key_context, pool_error_t *error)
{
  (void)context, (void)key, (void)size, (void)settings, (void)key_context, (void)error;
  callbacks->open = open_late;
  for (int64_t began_ns = now_ns(); now_ns() - began_ns < 2000000;)
    pause_briefly();
  return 0;
}

static void test_group__a_get_whose_time_went_by_in_prepare_has_none_left_to_open(void **state)
{
  (void)state;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  config.prepare = of_the_slow;
  pool_group_t *group = start_with(&config, "");
  assert_int_equal(pool_group_get(group, "acme", 4, 1), POOL_E_TIMEOUT);
  assert_true(open_until_ns <= now_ns() + 1000000); /* and not get_timeout_ms */
  finish(group);
}

struct caller {
  pool_group_t *group;
  pool_lease_t result;
  char message[240];
};

static void *call(void *data)
{
  struct caller *caller = data;
  caller->result = pool_group_get(caller->group, "acme", 4, 60000);
  if (caller->result > 0)
    must(pool_put(caller->result) == 0);
  else
    snprintf(caller->message, sizeof caller->message, "%s", last_message());
  return NULL;
}

enum { CALLERS = 4 };

/* The first makes the pool and is held up in prepare; the others wait for it. */
static void call_together(struct caller *callers, pthread_t *threads, pool_group_t *group)
{
  gate_set(&tenants.gate, false);
  for (int i = 0; i < CALLERS; i++) {
    callers[i] = (struct caller){.group = group};
    threads[i] = i ? thread_start(call, &callers[i]) : thread_hold_up(&tenants.gate, call, &callers[i]);
  }
  assert_int_equal(pool_group_get(group, "acme", 4, 5), POOL_E_TIMEOUT);
  assert_says("shop/acme: another thread was still making the pool of this key");
  gate_set(&tenants.gate, true);
  threads_end(threads, CALLERS);
}

static void test_group__one_thread_makes_the_pool_of_a_key(void **state)
{
  (void)state;
  struct caller callers[CALLERS];
  pthread_t threads[CALLERS];
  pool_group_t *group = start_tenants("", -1);
  call_together(callers, threads, group);
  for (int i = 0; i < CALLERS; i++)
    assert_true(callers[i].result > 0);
  assert_int_equal(tenants.prepared, 1);
  finish(group);
}

static void test_group__where_prepare_fails_all_hear_why_and_the_next_tries_anew(void **state)
{
  (void)state;
  struct caller callers[CALLERS];
  pthread_t threads[CALLERS];
  pool_group_t *group = start_tenants("", -1);
  tenants.fails = 1 + CALLERS; /* one that comes late tries for itself */
  call_together(callers, threads, group);
  for (int i = 0; i < CALLERS; i++) {
    assert_int_equal(callers[i].result, POOL_E_INVALID);
    assert_string_equal(callers[i].message, "shop/acme: no such tenant");
  }
  assert_int_equal(sums_of(group).keys, 0);
  tenants.fails = 0;
  get_and_put(group, "acme");
  finish(group);
}

static pool_group_t *own;

static int of_itself(void *context, const void *key, size_t size, pool_config_t *settings, pool_vtable_t *callbacks,
                     void **key_context, pool_error_t *error)
{
  (void)context, (void)settings, (void)callbacks, (void)key_context;
  error->size = sizeof *error;
  pool_lease_t lease = pool_group_get(own, key, size, 100);
  pool_failure(error);
  return (int)lease;
}

static void test_group__prepare_that_asks_for_its_own_key_is_refused(void **state)
{
  (void)state;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  config.prepare = of_itself;
  own = start_with(&config, "");
  assert_int_equal(pool_group_get(own, "acme", 4, -1), POOL_E_INVALID);
  assert_says("prepare asks its group for the key whose pool it is to prepare");
  finish(own);
}

/* ---- the budget ---- */

static void test_group__idle_connections_are_closed_for_another_key_at_once(void **state)
{
  (void)state;
  enum { KEYS = 60, LIMIT = 5 };
  char key[24];
  pool_group_t *group = start("process:many?limit=5");
  for (int i = 0; i < KEYS; i++) {
    snprintf(key, sizeof key, "tenant%d", i);
    get_and_put(group, key); /* it waits until one of another key was closed */
    assert_true(server.open_now <= LIMIT);
  }
  assert_true(server.closed >= KEYS - LIMIT);
  assert_int_equal(server.most_open, LIMIT);
  assert_int_equal(sums_of(group).keys, KEYS);
  finish(group);
}

static struct getter wait_for(pool_group_t *group, const char *key, struct getter *getter)
{
  pool_t *pool = NULL;
  assert_int_equal(pool_group_pool(group, key, strlen(key), &pool, NULL), 0);
  *getter = (struct getter){.keeps = true};
  getter_queue(getter, pool, -1);
  pool_free(pool); /* the group has it */
  return *getter;
}

static int seek_waiting(void *user, const pool_budget_member_t *member)
{
  *(int *)user += member->waits_ms >= 0;
  return 0;
}

/* What the ledger of a budget of this process has. */
static pool_budget_stats_t ledger_of(const char *url)
{
  pool_budget_stats_t stats = POOL_BUDGET_STATS_INIT;
  pool_budget_t *budget = NULL;
  assert_int_equal(pool_budget_open(url, &budget, NULL), 0);
  assert_int_equal(pool_budget_stats(budget, &stats, NULL), 0);
  pool_budget_close(budget);
  return stats;
}

/* How many members the ledger knows to wait. */
static int known_to_wait(void)
{
  int count = 0;
  pool_budget_t *budget = NULL;
  assert_int_equal(pool_budget_open("process:turns", &budget, NULL), 0);
  assert_true(pool_budget_members(budget, seek_waiting, &count, NULL) >= 0);
  pool_budget_close(budget);
  return count;
}

static void test_group__a_permit_goes_to_the_key_that_has_waited_longest(void **state)
{
  (void)state;
  static const char *const keys[] = {"first", "second", "third"};
  struct getter getters[3];
  pool_group_t *group = start("process:turns?limit=1");
  pool_lease_t lease = get(group, "holder");
  for (int i = 0; i < 3; i++) {
    wait_for(group, keys[i], &getters[i]);
    wait_until(known_to_wait() == i + 1);
  }
  for (int i = 0; i < 3; i++) {
    assert_int_equal(pool_put(lease), 0);
    lease = getter_end(&getters[i]);
    assert_true(lease > 0);
    for (int k = i + 1; k < 3; k++)
      assert_int_equal(getters[k].result, 0);
  }
  assert_int_equal(pool_put(lease), 0);
  finish(group);
}

/* ---- keys that are let go of ---- */

static void test_group__a_key_without_connections_is_let_go_of_after_a_while(void **state)
{
  (void)state;
  pool_config_t settings = POOL_CONFIG_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  config.settings = &settings;
  config.key_idle_ms = 1;
  pool_group_t *group = start_with(&config, "");
  pool_lease_t held = get(group, "held");
  pool_t *pool = NULL;
  assert_int_equal(pool_group_pool(group, "kept", 4, &pool, NULL), 0);
  get_and_put(group, "idle");
  for (int i = 0; i < 3; i++) {
    pool_lease_t lease = get(group, "gone");
    assert_int_equal(pool_mark_unusable(lease), 0);
    assert_int_equal(pool_put(lease), 0);
    int64_t before = sums_of(group).let_go;
    for (; sums_of(group).let_go == before; pause_briefly())
      get_and_put(group, "idle");
  }
  assert_int_equal(sums_of(group).keys, 3); /* these have a connection, a lease or a user */
  assert_int_equal(pool_put(held), 0);
  pool_free(pool);
  finish(group);
}

static void test_group__at_max_keys_one_without_connections_makes_room(void **state)
{
  (void)state;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  config.max_keys = 2;
  config.key_idle_ms = -1;
  pool_group_t *group = start_with(&config, "");
  pool_lease_t one = get(group, "one"), two = get(group, "two");
  assert_int_equal(pool_group_get(group, "three", 5, -1), POOL_E_OVERLOAD);
  assert_says("shop/three: the group has max_keys, 2, each with connections or users; raise max_keys");
  assert_int_equal(sums_of(group).refused, 1);
  assert_int_equal(pool_mark_unusable(two), 0);
  assert_int_equal(pool_put(two), 0);
  get_and_put(group, "three");
  assert_int_equal(pool_group_get(group, "two", 3, -1), POOL_E_OVERLOAD);
  assert_int_equal(pool_put(one), 0);
  assert_int_equal(sums_of(group).let_go, 1);
  finish(group);
}

/* Threads that ask for keys which come and go all the time. */
static void *use_keys(void *group)
{
  uint64_t seed = (uint64_t)now_ns() | 1;
  for (int i = 0; i < 400; i++) {
    char key = (char)('a' + random_next(&seed) % 20);
    pool_lease_t lease = pool_group_get(group, &key, 1, 60000);
    must(lease > 0);
    fake_use(lease);
    if (random_next(&seed) % 2)
      must(pool_mark_unusable(lease) == 0);
    must(pool_put(lease) == 0);
  }
  return NULL;
}

static void test_group__keys_come_and_go_under_many_threads(void **state)
{
  (void)state;
  pthread_t threads[6];
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  config.key_idle_ms = 1;
  config.max_keys = 12; /* six have a lease or a user, and as many may have an idle connection */
  pool_group_t *group = start_with(&config, "process:coming?limit=6");
  threads_start(threads, 6, use_keys, group);
  threads_end(threads, 6);
  assert_true(server.most_open <= 6);
  pool_group_stats_t sums = sums_of(group);
  assert_int_equal(sums.made - sums.let_go, sums.keys);
  assert_true(sums.let_go > 0);
  finish(group);
}

/* ---- the end ---- */

static void test_group__a_closed_one_drains_and_makes_no_pool(void **state)
{
  (void)state;
  pool_group_t *group = start("");
  pool_lease_t one = get(group, "one"), two = get(group, "two");
  get_and_put(group, "three");
  assert_int_equal(pool_group_close(group, 0), 2);
  assert_int_equal(server.open_now, 2);
  assert_int_equal(pool_group_get(group, "one", 3, 0), POOL_E_CLOSED);
  assert_says("shop/one: the group is closed");
  assert_int_equal(pool_group_get(group, "four", 4, 0), POOL_E_CLOSED);
  assert_int_equal(pool_put(one), 0);
  assert_int_equal(pool_group_close(group, 5), 1);
  pool_group_free(group);
  assert_int_equal(pool_put(two), 0); /* late */
  assert_int_equal(server.open_now, 0);
}

static void *close_group(void *group)
{
  return (void *)(intptr_t)pool_group_close(group, 0);
}

static void test_group__a_pool_that_was_being_made_when_it_closed_is_given_up(void **state)
{
  (void)state;
  struct caller caller;
  pool_group_t *group = start_tenants("", -1);
  caller = (struct caller){.group = group};
  gate_set(&tenants.gate, false);
  pthread_t thread = thread_hold_up(&tenants.gate, call, &caller);
  assert_null(close_group(group));
  gate_set(&tenants.gate, true);
  thread_end(thread);
  assert_int_equal(caller.result, POOL_E_CLOSED);
  assert_string_equal(caller.message, "shop/acme: the group is closed");
  wait_until(tenants.released == 1);
  finish(group);
}

/* ---- forks ---- */

static void test_group__a_child_of_fork_has_the_same_keys(void **state)
{
  (void)state;
  int status;
  struct caller caller;
  pool_group_t *group = start_tenants("", -1);
  pool_group_t *plain = start("process:forked?limit=3");
  pool_lease_t lease = get(plain, "one");
  caller = (struct caller){.group = group};
  gate_set(&tenants.gate, false);
  pthread_t thread = thread_hold_up(&tenants.gate, call, &caller);
  pid_t child = fork();
  if (child == 0) {
    gate_init(&tenants.gate, true);
    must(pool_put(lease) == POOL_E_STALE);
    pool_lease_t leases[3];
    for (int i = 0; i < 3; i++)
      must((leases[i] = pool_group_get(plain, &"one two three"[4 * i], 3, 60000)) > 0);
    must((lease = pool_group_get(group, "acme", 4, 60000)) > 0); /* the child makes it itself */
    must(pool_put(lease) == 0);
    for (int i = 0; i < 3; i++)
      must(pool_put(leases[i]) == 0);
    must(pool_group_close(plain, 0) == 0 && pool_group_close(group, 0) == 0);
    pool_group_free(plain);
    pool_group_free(group);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  gate_set(&tenants.gate, true);
  thread_end(thread);
  assert_true(caller.result > 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_group_close(plain, 10000), 0);
  finish(group);
  pool_group_free(plain);
}

/* ---- many ---- */

#ifdef __SANITIZE_ADDRESS__
enum { MANY = 500 };
#elif defined(__SANITIZE_THREAD__)
enum { MANY = 500 };
#else
enum { MANY = 10000 };
#endif

/* What the allocator has given out, in KiB. */
static long allocated(void)
{
#ifdef __GLIBC__
  struct mallinfo2 info = mallinfo2();
  return (long)((info.uordblks + info.hblkhd) / 1024);
#else
  return 0;
#endif
}

static void test_group__ten_thousand_keys_have_bounded_memory_and_no_threads(void **state)
{
  (void)state;
  char key[24];
  pool_config_t settings = POOL_CONFIG_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  settings.idle_timeout_ms = 1000; /* which needs the time to be kept while something is open */
  config.settings = &settings;
  config.key_idle_ms = -1;
  pool_group_t *group = start_with(&config, "process:crowd?limit=20");
  long before = allocated();
  int threads = thread_count_at_rest();
  for (int i = 0; i < MANY; i++) {
    pool_t *pool = NULL;
    snprintf(key, sizeof key, "key%d", i);
    assert_int_equal(pool_group_pool(group, key, strlen(key), &pool, NULL), 0);
    pool_free(pool);
  }
  long each = (allocated() - before) * 1024 / MANY;
  print_message("%d keys: %ld bytes each\n", MANY, each);
  assert_in_range(each, 0, 16 * 1024);
  int64_t began = now_ns();
  for (int i = 0; i < 100; i++) {
    snprintf(key, sizeof key, "key%d", i * (MANY / 100));
    get_and_put(group, key);
  }
  print_message("%lld us for each of 100 leases, each of another key\n", (long long)(now_ns() - began) / 100000);
  assert_true(server.most_open <= 20);
  wait_until(thread_count() <= threads + 1); /* the budget's */
  wait_until(ledger_of("process:crowd").members <= 20);
  assert_int_equal(sums_of(group).keys, MANY);
  finish(group);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_group__a_child_of_fork_has_the_same_keys), /* first: a fork takes the lock of each pool */
      cmocka_unit_test(test_group__each_key_has_a_pool_of_its_own),
      cmocka_unit_test(test_group__a_key_is_any_bytes),
      cmocka_unit_test(test_group__a_key_that_ends_in_a_list_is_there_until_its_turn_is_over),
      cmocka_unit_test(test_group__a_wrong_key_is_refused_with_a_reason),
      cmocka_unit_test(test_group__messages_name_the_group_and_the_key),
      cmocka_unit_test(test_group__what_is_set_wrong_is_refused_at_once),
      cmocka_unit_test(test_group__prepare_says_what_is_special_to_a_key),
      cmocka_unit_test(test_group__a_get_whose_time_went_by_in_prepare_has_none_left_to_open),
      cmocka_unit_test(test_group__one_thread_makes_the_pool_of_a_key),
      cmocka_unit_test(test_group__where_prepare_fails_all_hear_why_and_the_next_tries_anew),
      cmocka_unit_test(test_group__prepare_that_asks_for_its_own_key_is_refused),
      cmocka_unit_test(test_group__idle_connections_are_closed_for_another_key_at_once),
      cmocka_unit_test(test_group__a_permit_goes_to_the_key_that_has_waited_longest),
      cmocka_unit_test(test_group__a_key_without_connections_is_let_go_of_after_a_while),
      cmocka_unit_test(test_group__at_max_keys_one_without_connections_makes_room),
      cmocka_unit_test(test_group__keys_come_and_go_under_many_threads),
      cmocka_unit_test(test_group__a_closed_one_drains_and_makes_no_pool),
      cmocka_unit_test(test_group__a_pool_that_was_being_made_when_it_closed_is_given_up),
      cmocka_unit_test(test_group__ten_thousand_keys_have_bounded_memory_and_no_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
