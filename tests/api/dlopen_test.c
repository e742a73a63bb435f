/* SPDX-License-Identifier: MIT */
/*
 * Hosts and plugins: the library is loaded and let go in every order that a program with plugins may come up with.
 * This program is not linked with libpool.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pool/api.h>

#include "abi/plugin.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR 1 /* a sanitizer's, which keeps what was freed, and finds leaks itself */
#else
#define OWN_ALLOCATOR 0
#endif

/* What /proc/self/task holds when no other thread is left: two dots, this one, and the thread sanitizer's own. */
#ifdef __SANITIZE_THREAD__
enum { ALONE = 4 };
#else
enum { ALONE = 3 };
#endif

enum { THREADS = 4, ROUNDS = 1000 };

/* The paths of libpool.so, of the plugin that is linked with it and of the one that loads it. */
static const char *library_path, *plugin_paths[2];

/* How many seconds a thing may take that should be done at once. */
static long patience = 60;

/* Goes on when it is true; fails when the patience is at its end. */
#define wait_until(condition)                                                                                          \
  for (time_t began_ = time(NULL); !(condition); sched_yield())                                                        \
    if (time(NULL) - began_ > patience)                                                                                \
      fail_msg("%s:%d: waited in vain for: %s", __FILE__, __LINE__, #condition);

static void *load(const char *path)
{
  void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!object)
    fail_msg("%s", dlerror());
  return object;
}

/* A pointer to data and one to a function have one size wherever there is dlsym. */
static void *find(void *object, const char *name)
{
  void *symbol = dlsym(object, name);
  if (!symbol)
    fail_msg("%s", dlerror());
  return symbol;
}

static const struct plugin *plugin_of(void *object)
{
  plugin_fn *plugin;
  void *symbol = find(object, "plugin");
  memcpy(&plugin, &symbol, sizeof plugin);
  return plugin();
}

static const pool_api_t *api_of(void *library)
{
  pool_get_api_fn *get_api;
  void *symbol = find(library, "pool_get_api");
  memcpy(&get_api, &symbol, sizeof get_api);
  return get_api(POOL_API_VERSION);
}

static bool is_loaded(const char *path)
{
  void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  if (object)
    dlclose(object);
  return object != NULL;
}

/* ---- what a library could leave behind ---- */

static int count_entries(const char *folder)
{
  int count = 0;
  DIR *entries = opendir(folder);
  assert_non_null(entries);
  while (readdir(entries))
    count++;
  closedir(entries);
  return count;
}

static int count_mappings(void)
{
  int count = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  assert_non_null(maps);
  for (int c; (c = getc(maps)) != EOF;)
    count += c == '\n';
  fclose(maps);
  return count;
}

static int count_free_keys(void)
{
  static pthread_key_t keys[PTHREAD_KEYS_MAX];
  int count = 0;
  while (count < PTHREAD_KEYS_MAX && pthread_key_create(&keys[count], NULL) == 0)
    count++;
  for (int i = 0; i < count; i++)
    pthread_key_delete(keys[i]);
  return count;
}

struct traces {
  int descriptors, free_keys, mappings;
  size_t allocated;
};

static struct traces traces_now(void)
{
  return (struct traces){.descriptors = count_entries("/proc/self/fd"),
                         .free_keys = count_free_keys(),
                         .mappings = OWN_ALLOCATOR ? 0 : count_mappings(),
                         .allocated = OWN_ALLOCATOR ? 0 : mallinfo2().uordblks + mallinfo2().hblkhd};
}

/* ---- connections of the host's own ---- */

static _Atomic int opened, closed, checked;

static int host_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  *conn = context;
  opened++;
  return 0;
}

static int host_close(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  closed++;
  return 0;
}

static int host_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns, (void)error;
  checked++;
  return 0;
}

/* With a keeper that checks the idle ones all the time. */
static pool_t *host_pool(const pool_api_t *api)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_t *pool;
  opened = closed = checked = 0;
  config.initial = 2;
  config.keepalive_ms = 1;
  vtable.open = host_open;
  vtable.close = host_close;
  vtable.check = host_check;
  assert_int_equal(api->create(&config, &vtable, &opened, &pool, NULL), 0);
  return pool;
}

static void host_finish(const pool_api_t *api, pool_t *pool)
{
  assert_int_equal(api->close(pool, -1), 0);
  api->free(pool);
  assert_int_equal(opened, closed);
}

/* ---- tests ---- */

