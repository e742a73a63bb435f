/* SPDX-License-Identifier: MIT */
#include "run/failure.h"

#include <stddef.h>

#include "base/error.h"
#include "decide/pool.h"
#include "decide/room.h"

int failure_timed_out(struct pool *pool, const pool_error_t *own)
{
  pool_error_t last;
  if (own->code == 0 && !room_cause(pool, &last))
    return error_code(POOL_E_TIMEOUT);
  const pool_error_t *cause = own->code ? own : &last;
  return error_set(NULL, POOL_E_TIMEOUT, cause->native, "%s: no connection in time: %s", pool->name, cause->message);
}

int failure_fail_fast(struct pool *pool)
{
  pool_error_t cause;
  room_cause(pool, &cause);
  return error_set(NULL, POOL_E_OPEN, cause.native, "%s: not tried, for opens keep failing: %s", pool->name,
                   cause.message);
}
