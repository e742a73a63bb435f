/* SPDX-License-Identifier: MIT */
#ifndef POOL_TCP_H
#define POOL_TCP_H

/**
 * @file tcp.h
 * The driver tcp: pooled sockets, over TCP, TLS or Unix sockets, for a protocol of the program's own.
 *
 *     pool_open("tcp://localhost:7000?pool.max_open=5", &pool, &error);
 *     pool_lease_t lease = pool_get(pool);
 *     pool_tcp_t *tcp = pool_conn(lease);
 *     pool_tcp_write(tcp, "PING\n", 5, POOL_NO_DEADLINE, &error);
 *
 * docs/tcp.md describes the URLs.  These functions are in the driver itself: link with what
 * `pkg-config --libs pool-tcp` says.
 */

#include <pool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A connection of the driver tcp: what pool_conn() returns.  The holder of the lease uses it, one thread at a time. */
typedef struct pool_tcp pool_tcp_t;

#ifndef POOL_NO_FUNCTIONS

/**
 * The socket, for poll() and socket options.  It does not block.  Over TLS its bytes are not those of the program, and
 * it may be readable while pool_tcp_read() has nothing.
 *
 * Blocks: no.  Ownership: the connection's; do not close it.  Threads: the holder of the lease.  From a callback: yes.
 * Errors: POOL_E_INVALID (tcp is NULL).  Since 0.1.
 */
POOL_API int pool_tcp_fd(const pool_tcp_t *tcp);

/**
 * Reads what has come, at least one byte.
 *
 * After a failure, the end of the stream, or a deadline that passed with no later read that succeeded, the connection
 * is closed when its lease is put back: a late answer must not reach another user.
 *
 * Blocks: until the deadline.  Threads: the holder of the lease.  From a callback: yes.
 * Returns how many bytes; 0 at the end of the stream; POOL_E_TIMEOUT: nothing came in time; POOL_E_BROKEN;
 * POOL_E_INVALID.  Since 0.1.
 *
 * @param deadline_ns on CLOCK_MONOTONIC, or POOL_NO_DEADLINE; 0: only what is there already
 */
POOL_API int64_t pool_tcp_read(pool_tcp_t *tcp, void *data, size_t size, int64_t deadline_ns, pool_error_t *error);

/**
 * Writes all bytes.
 *
 * After a failure or a deadline that passed, a part may have been sent, and the connection is closed when its lease is
 * put back.
 *
 * Blocks: until the deadline.  Threads: the holder of the lease.  From a callback: yes.
 * Errors: POOL_E_TIMEOUT, POOL_E_BROKEN, POOL_E_INVALID.  Since 0.1.
 *
 * @param deadline_ns as above
 */
POOL_API int pool_tcp_write(pool_tcp_t *tcp, const void *data, size_t size, int64_t deadline_ns, pool_error_t *error);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
