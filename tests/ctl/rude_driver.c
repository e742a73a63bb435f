/* SPDX-License-Identifier: MIT */
/* The driver rude: what its open says of its phases would steer a terminal.  rude:mute says nothing, rude:late fails.
 */
#include <stdio.h>
#include <string.h>

#include <pool/driver.h>

static char connection;

static int open_one(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  const char *manner = context;
  (void)deadline_ns;
  *conn = &connection;
  if (strcmp(manner, "mute") == 0)
    return 0;
  pool_phase("con\033[31mnect", "\033]0;title\a");
  pool_phase(NULL, "no\nanswer\033[2J");
  pool_phase(NULL, "twice");
  pool_phase("login", NULL);
  if (strcmp(manner, "late") != 0)
    return 0;
  strcpy(error->message, "\033[2J late");
  return error->code = POOL_E_TIMEOUT;
}

static int close_one(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static int prepare(const char *address, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  static char manner[16];
  (void)error;
  snprintf(manner, sizeof manner, "%s", address + strlen("rude:"));
  vtable->open = open_one;
  vtable->close = close_one;
  *context = manner;
  return 0;
}

POOL_API pool_driver_fn pool_driver_rude;

int pool_driver_rude(uint32_t version, pool_driver_t *driver)
{
  if (version != POOL_DRIVER_VERSION)
    return POOL_E_UNSUPPORTED;
  driver->name = "rude";
  driver->prepare = prepare;
  return 0;
}
