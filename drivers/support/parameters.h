/* SPDX-License-Identifier: MIT */
/* The URLs of drivers: taking one apart, which parameters there are, and those that several drivers have. */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/near.h"
#include "base/url.h"

/* max_reply_bytes: the default, and the most where a driver has no limit of its own. */
#define PARAMETERS_REPLY_BYTES (UINT64_C(64) * 1024 * 1024)
#define PARAMETERS_REPLY_MOST  (INT64_MAX / 4 < SIZE_MAX / 4 ? (uint64_t)INT64_MAX / 4 : (uint64_t)SIZE_MAX / 4)

/* reset_timeout_ms: the default and the most, which is a year. */
#define PARAMETERS_RESET_MS   UINT64_C(5000)
#define PARAMETERS_RESET_MOST (UINT64_C(365) * 24 * 3600 * 1000)

/* Of the URL of a budget: the library has read them already. */
#define PARAMETERS_BUDGET "limit", "term_ms", "lost"

/* Takes a URL apart.  Returns 0, or a code that *error explains; then *url is empty. */
int parameters_url(struct url *url, const char *text, pool_error_t *error);

/* Refuses a parameter that is not among the names, which NULL ends; the message says which one may be meant.  Also one
   that is there twice.  Returns 0 or POOL_E_INVALID. */
int parameters_check(const struct url *url, const char *const *names, pool_error_t *error);

/* Refuses a parameter with a known name that an earlier one has too.  Returns 0 or POOL_E_INVALID. */
int parameters_once(const struct url *url, size_t index, pool_error_t *error);

/* Refuses parameter `number`, from 1: the nearest name is meant, or it is one of `all`.  Returns POOL_E_INVALID. */
int parameters_refuse(size_t number, const struct near *near, const char *all, pool_error_t *error);

/* How such a message begins.  It does not quote the name: part of a password may be there, if it was not encoded. */
#define PARAMETERS_UNKNOWN "parameter %zu of the URL (settings of the pool not counted) is unknown; "

/* Reads a decimal number from 1 to `most`.  Leaves *number alone where the URL does not have the parameter.  Returns 0
   or POOL_E_INVALID. */
int parameters_number(const struct url *url, const char *name, uint64_t most, uint64_t *number, pool_error_t *error);

/* The same of a value that was found. */
int parameters_number_of(const char *name, const char *value, uint64_t most, uint64_t *number, pool_error_t *error);

#endif
