/* SPDX-License-Identifier: MIT */
/* Whether a connection is good, and how it becomes clean again after a user. */
#ifndef CLEANSE_H
#define CLEANSE_H

#include <stdint.h>

#include <pool/pool.h>

#include "redis/session.h"

/* Looks at the socket, then asks the server.  Returns 0, or a code that *error explains. */
int cleanse_check(struct session *session, int64_t deadline_ns, pool_error_t *error);

/* Undoes what the traces say.  Nothing is sent where there are none.  Returns 0, or a code: then the connection must be
   closed. */
int cleanse_run(struct session *session, int64_t deadline_ns, pool_error_t *error);

#endif
