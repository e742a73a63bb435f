/* SPDX-License-Identifier: MIT */
#ifndef POOL_DRIVER_H
#define POOL_DRIVER_H

/**
 * @file driver.h
 * Drivers: ready-made vtables for a kind of server, each in a shared object of its own.
 *
 * A driver called NAME is the file `pool-NAME.so`, searched for in the folders of the environment variable
 * POOL_DRIVER_PATH (separated by colons; ignored in set-uid programs), then in the folder `pool` beside libpool.so,
 * then where libpool was installed when it was built.  It exports one function, `pool_driver_NAME`, of type
 * pool_driver_fn.  A driver is never unloaded.
 */

#include <pool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a driver offers.  The library sets size to what it knows; the driver fills in no more than that. */
typedef struct {
  size_t size;
  const char *name;
  /** Understands an address without connecting to it: fills in the vtable (whose size the library set) and stores the
      context for it.  Returns 0, or a POOL_E_* with *error filled in. */
  int (*prepare)(const char *address, pool_vtable_t *vtable, void **context, pool_error_t *error);
} pool_driver_t;

#define POOL_DRIVER_VERSION 1u /**< of the interface between library and drivers */

/** The entry of a driver: returns 0, or POOL_E_UNSUPPORTED if it does not know this version of the interface. */
typedef int pool_driver_fn(uint32_t version, pool_driver_t *driver);

#ifndef POOL_NO_FUNCTIONS

/**
 * Loads a driver and lets it understand an address.  The results are meant for pool_create(), which then owns the
 * context (the vtable's release frees it); without a pool, call vtable->release(context).
 *
 * Blocks: while the shared object is being loaded.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_DRIVER (the message begins with what was tried), POOL_E_INVALID, POOL_E_SIZE, POOL_E_WILD, and the
 * driver's own. Since 0.1.  Idea: the driver manager of Apache Arrow ADBC.
 *
 * @param name    letters, digits, '-' and '_'
 * @param address in the driver's own notation
 * @param vtable  begins as POOL_VTABLE_INIT
 */
POOL_API int pool_driver_prepare(const char *name, const char *address, pool_vtable_t *vtable, void **context,
                                 pool_error_t *error);

/**
 * Makes a pool of a driver's connections: pool_driver_prepare() and pool_create() in one.
 *
 * Blocks: as those two.  Ownership: the pool is given back with pool_free().  Threads: any.  From a callback: yes.
 * Errors: those of the two.  Since 0.1.
 */
POOL_API int pool_create_driver(const pool_config_t *config, const char *name, const char *address, pool_t **pool,
                                pool_error_t *error);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
