/* SPDX-License-Identifier: MIT */
/* What loading the library takes of the address space, and of memory where a program locks all that it maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pool/api.h>

enum { MOST_KIB = 24 * 1024 };

/* For children, where an assertion of cmocka's would go on with the tests. */
#define must(condition) ((condition) ? (void)0 : must_not_be(__LINE__, #condition))

static void must_not_be(int line, const char *what)
{
  fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, line, what);
  _exit(1);
}

static const char *library_path;

/* A line of /proc/self/status, in KiB. */
static long status_kib(const char *name)
{
  char line[200];
  long kib = -1;
  FILE *file = fopen("/proc/self/status", "r");
  must(file);
  while (fgets(line, sizeof line, file))
    if (strncmp(line, name, strlen(name)) == 0)
      kib = strtol(line + strlen(name) + 1, NULL, 10);
  fclose(file);
  must(kib >= 0);
  return kib;
}

static int simple_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  *conn = context;
  return 0;
}

static int simple_close(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  return context == conn ? 0 : 1;
}

/* Loads the library, makes a pool, gets and puts. */
static void use_library(void)
{
  pool_get_api_fn *get_api;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_t *pool;
  void *library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
  void *symbol = library ? dlsym(library, "pool_get_api") : NULL;
  if (!symbol)
    fprintf(stderr, "%s\n", dlerror());
  must(symbol);
  memcpy(&get_api, &symbol, sizeof get_api);
  const pool_api_t *api = get_api(POOL_API_VERSION);
  vtable.open = simple_open;
  vtable.close = simple_close;
  must(api->create(NULL, &vtable, &vtable, &pool, NULL) == 0);
  pool_lease_t lease = api->get(pool);
  must(lease > 0);
  must(api->put(lease) == 0);
}

/* In a child, for what it does to its process ends with it. */
static void in_child(void (*what)(void))
{
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    what();
    _exit(0);
  }
  assert_true(pid > 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
}

static void measure_address_space(void)
{
  long before = status_kib("VmSize:");
  use_library();
  must(status_kib("VmSize:") - before <= MOST_KIB);
}

static void limit_address_space(rlim_t kib)
{
  struct rlimit limit = {kib * 1024, kib * 1024};
  must(setrlimit(RLIMIT_AS, &limit) == 0);
  use_library();
}

static void limit_as_ulimit_does(void)
{
  limit_address_space(100000);
}

static void limit_to_what_is_promised(void)
{
  limit_address_space((rlim_t)status_kib("VmSize:") + MOST_KIB);
}

static void lock_all(void)
{
  must(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
  long before = status_kib("VmLck:");
  use_library();
  must(status_kib("VmLck:") - before <= MOST_KIB);
}

static void test_footprint__a_pool_takes_at_most_24_mib_of_address_space(void **state)
{
  (void)state;
  in_child(measure_address_space);
}

static void test_footprint__the_library_loads_where_address_space_is_limited(void **state)
{
  (void)state;
  in_child(limit_as_ulimit_does);
  in_child(limit_to_what_is_promised);
}

static void test_footprint__a_program_that_locks_its_memory_locks_at_most_24_mib_more(void **state)
{
  (void)state;
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
  if (geteuid() != 0 && limit.rlim_cur < (rlim_t)100 * 1024 * 1024)
    skip(); /* this user may not lock that much */
  in_child(lock_all);
}

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_footprint__a_pool_takes_at_most_24_mib_of_address_space),
      cmocka_unit_test(test_footprint__the_library_loads_where_address_space_is_limited),
      cmocka_unit_test(test_footprint__a_program_that_locks_its_memory_locks_at_most_24_mib_more),
  };
  if (count != 2) {
    fprintf(stderr, "usage: %s LIBPOOL\n", arguments[0]);
    return 2;
  }
  library_path = arguments[1];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
