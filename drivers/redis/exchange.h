/* SPDX-License-Identifier: MIT */
/* A user's command and its reply. */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <stdint.h>

#include <pool/pool.h>

#include "redis/session.h"

/* Sends a command and waits for its reply.  `call` as for traces_admit().  Returns 0, or a code that *error explains;
   POOL_E_REMOTE with the server's text. */
int exchange_run(struct session *session, const struct command *command, int call, redisReply **reply,
                 int64_t deadline_ns, pool_error_t *error);

/* Waits for one more reply.  A deadline that passes breaks nothing. */
int exchange_more(struct session *session, redisReply **reply, int64_t deadline_ns, pool_error_t *error);

#endif
