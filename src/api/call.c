/* SPDX-License-Identifier: MIT */
/*
 * Calls over leased connections.
 *
 * A call holds its connection: it is counted in the slot's word, in the same compare-and-swap that tests the lease.  So
 * a stale lease can start nothing, and a connection that is put during a call is not lent again, reset or closed before
 * the call is done (unless it is multiplexed, and then it is not closed before).
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pool/pool.h>

#include "api/settings.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/forks.h"
#include "slot/slot.h"
#include "decide/hold.h"
#include "decide/pool.h"
#include "decide/step.h"
#include "run/call.h"
#include "run/callback.h"
#include "run/failure.h"
#include "run/worker.h"

static _Atomic int64_t last_number;

/* Whether a connection can be used again after a call that ended so. */
static bool breaks(struct pool *pool, int code)
{
  switch (code) {
  case 0:
  case POOL_E_REMOTE:
  case POOL_E_INVALID:
  case POOL_E_UNSUPPORTED:
  case POOL_E_OVERLOAD:
  case POOL_E_NOMEM:
  case POOL_E_SYSTEM:
    return false;
  case POOL_E_TIMEOUT: /* the reply may still come, and would be taken for that of the next call */
    return !(pool->vtable.flags & POOL_VTABLE_MULTIPLEXED);
  default:
    return true;
  }
}

/* What reaches the caller: codes that only a pool can mean are not a driver's to give. */
static int code_of(int code)
{
  switch (code) {
  case 0:
  case POOL_E_REMOTE:
  case POOL_E_INVALID:
  case POOL_E_UNSUPPORTED:
  case POOL_E_OVERLOAD:
  case POOL_E_NOMEM:
  case POOL_E_SYSTEM:
  case POOL_E_TIMEOUT:
  case POOL_E_CANCELLED:
    return code;
  default:
    return POOL_E_BROKEN;
  }
}

/* In a child of fork it does nothing: the call was the parent's, and its connection is gone from here. */
static void end_call(struct pool *pool, struct slot *slot, bool is_child, int code)
{
  struct step step;
  if (is_child)
    return;
  hold_end(slot, breaks(pool, code), &step);
  worker_finish(pool, &step, POOL_NO_DEADLINE);
}

int pool_call(pool_lease_t lease, const char *method, pool_bytes_t args, pool_bytes_t *reply, pool_error_t *error)
{
  if (!method || (args.size > 0 && !args.data))
    return error_set(error, POOL_E_INVALID, 0, "%s", method ? "args have a size but no data" : "method is NULL");
  struct slot *slot = slot_find(lease);
  int code = slot ? slot_begin_call(slot, lease) : POOL_E_STALE;
  if (code)
    return failure_of_call(lease, code, error);
  struct pool *pool = slot_pool(slot);
  pool_bytes_t got = {NULL, 0};
  pool_error_t why = POOL_ERROR_INIT;
  void *conn = slot_conn(slot);
  char name[POOL_NAME_BYTES]; /* the lease may be put before the call has ended */
  memcpy(name, pool->name, sizeof name);
  struct callback callback;
  callback_enter(&callback, pool);
  code = pool->vtable.call(pool->context, conn, method, args, &got, clock_deadline(pool->config.call_timeout_ms), &why);
  end_call(pool, slot, !callback_leave(&callback), code);
  code = code_of(code);
  if (code == 0 && reply) {
    *reply = got;
    return 0;
  }
  pool_bytes_free(&got);
  if (code == 0)
    return 0;
  error_finish(&why);
  /* What the server says is not the pool's to begin. */
  return error_in(code == POOL_E_REMOTE ? NULL : name, error, code, why.native, "%s",
                  why.message[0] ? why.message : pool_strerror(code));
}

int64_t pool_go(pool_lease_t lease, const char *method, pool_bytes_t args, pool_done_fn *done, void *user)
{
  if (!method || !done || (args.size > 0 && !args.data))
    return error_set(NULL, POOL_E_INVALID, 0, "%s",
                     !method ? "method is NULL"
                     : !done ? "done is NULL; there is nobody to give the reply to"
                             : "args have a size but no data");
  struct pool_call *call = call_take();
  if (!call)
    return error_code(POOL_E_NOMEM);
  struct slot *slot = slot_find(lease);
  int code = slot ? slot_begin_call(slot, lease) : POOL_E_STALE;
  if (code) {
    call_give(call);
    return failure_of_lease(lease, code);
  }
  struct pool *pool = slot_pool(slot);
  call->slot = slot;
  call->pool = pool;
  call->forks = forks_count();
  call->deadline_ns = clock_deadline(pool->config.call_timeout_ms);
  call->done = done;
  call->user = user;
  int64_t number = atomic_fetch_add(&last_number, 1) + 1;
  char of[POOL_NAME_BYTES]; /* the call may have ended, and its lease too, when it is refused */
  memcpy(of, pool->name, sizeof of);
  const char *unsupported = vtable_refuses_go(&pool->vtable);
  pool_call_t *name = call_name(call, atomic_fetch_or(&call->state, UNDER_WAY));
  struct callback callback;
  callback_enter(&callback, pool);
  code = pool->vtable.go(pool->context, slot_conn(slot), method, args, name);
  bool is_child = !callback_leave(&callback);
  if (code == 0)
    return number; /* the call may be done, and its memory another's, by now */
  if (!call_finish(call, name))
    return error_code_in(of, code_of(code)); /* reported and refused: the report came first, and its call is over */
  call_give(call);
  end_call(pool, slot, is_child, code);
  if (code == POOL_E_UNSUPPORTED)
    return error_in(of, NULL, code, 0, "%s", unsupported);
  return error_code_in(of, code_of(code));
}

int pool_call_done(pool_call_t *name, int32_t code, pool_bytes_t reply)
{
  struct pool_call *call = call_of(name);
  if (!call || !call_finish(call, name)) {
    pool_bytes_free(&reply);
    return call ? error_text(POOL_E_STALE, MESSAGE("no such call: it is done already"))
                : error_set(NULL, POOL_E_INVALID, 0, "call is NULL");
  }
  pool_done_fn *done = call->done;
  void *user = call->user;
  struct pool *pool = call->pool;
  struct slot *slot = call->slot;
  bool is_child = forks_since(call->forks);
  call_give(call);
  struct callback callback;
  callback_enter(&callback, pool);
  end_call(pool, slot, is_child, code);
  done(user, code_of(code), reply);
  callback_leave(&callback);
  return 0;
}

int64_t pool_call_deadline(const pool_call_t *name)
{
  const struct pool_call *call = call_of(name);
  return call ? call->deadline_ns : POOL_NO_DEADLINE;
}

int pool_bytes_new(size_t size, pool_bytes_t *bytes)
{
  if (!bytes)
    return error_set(NULL, POOL_E_INVALID, 0, "bytes is NULL");
  /* One byte more, always 0: text can be read as a string, and no size gives NULL. */
  char *data = size < SIZE_MAX ? malloc(size + 1) : NULL;
  if (!data)
    return error_code(POOL_E_NOMEM);
  data[size] = 0;
  bytes->data = data;
  bytes->size = size;
  return 0;
}

void pool_bytes_free(pool_bytes_t *bytes)
{
  if (!bytes)
    return;
  free(bytes->data);
  bytes->data = NULL;
  bytes->size = 0;
}