static void test_dlopen__an_unknown_version_has_no_table(void **state)
{
  (void)state;
  void *library = load(library_path);
  const pool_api_t *api = api_of(library);
  pool_get_api_fn *get_api;
  void *symbol = find(library, "pool_get_api");
  memcpy(&get_api, &symbol, sizeof get_api);
  assert_int_equal(api->size, sizeof *api);
  assert_ptr_equal(get_api(POOL_API_VERSION), api);
  const uint32_t unknown[] = {0, POOL_API_VERSION + 1, UINT32_MAX};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    pool_error_t error = POOL_ERROR_INIT;
    char expected[40];
    snprintf(expected, sizeof expected, "version %u;", unknown[i]);
    assert_null(get_api(unknown[i]));
    assert_int_equal(api->failure(&error), POOL_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, expected));
  }
  assert_int_equal(dlclose(library), 0);
}

struct job {
  pthread_t thread;
  const struct plugin *plugin;
  int wrong;
};

static void *work(void *data)
{
  struct job *job = data;
  job->wrong = job->plugin->use(ROUNDS);
  return NULL;
}

/* A program that loads the library knows neither its settings nor their defaults. */
static void test_dlopen__settings_are_listed_and_set_by_name(void **state)
{
  (void)state;
  void *library = load(library_path);
  const pool_api_t *api = api_of(library);
  assert_true(POOL_API_HAS(api, setting_init));
  pool_config_t config;
  pool_setting_t setting;
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(api->config_init(&config, sizeof config), 0);
  assert_int_equal(api->setting_init(&setting, sizeof setting), 0);
  int count = api->setting(0, &setting);
  for (int i = 0; i < count; i++) {
    int64_t value = -5;
    assert_int_equal(api->setting(i, &setting), count);
    if (setting.type == POOL_SETTING_TEXT)
      continue;
    assert_int_equal(api->config_get_number(&config, setting.name, &value, &error), 0);
    assert_int_equal(value, setting.standard);
    assert_int_equal(api->config_set_number(&config, setting.name, setting.most, &error), 0);
  }
  assert_int_equal(api->config_set(&config, "max_opne", "1", &error), POOL_E_INVALID);
  assert_string_equal(error.message, "no setting is called \"max_opne\"; did you mean max_open?");
  dlclose(library);
}

static void test_dlopen__two_plugins_pool_at_once(void **state)
{
  (void)state;
  void *objects[2];
  const struct plugin *plugins[2];
  struct job jobs[2 * THREADS];
  for (int i = 0; i < 2; i++) {
    objects[i] = load(plugin_paths[i]);
    plugins[i] = plugin_of(objects[i]);
    assert_int_equal(plugins[i]->begin(), 0);
  }
  assert_null(dlsym(RTLD_DEFAULT, "pool_get"));
  for (int i = 0; i < 2 * THREADS; i++) {
    jobs[i] = (struct job){.plugin = plugins[i % 2]};
    assert_int_equal(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]), 0);
  }
  for (int i = 0; i < 2 * THREADS; i++) {
    assert_int_equal(pthread_join(jobs[i].thread, NULL), 0);
    assert_int_equal(jobs[i].wrong, 0);
  }
  /* Both have the same library, so a lease of one is never a lease of the other. */
  int64_t lease = plugins[0]->take();
  assert_true(plugins[1]->knows(lease));
  assert_int_equal(plugins[1]->give(lease), 0);
  assert_int_equal(plugins[0]->give(lease), POOL_E_STALE);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(plugins[i]->end(), 0);
    assert_int_equal(dlclose(objects[i]), 0);
    assert_false(is_loaded(plugin_paths[i]));
  }
  assert_true(is_loaded(library_path));
}

static void test_dlopen__one_plugin_goes_while_the_other_pools(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    void *staying = load(plugin_paths[i]), *going = load(plugin_paths[!i]);
    struct job job = {.plugin = plugin_of(staying)};
    const struct plugin *other = plugin_of(going);
    assert_int_equal(job.plugin->begin(), 0);
    assert_int_equal(other->begin(), 0);
    assert_int_equal(pthread_create(&job.thread, NULL, work, &job), 0);
    assert_int_equal(other->use(10), 0);
    assert_int_equal(other->end(), 0);
    assert_int_equal(dlclose(going), 0);
    assert_int_equal(pthread_join(job.thread, NULL), 0);
    assert_int_equal(job.wrong, 0);
    int before = job.plugin->checks();
    wait_until(job.plugin->checks() > before + 3);
    assert_int_equal(job.plugin->end(), 0);
    assert_int_equal(dlclose(staying), 0);
  }
}

static void test_dlopen__the_keeper_outlives_dlclose(void **state)
{
  (void)state;
  void *library = load(library_path);
  const pool_api_t *api = api_of(library);
  pool_t *pool = host_pool(api);
  wait_until(checked > 0);
  assert_int_equal(dlclose(library), 0);
  int before = checked;
  wait_until(checked > before + 10);
  pool_lease_t lease = api->get(pool);
  assert_true(lease > 0);
  assert_int_equal(api->put(lease), 0);
  host_finish(api, pool);
}

