/* SPDX-License-Identifier: MIT */
/* Makes a pool by a URL, gets a connection, and ends while threads of the library open others. */
#include <pool/driver.h>
#include <stdio.h>

/* libkrb5 destroys its locks while threads of the library use it, when the process ends. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
  return "race:libkrb5support.so\nmutex:libkrb5support.so";
}

int main(int argc, char **argv)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  int code = argc == 2 ? pool_open(argv[1], &pool, &error) : POOL_E_INVALID;
  pool_lease_t lease = code ? code : pool_get_for(pool, 60000);
  if (lease < 0 && code == 0)
    pool_failure(&error);
  if (lease < 0)
    puts(error.message);
  return lease < 0;
}
