/* SPDX-License-Identifier: MIT */
/* Makes a pool by a URL, gets and puts a connection, and says "good", or what is wrong. */
#include <pool/driver.h>
#include <stdio.h>

static int say(int code, const pool_error_t *error)
{
  puts(code ? error->message : "good");
  return code != 0;
}

int main(int argc, char **argv)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  int code = argc == 2 ? pool_open(argv[1], &pool, &error) : POOL_E_INVALID;
  if (code)
    return say(code, &error);
  pool_lease_t lease = pool_get_for(pool, 60000);
  code = lease < 0 ? pool_failure(&error) : pool_put(lease);
  pool_close(pool, 1000);
  pool_free(pool);
  return say(code, &error);
}
