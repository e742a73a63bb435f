/* SPDX-License-Identifier: MIT */
/*
 * What threads of the library have to say to a language that lets nobody call into it: they leave a letter, and a
 * thread of that language comes and takes it.
 *
 * Pools with a driver answer from threads of their own.  A caller here names a number of its choice, and gets
 * exactly one letter with that number, whatever happens; so a waiting caller may be interrupted, cancelled or abandoned
 * in its own language, and nothing is lost: the thread that takes a letter puts its lease back where no caller waits.
 *
 * Shared: an inbox, by all threads; it is never freed.  In the child after fork it is worthless: make another.
 */
#ifndef INBOX_H
#define INBOX_H

#include <pool/pool.h>

typedef struct inbox inbox_t;

/* `result` is the lease, 0 for a call that succeeded, or a POOL_E_*; `text` is the reply, or what went wrong. */
typedef struct letter {
  struct letter *next;
  inbox_t *inbox;
  int64_t number;
  int64_t result;
  pool_bytes_t text;
} letter_t;

/* NULL without memory. */
inbox_t *inbox_new(void);

/* The letter that came first, for letter_free(); sleeps until there is one.  NULL: interrupted. */
letter_t *inbox_take(inbox_t *inbox);

/* Lets one inbox_take() return, now or when it is called. */
void inbox_interrupt(inbox_t *inbox);

void letter_free(letter_t *letter);

/* A connection that is idle, or 0: then ask for one.  Nothing is opened for one that only looks, as pool_get_for()
   would begin to: the one that is asked for would be the second. */
int64_t inbox_look(pool_t *pool);

/* Asks for a connection.  Does not block.  Returns a ticket for pool_cancel(), 0 if the letter is there already, or
   POOL_E_NOMEM, and then no letter comes. */
int64_t inbox_get(inbox_t *inbox, pool_t *pool, int64_t timeout_ms, int64_t number);

/* Calls a method.  Does not block but for the time to send; with a driver that can only make calls one after the other
   it blocks until the reply is there.  0, or POOL_E_NOMEM, and then no letter comes. */
int inbox_call(inbox_t *inbox, pool_lease_t lease, const char *method, pool_bytes_t args, int64_t number);

#endif
