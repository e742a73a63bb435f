/* SPDX-License-Identifier: MIT */
/*
 * The calls of one word, one after the other, up to the first whose result is not good.  What they have left to be
 * freed is freed, whichever way they end.
 */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include "foreign/performer.h"

/* Begins a frame for the calls on a connection; NULL: there is none yet. */
void sequence_begin(struct frame *frame, const struct description *description, void *conn, int socket,
                    int64_t deadline_ns);

/* Makes the calls of a word.  Returns 0, or `code` with *error filled; POOL_E_TIMEOUT where the deadline is past. */
int sequence_run(const struct description *description, enum word word, struct frame *frame, int code,
                 pool_error_t *error);

/* Closes a connection: makes all calls of `close`, whatever each returns, and reports the first that fails. */
int sequence_close(const struct description *description, struct frame *frame, pool_error_t *error);

/* Makes the call of `descriptor` and stores what it finds; -1: the library has none now.  Returns as sequence_run(). */
int sequence_descriptor(const struct description *description, struct frame *frame, int *descriptor,
                        pool_error_t *error);

#endif
