/* SPDX-License-Identifier: MIT */
/*
 * Drivers for open_test.c, one for each NAME that this is compiled with.  The context of a pool and each of its
 * connections is the address that the driver was given.  ANSWER is what the entry returns instead of 0.
 */
#include <stdlib.h>
#include <string.h>

#include <pool/driver.h>

#ifndef ANSWER
#define ANSWER 0
#endif
#ifndef SCHEMES
#define SCHEMES NULL
#endif

#define ENTRY_OF(name) pool_driver_##name
#define ENTRY(name)    ENTRY_OF(name)

static int open_one(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  *conn = context;
  return 0;
}

static int close_one(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static void release(void *context)
{
  explicit_bzero(context, strlen(context));
  free(context);
}

static int prepare(const char *address, pool_vtable_t *vtable, void **context, pool_error_t *error)
{
  if (strstr(address, "refuse")) {
    strcpy(error->message, "this address is refused");
    return POOL_E_INVALID;
  }
  vtable->open = open_one;
  vtable->close = close_one;
  vtable->release = release;
  *context = strdup(address);
  return *context ? 0 : POOL_E_NOMEM;
}

#ifdef NEEDS_ANOTHER
int another_library(void);
#endif

POOL_API pool_driver_fn ENTRY(NAME);

int ENTRY(NAME)(uint32_t version, pool_driver_t *driver)
{
  if (version != POOL_DRIVER_VERSION)
    return POOL_E_UNSUPPORTED;
#ifdef NEEDS_ANOTHER
  another_library();
#endif
  driver->prepare = prepare;
  driver->schemes = SCHEMES;
  driver->version = "7";
  return ANSWER;
}
