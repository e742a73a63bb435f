/* SPDX-License-Identifier: MIT */
#ifndef POOL_VTABLE_H
#define POOL_VTABLE_H

/**
 * @file vtable.h
 * Kinds of connections: the callbacks that open, close and use one, and what these may call.
 *
 * For those who write callbacks or a driver.  pool/pool.h includes this.
 */

#include <pool/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A call under way, in the hands of a driver: see pool_vtable_t::go. */
typedef struct pool_call pool_call_t;

/** Hears of the phases of opens: see pool_phase_listen().  The texts live until it returns. */
typedef void pool_phase_fn(void *user, const char *name, const char *detail);

/** The connection takes many calls at one time, from any threads: it may be lent while calls of an earlier lease are
    still under way, and a call that timed out leaves it good. */
#define POOL_VTABLE_MULTIPLEXED 1u

/**
 * The callbacks for one kind of connection; `context` is the pointer that was given to pool_create().  `open` and
 * `close` are required, the others may be NULL.  Each runs on the thread that needs it (that of a pool_get, pool_put,
 * pool_close, ..., or one of the library's openers) and under no lock.  For one connection at most one of open, check,
 * reset and close runs at one time, and none of them while a call is under way. One exception: the check of
 * a multiplexed connection may meet calls.  Idea from the function tables of ADBC drivers: checked and filled once,
 * then called freely.
 */
typedef struct {
  size_t size;
  /** Opens a connection before the deadline and stores it (not NULL).  Returns 0, or not 0 with *error filled:
      POOL_E_TIMEOUT and POOL_E_NOMEM are passed on as such, everything else reaches the caller as POOL_E_OPEN.  May
      say what it is about with pool_phase(). */
  int (*open)(void *context, int64_t deadline_ns, void **conn, pool_error_t *error);
  /** Closes a connection.  The place is free afterwards whatever is returned; not 0, with *error filled, is a failed
      close: it is counted, and log has a line. */
  int (*close)(void *context, void *conn, pool_error_t *error);
  /** Returns 0 if the connection is still good, or not 0 with *error filled: then it is closed.  Called before lending
      one that is under suspicion. */
  int (*check)(void *context, void *conn, int64_t deadline_ns, pool_error_t *error);
  /** Makes a returned connection clean for its next user and returns 0, or not 0 with *error filled: then it is
      closed. */
  int (*reset)(void *context, void *conn, int64_t deadline_ns, pool_error_t *error);
  /** Says of a returned connection whether `reset` has nothing to do: 1, and it is not called; or 0.  Looks, and tidies
      what it can without the server: it does not block, does not fork, and calls nothing of this library.  NULL:
      `reset` is always called.  Since a call of `reset` costs some 300 ns, it pays where most are in vain. */
  int (*is_clean)(void *context, void *conn);
  /** Called in the child after fork, from within fork(): frees descriptors and sends nothing.  Must only do what is
      safe there: close(2) is.  NULL leaves the connection as it is. */
  void (*abandon)(void *context, void *conn);
  /** Makes a call and waits for its reply, whose data comes from pool_bytes_new().  0; POOL_E_REMOTE with the server's
      error in *error; POOL_E_INVALID, POOL_E_UNSUPPORTED, POOL_E_OVERLOAD, POOL_E_NOMEM or POOL_E_SYSTEM: not sent,
      or no memory for the reply, which *error then says; POOL_E_TIMEOUT; else the connection is broken. */
  int (*call)(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
              int64_t deadline_ns, pool_error_t *error);
  /** Starts a call and returns 0; the thread that learns its end calls pool_call_done() exactly once, on any thread,
     from within go if need be.  Not 0, with the meaning of `call`: nothing was started and pool_call_done() must not be
     called. */
  int (*go)(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call);
  /** Called once, when the pool is gone and no callback will follow: frees the context. */
  void (*release)(void *context);
  uint32_t flags;    /**< POOL_VTABLE_*; unknown bits are refused */
  uint32_t reserved; /**< 0 */
} pool_vtable_t;
/* clang-format off */
#define POOL_VTABLE_INIT { sizeof(pool_vtable_t), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0 }
/* clang-format on */

