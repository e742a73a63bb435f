/* SPDX-License-Identifier: MIT */
#ifndef POOL_TYPES_H
#define POOL_TYPES_H

/**
 * @file types.h
 * What all headers share: the codes of errors, pools and leases, bytes and messages.
 *
 * pool/pool.h says what the words mean, and includes this.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(POOL_STATIC)
#define POOL_API
#elif defined(__GNUC__)
#define POOL_API __attribute__((visibility("default")))
#else
#define POOL_API
#endif

/* ---- error codes: explicit, never renumbered, never used again ------------------------------------------------ */

#define POOL_E_INVALID     (-1) /**< a parameter or setting is wrong; the message names it */
#define POOL_E_STALE       (-2) /**< no such lease, ticket, claim or call: over already, of another time, or never given */
#define POOL_E_CLOSED      (-3)  /**< the pool is closed */
#define POOL_E_TIMEOUT     (-4)  /**< the deadline passed; the message says in which phase */
#define POOL_E_OPEN        (-5)  /**< a connection could not be opened; the message is the driver's */
#define POOL_E_REMOTE      (-6)  /**< the server answered a call with an error; the connection is good */
#define POOL_E_BROKEN      (-7)  /**< the connection broke; it will be closed when its lease is put back */
#define POOL_E_OVERLOAD    (-8)  /**< too many are waiting already, or too many calls are in flight */
#define POOL_E_CANCELLED   (-9)  /**< pool_cancel() ended it */
#define POOL_E_UNSUPPORTED (-10) /**< this pool, driver or build cannot do that */
#define POOL_E_NOMEM       (-11) /**< memory, or the table of 131,071 slots of the process, is used up */
#define POOL_E_SIZE        (-12) /**< the size member of a struct is too small */
#define POOL_E_NEWER       (-13) /**< a struct sets members that this library does not know */
#define POOL_E_VTABLE      (-14) /**< the vtable has no open or no close */
#define POOL_E_DRIVER      (-15) /**< the driver was not found or could not be loaded */
#define POOL_E_SYSTEM      (-16) /**< the operating system refused a thread or another means */
#define POOL_E_OLDER       (-17) /**< a struct is of a release that this library no longer understands */
#define POOL_E_WILD        (-18) /**< the size member of a struct is larger than any struct: it was never set */
#define POOL_E_EVICTED     (-19) /**< pool_evict() ended the wait */

#define POOL_NO_DEADLINE INT64_MAX /**< a deadline that never comes */

/* ---- types ---------------------------------------------------------------------------------------------------- */

/** A pool: opaque and counted, see pool_ref(). */
typedef struct pool pool_t;

/** The right to use one connection.  Positive and below 2^62; the low 20 bits are the number of the slot. */
typedef int64_t pool_lease_t;

/** Bytes and how many; what is inside is the driver's business.  A reply is freed with pool_bytes_free(). */
typedef struct {
  void *data;
  size_t size;
} pool_bytes_t;

/** What went wrong. `native` is the driver's own number (an errno, say), or 0.  The message is one line. */
typedef struct {
  size_t size;
  int32_t code;
  int32_t native;
  char message[496];
} pool_error_t;
/* clang-format off */
#define POOL_ERROR_INIT { sizeof(pool_error_t), 0, 0, { 0 } }
/* clang-format on */

#ifndef POOL_NO_FUNCTIONS

/**
 * Frees a reply and makes it empty.  NULL and empty are fine.  Blocks: no.  Threads: any.  From a callback: yes.
 * Since 0.1.
 */
POOL_API void pool_bytes_free(pool_bytes_t *bytes);

/**
 * What pool_config_init() does, for POOL_ERROR_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_error_init(pool_error_t *error, size_t size);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
