/* SPDX-License-Identifier: MIT */
/* A connection to the server of a ledger, logged in. */
#ifndef LINE_H
#define LINE_H

#include <stdint.h>

#include "budget-redis/place.h"
#include "redis/session.h"

/* Connects, logs in, and asks by a first command of two words.  A server that does not answer is the last to be tried
   from now on, and the next one is asked: each has its share of the time that is left.  Returns 0, or a code that
   *error explains. */
int line_open(struct session **line, struct place *place, const char *const words[2], redisReply **reply,
              int64_t deadline_ns, pool_error_t *error);

/* Sends a command of texts and waits for its reply, which may be an error of the server's.  Sizes may be NULL.  Returns
   0, or a code that *error explains; then the line is good only for closing. */
int line_ask(struct session *line, int count, const char *const *words, const size_t *sizes, redisReply **reply,
             int64_t deadline_ns, pool_error_t *error);

/* Sends a command of one word.  Returns 0, or a code that *error explains; then the line is good only for closing. */
int line_send(struct session *line, const char *word, int64_t deadline_ns, pool_error_t *error);

/* Closes.  NULL is fine; it is NULL then. */
void line_close(struct session **line);

/* Closes without a word to the server, in a child of fork. */
void line_forget(struct session **line);

#endif
