/* SPDX-License-Identifier: MIT */
/*
 * Threads with the smallest stack that there is may use the library.
 *
 * Each function runs in a thread whose stack is filled with a pattern before; what is no longer the pattern afterwards
 * was used, by the C library's own start of a thread as well.
 */
#include "support.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <pool/driver.h>

enum { SIZE = 1 << 20, PATTERN = 0xa5 };

/* What a thread may be given; where the C library's least depends on the processor, 16 KiB. */
enum { SMALL = 16384 };

static struct fake fake;
static pool_t *pool;

static size_t used_by(void *(*main)(void *))
{
  pthread_attr_t attributes;
  pthread_t thread;
  unsigned char *stack = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(stack != MAP_FAILED);
  memset(stack, PATTERN, SIZE);
  pthread_attr_init(&attributes);
  assert_int_equal(pthread_attr_setstack(&attributes, stack, SIZE), 0);
  assert_int_equal(pthread_create(&thread, &attributes, main, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  pthread_attr_destroy(&attributes);
  size_t untouched = 0;
  while (untouched < SIZE && stack[untouched] == PATTERN)
    untouched++;
  munmap(stack, SIZE);
  return SIZE - untouched;
}

static void *nothing(void *data)
{
  return data;
}

static void *create_and_free(void *data)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = fake_vtable();
  pool_t *made;
  config.initial = 2;
  must(pool_create(&config, &vtable, &fake, &made, NULL) == 0);
  must(pool_close(made, -1) == 0);
  pool_free(made);
  return data;
}

static void *create_in_vain(void *data)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = fake_vtable();
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *made;
  fake.good_opens = 0;
  fake.fail_open = 1;
  config.initial = 1;
  must(pool_create(&config, &vtable, &fake, &made, &error) == POOL_E_OPEN);
  return data;
}

static void *create_driver(void *data)
{
  pool_t *made;
  pool_error_t error = POOL_ERROR_INIT;
  must(pool_create_driver(NULL, "jsonrpc", "127.0.0.1:1", &made, &error) == 0);
  must(pool_get_for(made, 1000) == POOL_E_OPEN);
  must(pool_close(made, -1) == 0);
  pool_free(made);
  return data;
}

static void *create_no_driver(void *data)
{
  pool_t *made;
  pool_error_t error = POOL_ERROR_INIT;
  must(pool_create_driver(NULL, "nosuch", "nowhere", &made, &error) == POOL_E_DRIVER);
  return data;
}

static void *get_and_put(void *data)
{
  pool_lease_t got = pool_get(pool);
  must(got > 0);
  must(pool_tag(got, "a tag") == 0);
  must(pool_put(got) == 0);
  return data;
}

static void *get_in_vain(void *data)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t all[4];
  for (int i = 0; i < 4; i++)
    must((all[i] = pool_get(pool)) > 0);
  must(pool_get_for(pool, 1) == POOL_E_TIMEOUT);
  must(pool_failure(&error) == POOL_E_TIMEOUT);
  for (int i = 0; i < 4; i++)
    must((i % 2 ? pool_mark_unusable(all[i]) : 0) == 0 && pool_put(all[i]) == 0);
  return data;
}

static void *fail_to_open(void *data)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_flush(pool);
  fake.good_opens = 0;
  fake.fail_open = 1;
  must(pool_get_for(pool, 1000) == POOL_E_OPEN);
  must(pool_failure(&error) == POOL_E_OPEN);
  return data;
}

static void *report(void *data)
{
  static const int32_t formats[] = {POOL_FORMAT_TEXT, POOL_FORMAT_JSON, POOL_FORMAT_PROMETHEUS};
  for (int i = 0; i < 3; i++) {
    pool_bytes_t text = {NULL, 0};
    must(pool_report(pool, formats[i], &text) == 0);
    pool_bytes_free(&text);
    must(pool_report(NULL, formats[i], &text) == 0);
    pool_bytes_free(&text);
  }
  pool_stats_t stats = POOL_STATS_INIT;
  must(pool_stats(pool, &stats) == 0);
  return data;
}

static void *control(void *data)
{
  pool_resize(pool, 3);
  pool_pause(pool);
  pool_resume(pool);
  pool_flush(pool);
  pool_maintain(pool);
  pool_resize(pool, 4);
  return data;
}

static _Atomic bool told;

static void got(void *user, pool_lease_t result)
{
  (void)user;
  must(pool_put(result) == 0);
  told = true;
}

static void *get_async(void *data)
{
  told = false;
  must(pool_get_async(pool, -1, got, NULL) > 0);
  must_soon(told);
  return data;
}

static void ignore_event(void *user, const pool_event_t *event)
{
  (void)user, (void)event;
}

static void ignore_line(void *user, int32_t level, const char *line)
{
  (void)user, (void)level, (void)line;
}

static void test_stack__the_smallest_is_enough(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    void *(*main)(void *);
  } functions[] = {
      {"nothing", nothing},
      {"pool_create", create_and_free},
      {"pool_create that fails", create_in_vain},
      {"pool_get", get_and_put},
      {"pool_get that fails", get_in_vain},
      {"pool_get whose open fails", fail_to_open},
      {"pool_report", report},
      {"pool_resize", control},
      {"pool_get_async", get_async},
      {"pool_create_driver without a driver", create_no_driver},
      {"pool_create_driver", create_driver},
  };
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = fake_vtable();
  fake_init(&fake);
  config.max_open = 4;
  config.retry_min_ms = 1;
  config.breaker_after = 1;
  config.leak_after_ms = 60000;
  config.events = ignore_event;
  config.log = ignore_line;
  vtable.check = fake_check;
  vtable.reset = fake_reset;
  pool = fake_pool(&fake, &config, &vtable);
  int too_much = 0;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    size_t used = used_by(functions[i].main);
    print_message("%-36s %6zu bytes\n", functions[i].name, used);
    too_much += used > SMALL;
  }
  assert_int_equal(too_much, 0);
  fake_finish(&fake, pool);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_stack__the_smallest_is_enough)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
