/* SPDX-License-Identifier: MIT */
#ifndef POOL_EVENT_H
#define POOL_EVENT_H

/**
 * @file event.h
 * What a pool tells about itself as it happens: events, and lines for people.
 *
 * pool_config_t::events and pool_config_t::log receive them.  pool/pool.h includes this.
 */

#include <pool/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Why a connection was closed. */
#define POOL_REASON_NONE     0
#define POOL_REASON_UNUSABLE 1  /**< marked unusable, or broke */
#define POOL_REASON_SURPLUS  2  /**< max_idle are idle already */
#define POOL_REASON_CLOSED   3  /**< the pool is closed */
#define POOL_REASON_CHECK    4  /**< its check failed, or that of another while this one was suspect as well */
#define POOL_REASON_RESET    5  /**< the reset failed */
#define POOL_REASON_IDLE     6  /**< idle for idle_timeout_ms */
#define POOL_REASON_LIFETIME 7  /**< its max_lifetime_ms is over */
#define POOL_REASON_FLUSHED  8  /**< pool_flush() */
#define POOL_REASON_RESIZED  9  /**< pool_resize() made the pool smaller */
#define POOL_REASON_USES     10 /**< it was lent max_uses times */

/* Events.  Their numbers are bits of event_mask: 1 << POOL_EVENT_OPENED, ... */
#define POOL_EVENT_OPENED         1 /**< a connection was opened; duration_ns is how long it took */
#define POOL_EVENT_OPEN_FAILED    2 /**< an open failed: code, message; duration_ns is how long it took */
#define POOL_EVENT_CLOSED         3 /**< a connection was closed: reason; code, message: why a check or reset failed */
#define POOL_EVENT_LENT           4 /**< a get succeeded; duration_ns is how long it took, 0 where it did not wait */
#define POOL_EVENT_RETURNED       5 /**< a lease was put; duration_ns is how long it was out */
#define POOL_EVENT_WAITED         6 /**< a get succeeded after duration_ns in the queue; POOL_EVENT_LENT follows */
#define POOL_EVENT_TIMED_OUT      7 /**< a get ended with POOL_E_TIMEOUT, after duration_ns */
#define POOL_EVENT_OVERLOADED     8 /**< a get was refused, or its wait ended, with POOL_E_OVERLOAD, after duration_ns */
#define POOL_EVENT_CANCELLED      9 /**< a get was cancelled, after duration_ns */
#define POOL_EVENT_LEAKED         10 /**< a lease is out for longer than leak_after_ms: lease, thread, tag, duration_ns */
#define POOL_EVENT_LEAK_RETURNED  11 /**< it came back after all; POOL_EVENT_RETURNED follows */
#define POOL_EVENT_BREAKER_OPENED 12 /**< one open at a time is tried from now on: message is the cause */
#define POOL_EVENT_BREAKER_CLOSED 13 /**< a connection could be opened again */
#define POOL_EVENT_STARVED        14 /**< every connection is held by a thread that itself waits for this pool */
#define POOL_EVENT_GET_FAILED     15 /**< a get ended with any other code, after duration_ns: code, message */
#define POOL_EVENT_OPENING        16 /**< an open begins; POOL_EVENT_OPENED or POOL_EVENT_OPEN_FAILED follows */
#define POOL_EVENT_POOL_CREATED   17 /**< the first event of a pool */
#define POOL_EVENT_POOL_FLUSHED   18 /**< pool_flush() begins */
#define POOL_EVENT_POOL_PAUSED    19 /**< the first pool_pause(), or it begins paused: nothing is lent */
#define POOL_EVENT_POOL_RESUMED   20 /**< the last pool_resume(): connections are lent again */
#define POOL_EVENT_POOL_RESIZED   21 /**< pool_resize(): message says to what */
#define POOL_EVENT_POOL_CLOSED    22 /**< the first pool_close(), once it has closed what was idle */
#define POOL_EVENT_WARNING        23 /**< something is set that cannot work, or a thread could not be started: message */
#define POOL_EVENT_BUDGET_LOST    24 /**< the ledger of the budget does not answer: code, message */
#define POOL_EVENT_BUDGET_FOUND   25 /**< it answers again: message */

/** Something that happened.  It and what it points to are valid during the callback only.  Every get ends in one event:
    POOL_EVENT_LENT, _TIMED_OUT, _OVERLOADED, _CANCELLED or _GET_FAILED; a call that is no get, for a parameter is
   wrong, in none.  Those of one connection come in order: _OPENING, then _OPENED or _OPEN_FAILED; then _LENT and
   _RETURNED in turn; then _CLOSED.  Only _LEAKED, which a library thread tells, may come late if the lease is put at
   that moment. */
typedef struct {
  size_t size;
  int32_t event;       /**< POOL_EVENT_* */
  int32_t reason;      /**< POOL_REASON_* of POOL_EVENT_CLOSED */
  int32_t code;        /**< POOL_E_* of what failed, or 0 */
  int32_t reserved;    /**< 0 */
  pool_lease_t lease;  /**< which lease; of an open, close, failed get or the pool: 0 */
  int64_t connection;  /**< which connection: numbered from 1 in each pool, as opens begin; 0: none */
  int64_t thread;      /**< the thread that holds the lease, as gettid() numbers threads; 0: not known */
  int64_t duration_ns; /**< how long it took, or -1 */
  const char *pool;    /**< its name */
  const char *tag;     /**< what pool_tag() set for the lease, its beginning at least, or "" */
  const char *message; /**< of failures: why, of a get what pool_failure() says; else "" */
} pool_event_t;

/** Receives events, on the thread where each happened, several at one time perhaps, and never under a lock: it may
    call any function of the library, with the exceptions that hold for every callback.  Keep it short. */
typedef void pool_event_fn(void *user, const pool_event_t *event);

#define POOL_LOG_ERROR 1 /**< something is wrong: a breaker opened, threads starve */
#define POOL_LOG_WARN  2 /**< something may be wrong: a leak, a failed open or close */
#define POOL_LOG_INFO  3 /**< good to know: a breaker closed, a leaked lease came back */

/** Receives lines of text for people about what is rare, as pool_event_fn receives events.  Each is one line of
    UTF-8, without a newline at its end, whatever names, tags and messages of drivers are in it. */
typedef void pool_log_fn(void *user, int32_t level, const char *line);

#ifdef __cplusplus
}
#endif

#endif
