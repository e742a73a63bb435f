/* SPDX-License-Identifier: MIT */
/* The parameters of a driver's URL: which there are, and numbers among them. */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include <stdint.h>

#include <pool/pool.h>

#include "base/url.h"

/* Refuses a parameter that is not among the names, which NULL ends; the message says which one may be meant.  Returns 0
   or POOL_E_INVALID. */
int parameters_check(const struct url *url, const char *const *names, pool_error_t *error);

/* Reads a decimal number from 1 to `most`.  Leaves *number alone where the URL does not have the parameter.  Returns 0
   or POOL_E_INVALID. */
int parameters_number(const struct url *url, const char *name, uint64_t most, uint64_t *number, pool_error_t *error);

#endif
