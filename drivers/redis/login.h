/* SPDX-License-Identifier: MIT */
/* The state that a connection has when it is lent: who is logged in, which database, which name. */
#ifndef LOGIN_H
#define LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

#include "redis/session.h"

/* Brings a new connection there, or after RESET one that was used, and asks whether the server serves: all in one round
   trip.  With `reset` RESET is sent first, and whatever replies are still to come are passed over.  Returns 0, or a
   code that *error explains. */
int login_run(struct session *session, bool reset, int64_t deadline_ns, pool_error_t *error);

/* Reads one reply to a command of the driver's own and wants OK.  `doing` is for messages.  Returns 0, or a code. */
int login_expect_ok(struct session *session, const char *doing, int64_t deadline_ns, pool_error_t *error);

/* Whether the error that the server gave to a PING means that it does not serve now. */
bool login_is_refusal(const redisReply *reply);

#endif