static void test_dlopen__leases_outlive_dlclose(void **state)
{
  (void)state;
  void *library = load(library_path);
  const pool_api_t *api = api_of(library);
  pool_t *pool = host_pool(api);
  pool_lease_t first = api->get(pool), second = api->get(pool);
  assert_int_equal(dlclose(library), 0);
  assert_ptr_equal(api->conn(first), &opened);
  assert_int_equal(api->put(first), 0);

  library = load(library_path);
  assert_ptr_equal(api_of(library), api);
  assert_int_equal(api->put(second), 0);
  assert_int_equal(api->put(second), POOL_E_STALE);
  assert_int_equal(api->put(first), POOL_E_STALE);
  host_finish(api, pool);
  assert_int_equal(dlclose(library), 0);
}

struct late {
  pthread_t thread;
  const struct plugin *plugin;
  _Atomic bool used, may_exit;
  int wrong;
};

static void *use_and_exit_later(void *data)
{
  struct late *late = data;
  late->wrong = late->plugin->use(200);
  late->used = true;
  while (!late->may_exit)
    sched_yield();
  return NULL;
}

static void test_dlopen__a_thread_may_exit_after_dlclose(void **state)
{
  (void)state;
  for (int i = 0; i < 2; i++) {
    void *object = load(plugin_paths[i]);
    struct late late = {.plugin = plugin_of(object)};
    assert_int_equal(late.plugin->begin(), 0);
    assert_int_equal(pthread_create(&late.thread, NULL, use_and_exit_later, &late), 0);
    wait_until(late.used);
    assert_int_equal(late.plugin->end(), 0);
    assert_int_equal(dlclose(object), 0);
    assert_false(is_loaded(plugin_paths[i]));
    late.may_exit = true;
    assert_int_equal(pthread_join(late.thread, NULL), 0);
    assert_int_equal(late.wrong, 0);
  }
}

static void *dlclose_elsewhere(void *library)
{
  const pool_api_t *api = api_of(library);
  return dlclose(library) == 0 ? (void *)api : NULL;
}

static void test_dlopen__any_thread_may_dlclose(void **state)
{
  (void)state;
  void *library = load(library_path), *its_api;
  const pool_api_t *api = api_of(library);
  pool_t *pool = host_pool(api);
  pool_lease_t lease = api->get(pool);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, dlclose_elsewhere, library), 0);
  assert_int_equal(pthread_join(thread, &its_api), 0);
  assert_ptr_equal(its_api, api);
  assert_int_equal(api->put(lease), 0);
  host_finish(api, pool);
}

static void one_round(int number)
{
  void *object = load(plugin_paths[number % 2]);
  const struct plugin *plugin = plugin_of(object);
  assert_int_equal(plugin->begin(), 0);
  assert_int_equal(plugin->use(2), 0);
  assert_int_equal(plugin->end(), 0);
  assert_int_equal(dlclose(object), 0);
}

/* Threads are waited for, and counted out of a pool, a moment before the system has forgotten them. */
static struct traces traces_after(int rounds)
{
  for (int i = 0; i < rounds; i++)
    one_round(i);
  wait_until(count_entries("/proc/self/task") == ALONE);
  return traces_now();
}

static void test_dlopen__a_thousand_rounds_leave_nothing_behind(void **state)
{
  (void)state;
  /* What is made once, and stays, is made in the first rounds. */
  struct traces before = traces_after(ROUNDS / 10);
  struct traces after = traces_after(ROUNDS);
  assert_int_equal(after.descriptors, before.descriptors);
  assert_int_equal(after.free_keys, before.free_keys);
  /* A stack that the C library keeps for its next thread, or a table that grew once, is not growth. */
  assert_true(after.mappings <= before.mappings + 8);
  assert_true(after.allocated < before.allocated + 4096);
}

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dlopen__an_unknown_version_has_no_table),
      cmocka_unit_test(test_dlopen__settings_are_listed_and_set_by_name),
      cmocka_unit_test(test_dlopen__two_plugins_pool_at_once),
      cmocka_unit_test(test_dlopen__one_plugin_goes_while_the_other_pools),
      cmocka_unit_test(test_dlopen__the_keeper_outlives_dlclose),
      cmocka_unit_test(test_dlopen__leases_outlive_dlclose),
      cmocka_unit_test(test_dlopen__a_thread_may_exit_after_dlclose),
      cmocka_unit_test(test_dlopen__any_thread_may_dlclose),
      cmocka_unit_test(test_dlopen__a_thousand_rounds_leave_nothing_behind),
  };
  if (count < 4 || count > 5) {
    fprintf(stderr, "usage: %s LIBPOOL LINKED_PLUGIN LOADING_PLUGIN [SECONDS]\n", arguments[0]);
    return 2;
  }
  library_path = arguments[1];
  plugin_paths[0] = arguments[2];
  plugin_paths[1] = arguments[3];
  if (count == 5)
    patience = strtol(arguments[4], NULL, 10);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
