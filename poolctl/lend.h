/* SPDX-License-Identifier: MIT */
/* A pool of poolctl's own, for call and bench. */
#ifndef LEND_H
#define LEND_H

#include <stdint.h>

#include <pool/driver.h>

struct arguments;

/* Opens a pool by the URL of the command line, with so many connections at most unless the URL says how many.  0 or a
   POOL_E_*. */
int lend_open(const struct arguments *arguments, int32_t most, pool_t **pool, pool_error_t *error);

/* How poolctl ends when an error of the library ends it before anything was done. */
int lend_exit_code(int code);

#endif