#ifndef POOL_NO_FUNCTIONS

/**
 * Ends a call that a driver's `go` was given; for drivers.  The user's callback, and a reset or close of the connection
 * where that was waiting for the call, may run inside: hold no lock, and use the connection afterwards only if the
 * driver itself keeps it alive.
 *
 * Blocks: no.  Ownership: the reply, from pool_bytes_new() or empty, goes to the receiver.  Threads: any.
 * From a callback: yes.  Errors: POOL_E_STALE if the call is done already, POOL_E_INVALID (call is NULL); the reply is
 * then freed.  Since 0.1.
 *
 * @param code 0 or a POOL_E_* with the meanings of pool_vtable_t::call
 */
POOL_API int pool_call_done(pool_call_t *call, int32_t code, pool_bytes_t reply);

/**
 * The deadline of a call; for drivers.  Blocks: no.  Threads: any, until pool_call_done().  From a callback: yes.
 * Returns a moment in ns on CLOCK_MONOTONIC, or POOL_NO_DEADLINE.  Errors: none.  Since 0.1.
 */
POOL_API int64_t pool_call_deadline(const pool_call_t *call);

/**
 * Allocates bytes for a reply; for drivers.  Blocks: no.  Threads: any.  From a callback: yes.
 * Ownership: freed with pool_bytes_free().  Errors: POOL_E_INVALID, POOL_E_NOMEM.  Since 0.1.
 */
POOL_API int pool_bytes_new(size_t size, pool_bytes_t *bytes);

/**
 * Looks whether a socket could serve somebody new: for the check and reset of drivers.  A connection on which bytes
 * wait to be read carries somebody's late reply and must not be lent again.
 *
 * Blocks: never, also if the socket would.  Threads: any.  From a callback: yes.
 * Returns 0 if the socket is connected and nothing is to be read, or the number of
 * unread bytes: a waiting datagram counts as one at least. POOL_E_BROKEN: the end of file, an error of the socket
 * (taken from the socket, and `native` of pool_failure()), or a socket that is not connected. POOL_E_INVALID: it is no
 * socket.  Since 0.1.  Idea: connCheck of Go's MySQL driver.
 */
POOL_API int64_t pool_socket_idle(int fd);

/**
 * Says which phase the open that runs in this thread begins; for the `open` of drivers and of other vtables.  A phase
 * ends where the next one begins, and the last one ends with the open.  It costs a copy of the name where nobody
 * listens.
 *
 * The drivers of this library call their phases "resolve" (the addresses of a name), "connect" (the socket), "tls" (the
 * handshake), "login" (the first words with the server, up to its yes) and "setup" (the session as the URL wants it);
 * docs/poolctl.md says what each driver has.  Other names are as good.
 *
 * With NULL as the name it says that the phase under way has failed while the open goes on, with another server for
 * example.  When an open of a pool fails, its message says which phase began last, unless it has that word already:
 * "connecting to db1: no answer in time (in phase tls)".
 *
 * Blocks: no.  Threads: the one that runs the open.  From a callback: yes; from elsewhere only a listener hears it.
 * Ownership: the texts are the caller's again when it returns.  Errors: none.  Since 0.1.
 *
 * @param name   of the phase, of which a message has the first 31 bytes; NULL: the phase under way has failed
 * @param detail with what: a host, or an address; of a failed one, why.  NULL: nothing is to be said.  No password
 */
POOL_API void pool_phase(const char *name, const char *detail);

/**
 * Listens to the phases of opens that run in the calling thread: `heard` is called with what pool_phase() is called
 * with, on this thread.  For programs that call the `open` of a vtable themselves, as `poolctl check` does, and for
 * those whose gets open connections themselves (no `openers`).
 *
 * Blocks: no.  Threads: any; it is about the calling thread alone.  From a callback: yes.  Errors: none.
 * Since 0.1.  Idea: the httptrace package of Go.
 *
 * @param heard must not call pool_phase(), and takes the place of the last one; NULL: nobody listens any more
 */
POOL_API void pool_phase_listen(pool_phase_fn *heard, void *user);

/**
 * What pool_config_init() does, for POOL_VTABLE_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_vtable_init(pool_vtable_t *vtable, size_t size);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
