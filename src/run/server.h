/* SPDX-License-Identifier: MIT */
/* A socket of this process, for other programs of the same user: poolctl asks there about its pools. */
#ifndef SERVER_H
#define SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <pool/pool.h>

/* Answers a request, which is a line without its end.  The answer is freed with free(); false: there is no memory.
   Runs on the thread of the server, under no lock. */
typedef bool server_answer_fn(const char *request, pool_bytes_t *answer);

/* Makes sure that the process has its socket and the thread that serves it.  False: `problem` says why not. */
bool server_start(server_answer_fn *answer, char *problem, size_t room);

/* The server did not come along into this child of fork. */
extern _Atomic bool server_lost;
void server_start_again(void);

/* Where a pool is in use: a child that uses its pools has a socket of its own. */
static inline void server_revive(void)
{
  if (__builtin_expect(atomic_load_explicit(&server_lost, memory_order_relaxed), false))
    server_start_again();
}

/* Around a fork, and in its child. */
void server_lock(void);
void server_unlock(void);
void server_leave(void);

#endif
