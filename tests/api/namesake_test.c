/* SPDX-License-Identifier: MIT */
/*
 * A program that is linked with a library that has a pool_create() and a pool_free() of its own, and uses libpool by
 * the table of pool/api.h.
 *
 * It loads libpool with RTLD_LOCAL, so libpool's names are seen by nobody who did not ask for them, and libpool was
 * linked so that it never asks for them itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <string.h>

#ifdef HAS_LIBSOLV
#include <solv/pool.h>
#else
#include "namesake.h"
#endif

#define POOL_NO_FUNCTIONS /* the types of libpool without its functions */
#include <pool/api.h>

static const char *library_path;
static int opened, closed;

static const pool_api_t *load(void)
{
  pool_get_api_fn *get_api;
  void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
  void *symbol = library ? dlsym(library, "pool_get_api") : NULL;
  if (!symbol)
    fail_msg("%s", dlerror());
  memcpy(&get_api, &symbol, sizeof get_api);
  return get_api(POOL_API_VERSION);
}

static int open_one(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  *conn = &opened;
  opened++;
  return 0;
}

static int close_one(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  closed++;
  return 0;
}

static void use(const pool_api_t *api, pool_t *pool)
{
  pool_lease_t lease = api->get(pool);
  assert_true(lease > 0);
  assert_int_equal(api->put(lease), 0);
  assert_int_equal(api->close(pool, -1), 0);
  api->free(pool);
}

static void test_namesake__both_libraries_work_in_one_program(void **state)
{
  (void)state;
  Pool *theirs = pool_create();
  assert_non_null(theirs);
  const pool_api_t *api = load();
  assert_true((void (*)(void))api->create != (void (*)(void))pool_create);
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = open_one;
  vtable.close = close_one;
  pool_t *ours = NULL;
  assert_int_equal(api->create(NULL, &vtable, NULL, &ours, NULL), 0);
  Pool *later = pool_create();
  use(api, ours);
  assert_int_equal(opened, 1);
  assert_int_equal(closed, 1);
  pool_free(later);
  pool_free(theirs);
}

/* The driver is linked with libpool and asks for its functions by name. */
static void test_namesake__so_do_drivers(void **state)
{
  (void)state;
  const pool_api_t *api = load();
  Pool *theirs = pool_create();
  pool_t *ours = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  if (api->create_driver(NULL, "frozen", "quiet", &ours, &error))
    fail_msg("%s", error.message);
  use(api, ours);
  pool_free(theirs);
}

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_namesake__both_libraries_work_in_one_program),
      cmocka_unit_test(test_namesake__so_do_drivers),
  };
  library_path = count > 1 ? arguments[1] : "";
  return cmocka_run_group_tests(tests, NULL, NULL);
}
