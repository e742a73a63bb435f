/* SPDX-License-Identifier: MIT */
/*
 * One connection: its stream, and whether it may be used and lent again.
 *
 * Shared.  The holder of a lease uses its session with one thread at a time; but calls, and asynchronous calls in
 * threads of the driver, may meet.  The lock guards `busy` and the list of later calls; whichever call has set `busy`
 * has the turn, and all else is its own.  Open, check, reset and close run while no call is under way.
 */
#ifndef SESSION_H
#define SESSION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <hiredis.h>

#include <pool/pool.h>

#include "redis/batch.h"
#include "redis/settings.h"
#include "redis/stream.h"
#include "redis/traces.h"

struct later;

struct session {
  struct settings *settings;
  struct stream stream;
  unsigned traces;
  bool broken;           /* what the stream carries next is nobody's reply */
  char why[400];         /* it broke */
  redisContext *context; /* what the holder of the lease was given for hiredis' functions, or NULL */
  pthread_mutex_t lock;
  pthread_cond_t changed; /* the turn is free */
  bool busy;
  struct later *first, *last; /* asynchronous calls that wait for the thread */
  bool has_thread;
};

/* Not connected yet.  NULL without memory. */
struct session *session_new(struct settings *settings);

/* Closes the connection too, if there is one. */
void session_free(struct session *session);

/* Takes the turn.  Returns 0, or POOL_E_TIMEOUT: the commands of others are still under way. */
int session_enter(struct session *session, int64_t deadline_ns, pool_error_t *error);
void session_leave(struct session *session);

/* Sends commands.  A failure breaks the session.  Returns 0, POOL_E_NOMEM (nothing was sent), POOL_E_TIMEOUT or
   POOL_E_BROKEN. */
int session_send(struct session *session, const struct batch *batch, int64_t deadline_ns, pool_error_t *error);

/* Waits for the next reply, which may be an error of the server's.  A failure breaks the session.  Returns 0,
   POOL_E_TIMEOUT or POOL_E_BROKEN. */
int session_receive(struct session *session, redisReply **reply, int64_t deadline_ns, pool_error_t *error);

/* Marks the session as broken.  Returns the code of *error, which says why. */
int session_break(struct session *session, const pool_error_t *error);

/* Whether it is still whole: returns 0, or POOL_E_BROKEN with what broke it. */
int session_whole(const struct session *session, pool_error_t *error);

/* Whether it is whole, and the next reply will be that of the next command, unless its traces say that others may come:
   returns 0 or POOL_E_BROKEN. */
int session_quiet(const struct session *session, pool_error_t *error);

#endif
