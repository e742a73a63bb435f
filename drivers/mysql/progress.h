/* SPDX-License-Identifier: MIT */
/*
 * Which phase a log-in of this thread is in.
 *
 * libmariadb connects and logs in within one call.  What it is about is seen from outside: its first wait for something
 * to read is for the server's greeting; when it has that, it knows the server's version; and TLS begins and ends within
 * the handshake's plugin (handshake.h).
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <mysql.h>
#include <stdbool.h>

enum progress { PROGRESS_CONNECT, PROGRESS_GREETING, PROGRESS_TLS, PROGRESS_LOGIN };

/* Begins to follow a log-in, whose first phase was said already. */
void progress_begin(const MYSQL *mysql);

/* Without a log-in under way nothing is said; nor where it has come further already. */
void progress_reach(enum progress phase);

/* The library waits for something to read, not within TLS. */
void progress_read(void);

/* Ends it.  Returns what the library was doing, for a message; NULL: connecting. */
const char *progress_end(bool logged_in);

#endif
