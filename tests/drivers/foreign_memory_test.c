/* SPDX-License-Identifier: MIT */
/* The driver foreign without memory: each allocation of a preparation fails once, and nothing is left of it. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pool/driver.h>

#include "foreign_library.h"
#include "memory.h"

int pool_driver_foreign(uint32_t version, pool_driver_t *driver);

static const char description[] =
    "library libforeign_library.so\n"
    "function fl_open(text, int, out pointer) -> int\n"
    "         fl_close(pointer) -> int\n"
    "         fl_check(pointer) -> int\n"
    "constant A = 1\n"
    "parameter n int = 5 in 1..9\n"
    "secret word text = null\n"
    "open fl_open(url.server \" \" word or \"x\", n, conn) is 0 else \"no\" when url.host\n"
    "close fl_close(conn) is 0 when fl_check(conn) is 0\n";

static void each_allocation_may_fail(void **state)
{
  char path[] = "/tmp/foreign_memory.XXXXXX", url[200];
  int file = mkstemp(path), code = POOL_E_NOMEM, failures = 0;
  pool_driver_t driver = {.size = sizeof driver};
  (void)state;
  assert_int_equal(write(file, description, sizeof description - 1), sizeof description - 1);
  close(file);
  assert_int_equal(pool_driver_foreign(POOL_DRIVER_VERSION, &driver), 0);
  snprintf(url, sizeof url, "test://host:17?n=7&word=open&description=%s", path);
  for (; code == POOL_E_NOMEM; failures++) {
    pool_vtable_t vtable = POOL_VTABLE_INIT;
    pool_error_t error = POOL_ERROR_INIT;
    void *context = NULL;
    memory_fail_after(failures);
    code = driver.prepare(url, &vtable, &context, &error);
    memory_fail_after(-1);
    if (code == 0)
      vtable.release(context);
    else
      assert_non_null(strstr(error.message, "no memory"));
  }
  assert_int_equal(code, 0);
  assert_true(failures > 100);
  unlink(path);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
