/* SPDX-License-Identifier: MIT */
/* Calls: a command with arguments in JSON, and its reply in JSON. */
#ifndef CALL_H
#define CALL_H

#include <stdint.h>

#include <pool/pool.h>

#include "redis/arguments.h"
#include "redis/session.h"

/* As the call of a vtable. */
int call_sync(struct session *session, const char *method, pool_bytes_t args, pool_bytes_t *reply, int64_t deadline_ns,
              pool_error_t *error);

/* The second half: the arguments were read. */
int call_run(struct session *session, const struct arguments *arguments, pool_bytes_t *reply, int64_t deadline_ns,
             pool_error_t *error);

#endif
