/* SPDX-License-Identifier: MIT */
/* A program with libpool.a inside, which loads libpool.so as well: two libraries that know nothing of each other,
 * though the program's functions have the names of the library's and come first wherever a name is looked up. */
#include "support.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <pool/api.h>

static const char *library_path;

static const pool_api_t *load(void)
{
  pool_get_api_fn *get_api;
  void *library = dlopen(library_path, RTLD_NOW | RTLD_GLOBAL);
  void *symbol = library ? dlsym(library, "pool_get_api") : NULL;
  if (!symbol)
    fail_msg("%s", dlerror());
  memcpy(&get_api, &symbol, sizeof get_api);
  return get_api(POOL_API_VERSION);
}

static pool_t *create(const pool_api_t *api, struct fake *fake)
{
  pool_vtable_t vtable = fake_vtable();
  pool_t *pool;
  fake_init(fake);
  assert_int_equal(api->create(NULL, &vtable, fake, &pool, NULL), 0);
  return pool;
}

static void test_copies__do_not_mix(void **state)
{
  (void)state;
  struct fake fakes[2];
  pool_t *pools[2];
  pool_lease_t leases[2];
  const pool_api_t *apis[2] = {pool_get_api(POOL_API_VERSION), load()};
  pool_lease_t (*visible)(pool_t *);
  void *symbol = dlsym(RTLD_DEFAULT, "pool_get");
  memcpy(&visible, &symbol, sizeof visible);
  assert_true(visible == apis[0]->get);
  assert_true(visible != apis[1]->get);
  for (int i = 0; i < 2; i++) {
    pools[i] = create(apis[i], &fakes[i]);
    leases[i] = apis[i]->get(pools[i]);
    assert_true(leases[i] > 0);
  }
  /* Each counts its slots from the same number, but not its generations, so neither takes the other's lease. */
  for (int i = 0; i < 2; i++) {
    assert_true(leases[i] > 0 && leases[i] < INT64_C(1) << 62);
    assert_int_equal(apis[1 - i]->put(leases[i]), POOL_E_STALE);
    assert_int_equal(apis[1 - i]->mark_unusable(leases[i]), POOL_E_STALE);
    assert_null(apis[1 - i]->conn(leases[i]));
  }
  for (int i = 0; i < 2; i++) {
    struct fake_conn *conn = apis[i]->conn(leases[i]);
    assert_ptr_equal(conn->fake, &fakes[i]);
    assert_int_equal(apis[i]->put(leases[i]), 0);
    /* pool_free() calls pool_close() inside the library. */
    apis[i]->free(pools[i]);
    assert_int_equal(fakes[i].open_now, 0);
    assert_int_equal(fakes[i].closed, 1);
  }
}

/* A process has one socket, so the second copy says that it has none: it does not take that of the first. */
static void test_copies__the_second_does_not_take_the_socket_of_the_first(void **state)
{
  (void)state;
  char folder[] = "/tmp/libpool-copies-XXXXXX", path[100];
  struct stat first, second;
  pool_error_t error = POOL_ERROR_INIT;
  const pool_api_t *apis[2] = {pool_get_api(POOL_API_VERSION), load()};
  assert_non_null(mkdtemp(folder));
  assert_int_equal(setenv("XDG_RUNTIME_DIR", folder, 1), 0);
  snprintf(path, sizeof path, "%s/libpool/%d", folder, (int)getpid());
  assert_int_equal(apis[0]->expose(NULL, NULL), 0);
  assert_int_equal(stat(path, &first), 0);
  assert_int_equal(apis[1]->expose(NULL, &error), POOL_E_SYSTEM);
  assert_non_null(strstr(error.message, "another copy of libpool in this process"));
  assert_int_equal(stat(path, &second), 0);
  assert_int_equal(second.st_ino, first.st_ino);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(apis[1]->expose(NULL, NULL), 0); /* one that nobody listens at hinders nobody */
  assert_int_equal(unlink(path), 0);
  *strrchr(path, '/') = 0;
  assert_int_equal(rmdir(path), 0);
  assert_int_equal(rmdir(folder), 0);
}

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_copies__do_not_mix),
      cmocka_unit_test(test_copies__the_second_does_not_take_the_socket_of_the_first),
  };
  if (count != 2) {
    fprintf(stderr, "usage: %s LIBPOOL\n", arguments[0]);
    return 2;
  }
  library_path = arguments[1];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
