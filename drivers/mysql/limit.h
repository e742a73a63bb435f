/* SPDX-License-Identifier: MIT */
/*
 * The deadline of what libmariadb does in this thread.
 *
 * The library asks one function to wait, wherever it would block on a socket: limit_wait(), which each connection is
 * given (MARIADB_OPT_IO_WAIT).  While a limit is under way in the calling thread, no wait goes beyond its deadline, and
 * the library gives up at once.  Without one the function waits as the library itself would, so a user may call the
 * library's functions on his connection as always.
 *
 * The library's non-blocking interface does not serve: its TLS handshake blocks, and what it had allocated on its own
 * stack is lost when a call is given up half way.
 *
 * What the library reads without a wait has no limit here.  Where that can be much, the driver looks at the clock
 * itself. It cannot while the library logs in: a server that sends without a pause, and asks again and again for
 * another way to log in, keeps the thread for as long as it likes.
 *
 * TLS.  OpenSSL reads from the socket itself, and asks for a wait only where the socket does not block.  So the socket
 * of such a connection does not block while a limit is under way, and blocks otherwise: the library waits for the wrong
 * event when a long write of the user's would block.  What the thread has of OpenSSL's errors is forgotten when
 * such a limit begins, as libpq does, and when it ends: the program's own TLS would take them for its own.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>

/* Begins a limit in this thread, which has none. */
void limit_begin(MYSQL *mysql, int64_t deadline_ns);

/* Ends it.  True: a wait was given up, because the deadline had passed.  NULL: the connection is gone. */
bool limit_end(MYSQL *mysql);

/* Whether the deadline of the limit under way has passed: to be asked where the library reads much without a wait. */
bool limit_is_past(void);

/* Makes the socket not block until the limit ends, because TLS begins on it. */
void limit_expect_tls(MYSQL *mysql);

/* Waits until the socket is ready, as the library wants it: at least 1, or 0 with errno set. */
int limit_wait(my_socket descriptor, my_bool is_read, int timeout_ms);

#endif
