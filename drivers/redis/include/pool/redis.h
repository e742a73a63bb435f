/* SPDX-License-Identifier: MIT */
#ifndef POOL_REDIS_H
#define POOL_REDIS_H

/**
 * @file redis.h
 * The driver redis: pooled connections to Redis and its relatives, over TCP, TLS or Unix sockets.
 *
 *     pool_open("redis://:secret@localhost/2?pool.max_open=20", &pool, &error);
 *     pool_lease_t lease = pool_get(pool);
 *     struct redisReply *reply;
 *     pool_redis_command(pool_conn(lease), POOL_NO_DEADLINE, &reply, &error, "SET %s %b", "key", bytes, size);
 *     freeReplyObject(reply);
 *
 * docs/redis.md describes the URLs, and pool_call(), which needs none of this.  These functions are in the driver
 * itself: link with what `pkg-config --libs pool-redis` says; freeReplyObject() and the structs are of hiredis.
 */

#include <pool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A connection of the driver redis: what pool_conn() returns.  The holder of the lease uses it, one thread at a time;
    during calls of pool_go() only by more calls. */
typedef struct pool_redis pool_redis_t;

struct redisContext;
struct redisReply;

#ifndef POOL_NO_FUNCTIONS

/**
 * Sends a command and waits for its reply.
 *
 * When the deadline passes, the reply cannot be told from that of the next command any more.  So the connection is
 * broken then, unless the message begins with "not sent", and is closed when its lease is put back.  An error in an array, of a command within EXEC for example,
 * is a part of the reply.
 *
 * What a command leaves behind (MULTI, WATCH, SELECT, SUBSCRIBE, AUTH, ...) is noted, and is undone when the lease is
 * put back.  CLIENT REPLY OFF and SKIP, which have no reply, and HELLO 3 are refused.
 *
 * Blocks: until the deadline.  Ownership: the reply is freed with freeReplyObject() of hiredis.  Threads: the holder of
 * the lease.  From a callback: yes.
 * Errors: POOL_E_REMOTE (the server's text is the message; the connection is good), POOL_E_TIMEOUT, POOL_E_BROKEN.
 * Nothing was sent: POOL_E_INVALID (NULL, or the format is wrong), POOL_E_UNSUPPORTED, POOL_E_NOMEM.  Since 0.1.
 *
 * @param deadline_ns on CLOCK_MONOTONIC, or POOL_NO_DEADLINE
 * @param reply       receives the reply; NULL: it is of no interest
 * @param format      as for redisCommand() of hiredis: %s, %b (pointer and size_t), %d, ...; spaces separate
 */
POOL_API int pool_redis_command(pool_redis_t *redis, int64_t deadline_ns, struct redisReply **reply,
                                pool_error_t *error, const char *format, ...);

/**
 * The same with a list of arguments, the command's name first.
 *
 * Blocks: until the deadline.  Ownership: as above.  Threads: the holder of the lease.  From a callback: yes.
 * Errors: as above.  Since 0.1.
 *
 * @param sizes in bytes; NULL: each argument ends with a zero byte
 */
POOL_API int pool_redis_command_argv(pool_redis_t *redis, int64_t deadline_ns, struct redisReply **reply,
                                     pool_error_t *error, int count, const char *const *arguments, const size_t *sizes);

/**
 * Waits for one more reply: a message after SUBSCRIBE, or a line after MONITOR.
 *
 * A deadline that passes leaves the connection as it is, for a message may come later.
 *
 * Blocks: until the deadline.  Ownership: as above.  Threads: the holder of the lease.  From a callback: yes.
 * Errors: POOL_E_TIMEOUT, POOL_E_BROKEN, POOL_E_INVALID, POOL_E_REMOTE.  Since 0.1.
 */
POOL_API int pool_redis_reply(pool_redis_t *redis, int64_t deadline_ns, struct redisReply **reply, pool_error_t *error);

/**
 * The connection for functions of hiredis itself, until the lease is put back.  Not over TLS: hiredis 0.14 has none.
 *
 * What is done through it is not seen, so the connection is cleaned thoroughly when the lease is put back: one round
 * trip with RESET, for which a server of version 6.2 or later is needed; with others the connection is closed.  hiredis
 * knows no deadlines, but redisSetTimeout(); the timeout ends with the lease.  It writes in a way that may raise
 * SIGPIPE.
 *
 * Blocks: no.  Ownership: the connection's; redisFree() must not be called.  Threads: the holder of the lease.  From a
 * callback: yes.
 * Returns NULL after a failure, which *error explains: POOL_E_UNSUPPORTED (TLS), POOL_E_BROKEN, POOL_E_NOMEM,
 * POOL_E_INVALID.  Since 0.1.
 */
POOL_API struct redisContext *pool_redis_context(pool_redis_t *redis, pool_error_t *error);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
