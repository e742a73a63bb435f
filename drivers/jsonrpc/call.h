/* SPDX-License-Identifier: MIT */
/* Calls: a sync call, whose caller waits for the reply, and an async one, whose end the poller tells the library. */
#ifndef CALL_H
#define CALL_H

#include <stdint.h>

#include <pool/driver.h>

struct connection;

/* As the call of a vtable. */
int call_sync(struct connection *connection, const char *method, pool_bytes_t args, pool_bytes_t *reply,
              int64_t deadline_ns, pool_error_t *error);

/* As the go of a vtable.  The call may be done, and the connection closed, before this returns. */
int call_async(struct connection *connection, const char *method, pool_bytes_t args, pool_call_t *call);

#endif
