/* SPDX-License-Identifier: MIT */
#ifndef POOL_DRIVER_H
#define POOL_DRIVER_H

/**
 * @file driver.h
 * Drivers: ready-made vtables for a kind of server, each in a shared object of its own; and pools by URL.
 *
 * A driver called NAME is the file `pool-NAME.so`. It is searched for in the folders of the environment variable
 * POOL_DRIVER_PATH (separated by colons; ignored in set-uid programs), then in the folder `pool` beside libpool.so,
 * then where libpool was installed when it was built.  It exports one function, `pool_driver_NAME` (with '_' for '-'),
 * of type pool_driver_fn.  A driver is never unloaded.  A file that is not readable, lacks a library or does not fit
 * this version is passed over, and the message of a failure says so of each.
 *
 * A description, `NAME.pool` in one of the same folders, is a text from which the driver `foreign` makes a driver of
 * any C library.
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
      context for it.  The address is in the driver's own notation; from pool_open() it is the URL, without the
      parameters that are settings of the pool.  Returns 0, or a POOL_E_* with *error filled in; no password in it. */
  int (*prepare)(const char *address, pool_vtable_t *vtable, void **context, pool_error_t *error);
  const char *schemes; /**< of the URLs that are this driver's, with a space between: "postgres postgresql"; NULL: its
                            name alone */
  const char *version; /**< of the driver itself, "0.1.0" for example; NULL: it says none */
  const char *needs;   /**< what it works with, and of which version: "libpq 15.5"; NULL: the system alone */
} pool_driver_t;

#define POOL_DRIVER_VERSION 1u /**< of the interface between library and drivers */

/** The entry of a driver: returns 0, or POOL_E_UNSUPPORTED if it does not know this version of the interface. */
typedef int pool_driver_fn(uint32_t version, pool_driver_t *driver);

/** A driver or description that was found, for pool_drivers().  The texts live until the callback returns. */
typedef struct {
  size_t size;
  const char *name;    /**< of the driver or description */
  const char *path;    /**< of its file */
  const char *schemes; /**< of its URLs, with a space between */
  const char *version; /**< "": it says none */
  const char *needs;   /**< "": it says nothing */
  const char *problem; /**< why it cannot be used; "": it can */
  int32_t code;        /**< 0, or the POOL_E_* of the problem */
  int32_t reserved;    /**< 0 */
} pool_driver_info_t;

/** Hears of a driver.  Returns 0 to go on, anything else to end the list. */
typedef int pool_driver_seen_fn(void *user, const pool_driver_info_t *driver);

#ifndef POOL_NO_FUNCTIONS

/**
 * Loads a driver and lets it understand an address.  The results are meant for pool_create(), which then owns the
 * context (the vtable's release frees it); without a pool, call vtable->release(context).
 *
 * Blocks: while the shared object is being loaded.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_DRIVER (the message ends with what was tried), POOL_E_INVALID, POOL_E_SIZE, POOL_E_WILD, POOL_E_NOMEM,
 * and the driver's own.  Since 0.1.  Idea: the driver manager of Apache Arrow ADBC.
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

/* ---- by URL ------------------------------------------------------------------------------------------------------ */

/**
 * Makes a pool of what a URL names: `postgres://user@host/shop?sslmode=require&pool.max_open=20`.
 *
 * The driver is the one called as the scheme, else a description of that name, else the driver that has the scheme
 * among its own.  A parameter pool.NAME is the setting NAME of the pool, as pool_config_set() reads it; the others are
 * the driver's.  One that is there twice is refused.  With a parameter description=FILE the driver is `foreign`,
 * whatever the scheme.  Each part is percent-decoded as RFC 3986 has it ('+' is a plus).  A pool whose name is not set
 * is called as the scheme.  No message quotes a password, or the URL as a whole; and none quotes a user, but where a
 * server that refuses a log-in names it.
 *
 * Blocks: while the driver is being loaded, and as pool_create().  Ownership: as pool_create().  Threads: any.
 * From a callback: yes.
 * Errors: POOL_E_INVALID (no URL, or a setting or parameter is wrong; the message says which, and for a name that is
 * nearly right the right one), POOL_E_DRIVER (no driver; the message lists where it was looked for and what was wrong
 * there), those of pool_create(), and the driver's own.  Since 0.1.  Idea: the driver manager of Apache Arrow ADBC,
 * connection URIs of libpq.
 */
POOL_API int pool_open(const char *url, pool_t **pool, pool_error_t *error);

/**
 * The same as pool_open(), with settings to begin with, `events` and `log` among them; those of the URL are set over
 * them.
 *
 * Blocks: as pool_open().  Ownership: as pool_create().  Threads: any.  From a callback: yes.
 * Errors: those of pool_open().  Since 0.1.
 *
 * @param config begins as POOL_CONFIG_INIT, or NULL
 */
POOL_API int pool_open_with(const pool_config_t *config, const char *url, pool_t **pool, pool_error_t *error);

/**
 * The first half of pool_open_with(): finds the driver, sets the settings of the URL in *config, and lets the driver
 * understand the rest; the second half is pool_create().  For programs that want to see or change what comes out, or to
 * use a connection without a pool.
 *
 * Blocks: while the driver is being loaded.  Ownership: as pool_driver_prepare().  A name of the pool that the URL sets
 * is not in *config, because it would have no owner.  The text of a budget that the URL sets is the library's, and stays
 * as long as the process.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID, POOL_E_DRIVER and the driver's own, as pool_open(); of the structs POOL_E_SIZE, POOL_E_WILD,
 * POOL_E_NEWER; POOL_E_NOMEM.  Since 0.1.
 *
 * @param config begins as POOL_CONFIG_INIT, or NULL: the settings of the URL are checked and then forgotten
 * @param vtable begins as POOL_VTABLE_INIT
 */
POOL_API int pool_url_prepare(const char *url, pool_config_t *config, pool_vtable_t *vtable, void **context,
                              pool_error_t *error);

/**
 * Lists the drivers and descriptions in all folders, in the order of the search: of two with one name the first is
 * used.  Each driver is loaded.
 *
 * Blocks: while they are being loaded.  Threads: any.  From a callback: yes.
 * Returns how many were told; or what `seen` returned, if not 0; or POOL_E_INVALID, POOL_E_NOMEM.  Since 0.1.
 */
POOL_API int pool_drivers(pool_driver_seen_fn *seen, void *user);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
