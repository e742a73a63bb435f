/* SPDX-License-Identifier: MIT */
/* What a failed get says, where no thread of the caller was waiting for it. */
#ifndef FAILURE_H
#define FAILURE_H

#include <pool/pool.h>

/* The time of a get that was nobody's thread is over: POOL_E_TIMEOUT, with why an open for it failed last, if one did
   (`own`), or why nobody opened. */
int failure_timed_out(struct pool *pool, const pool_error_t *own);

/* The breaker is open: POOL_E_OPEN, with the message of the last open that failed. */
int failure_fail_fast(struct pool *pool);

#endif
