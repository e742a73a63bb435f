/* SPDX-License-Identifier: MIT */
#ifndef POOL_POOL_H
#define POOL_POOL_H

/**
 * @file pool.h
 * libpool: a thread-safe pool of connections.
 *
 * Words.  A *pool* keeps connections open and lends them.  A *lease* is the right to use one connection until it is
 * put back; it is a positive number, and a lease that was put back (or never existed) is recognised as such: it can
 * never reach a connection that is somebody else's by now.  (A number comes back after 2^42 leases of one slot, which
 * at a million a second is after seven weeks.)  A *vtable* holds the callbacks that open, close and use one kind of
 * connection.
 *
 * Results.  Functions return 0 or a positive value on success and a negative POOL_E_* on failure.  pool_strerror()
 * names any code; pool_failure() says why the last call of this thread failed.  Output parameters are written on
 * success only, a pool_error_t on failure only.  A NULL pool_error_t is fine everywhere.
 *
 * Time.  A parameter's name ends in its unit.  A timeout of -1 means "for ever".  A deadline (`deadline_ns`) is a
 * moment on CLOCK_MONOTONIC in nanoseconds; POOL_NO_DEADLINE means that there is none.
 *
 * Threads.  Every function may be called by any thread at any moment, with the exceptions stated at pool_free(); by a
 * signal handler none but pool_strerror() and pool_version().  A lease may be put by another thread than the one that
 * got it.  A thread may be cancelled (pthread_cancel) while it sleeps in pool_get() or pool_get_for(); no other
 * function is a cancellation point, and callbacks run with cancellation disabled.
 *
 * Callbacks.  The library holds no lock while it calls one, so a callback may call any function of the library.  Where
 * that could make a call wait for itself, the function says so.  A callback must return; it must not jump, throw or
 * unwind through the library.
 *
 * Names.  All begin with pool_ or POOL_.  Where another library has functions of such names (libsolv has a
 * pool_create() and a pool_free()), define POOL_NO_FUNCTIONS before this is included and use the table of pool/api.h:
 * none of the functions is declared then.
 *
 * Structs.  Each begins with its size, which its POOL_*_INIT sets; a struct of an older or newer header is understood.
 * Only pool_bytes_t and pool_times_t have none, and never change.
 * A pool_error_t whose size is wrong is left alone.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(POOL_STATIC)
#define POOL_API
#elif defined(__GNUC__)
#define POOL_API __attribute__((visibility("default")))
#else
#define POOL_API
#endif

#define POOL_VERSION_MAJOR 0
#define POOL_VERSION_MINOR 1
#define POOL_VERSION_PATCH 0

/* ---- error codes: explicit, never renumbered, never used again ------------------------------------------------ */

#define POOL_E_INVALID     (-1) /**< a parameter or setting is wrong; the message names it */
#define POOL_E_STALE       (-2) /**< no such lease, ticket, claim or call: over already, of another time, or never given */
#define POOL_E_CLOSED      (-3)  /**< the pool is closed */
#define POOL_E_TIMEOUT     (-4)  /**< the deadline passed; the message says in which phase */
#define POOL_E_OPEN        (-5)  /**< a connection could not be opened; the message is the driver's */
#define POOL_E_REMOTE      (-6)  /**< the server answered a call with an error; the connection is good */
#define POOL_E_BROKEN      (-7)  /**< the connection broke; it will be closed when its lease is put back */
#define POOL_E_OVERLOAD    (-8)  /**< too many are waiting already, or too many calls are in flight */
#define POOL_E_CANCELLED   (-9)  /**< pool_cancel() ended it */
#define POOL_E_UNSUPPORTED (-10) /**< this pool, driver or build cannot do that */
#define POOL_E_NOMEM       (-11) /**< memory, or the table of 131,071 slots of the process, is used up */
#define POOL_E_SIZE        (-12) /**< the size member of a struct is too small */
#define POOL_E_NEWER       (-13) /**< a struct sets members that this library does not know */
#define POOL_E_VTABLE      (-14) /**< the vtable has no open or no close */
#define POOL_E_DRIVER      (-15) /**< the driver was not found or could not be loaded */
#define POOL_E_SYSTEM      (-16) /**< the operating system refused a thread or another means */
#define POOL_E_OLDER       (-17) /**< a struct is of a release that this library no longer understands */
#define POOL_E_WILD        (-18) /**< the size member of a struct is larger than any struct: it was never set */
#define POOL_E_EVICTED     (-19) /**< pool_evict() ended the wait */

#define POOL_NO_DEADLINE INT64_MAX /**< a deadline that never comes */

/* ---- types ---------------------------------------------------------------------------------------------------- */

/** A pool: opaque and counted, see pool_ref(). */
typedef struct pool pool_t;

/** The right to use one connection.  Positive and below 2^62; the low 20 bits are the number of the slot. */
typedef int64_t pool_lease_t;

/** Bytes and how many; what is inside is the driver's business.  A reply is freed with pool_bytes_free(). */
typedef struct {
  void *data;
  size_t size;
} pool_bytes_t;

/** What went wrong. `native` is the driver's own number (an errno, say), or 0.  The message is one line. */
typedef struct {
  size_t size;
  int32_t code;
  int32_t native;
  char message[240];
} pool_error_t;
/* clang-format off */
#define POOL_ERROR_INIT { sizeof(pool_error_t), 0, 0, { 0 } }
/* clang-format on */

#define POOL_KEEPER_THREAD 0 /**< library threads keep time and do what is due; started when something needs them */
#define POOL_KEEPER_MANUAL 1 /**< the program calls pool_maintain() */

#define POOL_QUEUE_FIFO 0 /**< waiters are served in order of arrival, always */
#define POOL_QUEUE_LIFO 1 /**< the newest first while the pool is overloaded: some in time are better than all late */
#define POOL_QUEUE_SHED 2 /**< while the pool is overloaded, the late get POOL_E_OVERLOAD as others put or come */

/* Why a connection was closed. */
#define POOL_REASON_NONE     0
#define POOL_REASON_UNUSABLE 1 /**< marked unusable, or broke */
#define POOL_REASON_SURPLUS  2 /**< max_idle are idle already */
#define POOL_REASON_CLOSED   3 /**< the pool is closed */
#define POOL_REASON_CHECK    4 /**< its check failed, or that of another while this one was suspect as well */
#define POOL_REASON_RESET    5 /**< the reset failed */
#define POOL_REASON_IDLE     6 /**< idle for idle_timeout_ms */
#define POOL_REASON_LIFETIME 7 /**< its max_lifetime_ms is over */
#define POOL_REASON_FLUSHED  8 /**< pool_flush() */
#define POOL_REASON_RESIZED  9 /**< pool_resize() made the pool smaller */

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
  int64_t thread;      /**< who holds the lease, as gettid() numbers threads; 0: not known */
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

/** Settings of a pool.  Begin with POOL_CONFIG_INIT and change what you need; the library copies what it keeps.
    Times that end a thing on their own (idle_timeout_ms and so on) are kept by library threads or pool_maintain(), to
    within a quarter of themselves while connections are in use.  Where those are late, because the program or the
    machine was stopped or nobody calls pool_maintain(), a get finds that out: what is overdue by idle_timeout_ms,
    max_lifetime_ms or check_after_ms is not lent; where it is not known since when a connection has been idle, it may
    be checked or closed too early.  Leave room between min_idle and max_idle. */
typedef struct {
  size_t size;
  const char *name;       /**< shown in messages and reports, so best one for each pool; at most 47 bytes are kept, with
                               a question mark for what is no text of one line; NULL means "pool" */
  int32_t initial;        /**< opened by pool_create(), at least 0 (the ancestor's initialCap) */
  int32_t min_idle;       /**< so many are kept idle: opened in the background as others are lent or closed; after a
                                  failed open again after a second, or when retry_min_ms says */
  int32_t max_idle;       /**< more than that are closed on return (the ancestor's maxCap); at least 1, or -1: as
                               many as max_open, or where there is no hard cap the most of 10, twice min_idle and
                               min_open */
  int32_t min_open;       /**< so many are kept open, idle and lent together: opened in the background as min_idle is,
                               and not closed by idle_timeout_ms; 0: none.  At most max_open and max_idle */
  int32_t max_open;       /**< hard cap on connections open, being opened or being closed; 0: none */
  int32_t max_opening;    /**< at most so many are being opened at one time; 0: no limit */
  int32_t max_waiters;    /**< at most so many wait for a connection, the next gets POOL_E_OVERLOAD; 0: no limit */
  int32_t openers;        /**< 0: who needs a connection opens it in its own thread; n: up to n library threads do,
                               and a caller takes a returned or an opened connection, whichever comes first */
  int32_t keeper;         /**< POOL_KEEPER_* */
  int32_t fairness_us;    /**< how long the first waiter may be overtaken by running threads; then it is handed the
                               next connection directly.  0: never overtaken */
  int32_t queue;          /**< POOL_QUEUE_*: what happens when every waiter is late */
  int32_t retire_percent; /**< 1 to 100: of those open, at most so many (rounded up) are retired in one interval, as
                               long as none gets older than max_lifetime_ms; there are 400 / retire_percent intervals
                               (rounded) to a lifetime */
  int32_t breaker_after;  /**< after this number of failed opens in a row (with retry_min_ms) one open at a time is
                               tried, and gets for which nothing is left that could come fail at once; 0: never */
  int32_t background_reset; /**< 1: a library thread (or pool_maintain) runs the vtable's reset, not who puts */
  int32_t paused;     /**< 1: the pool begins paused, as after one pool_pause(); the initial connections are opened */
  int32_t event_mask; /**< which events to tell, bits 1 << POOL_EVENT_*; 0: all */
  int64_t get_timeout_ms;    /**< how long pool_get() takes at most, at least 1, or -1: no limit; the deadline covers
                                  queue, open and check together */
  int64_t call_timeout_ms;   /**< deadline of pool_call() and pool_go(), -1: none */
  int64_t idle_timeout_ms;   /**< idle for so long, a connection is closed, down to min_idle and min_open; 0 or -1:
                                  never */
  int64_t max_lifetime_ms;   /**< no connection gets older, but the one that is lent is closed on return; 0 or -1: no
                                  limit.  They are retired a bit earlier, evenly, see retire_percent */
  int64_t check_after_ms;    /**< idle for so long, a connection is checked before it is lent; 0: always, -1: never */
  int64_t check_timeout_ms;  /**< how long a check takes at most, at least 1, and never longer than its get has left; one
                                  that takes longer has failed; -1: as long as its get has */
  int64_t keepalive_ms;      /**< idle for so long, a connection is checked in the background; 0 or -1: never */
  int64_t leak_after_ms;     /**< a lease that is out for so long is reported, see events and log; 0 or -1: never */
  int64_t retry_min_ms;      /**< after a failed open the next waits so long, doubling up to retry_max_ms, less up to a
                                  half at random; 0 or -1: no back-off and no breaker */
  int64_t retry_max_ms;      /**< at least retry_min_ms */
  int64_t overload_after_ms; /**< the pool is overloaded when the first waiter has waited so long, and that has been so
                                  for as long again; for queue */
  pool_event_fn *events;     /**< receives events, or NULL */
  pool_log_fn *log;          /**< receives lines for people, or NULL */
  void *user;                /**< handed to events and log; it must live as long as the vtable's context */
} pool_config_t;
/* clang-format off */
#define POOL_CONFIG_INIT { sizeof(pool_config_t), NULL, 0, 0, -1, 0, 0, 0, 0, 0, POOL_KEEPER_THREAD, 1000, \
                           POOL_QUEUE_FIFO, 10, 5, 0, 0, 0, 30000, -1, 0, 0, -1, 5000, 0, 0, 0, 5000, 100, \
                           NULL, NULL, NULL }
/* clang-format on */

/** A call under way, in the hands of a driver: see pool_vtable_t::go. */
typedef struct pool_call pool_call_t;

/** The connection takes many calls at one time, from any threads: it may be lent while calls of an earlier lease are
    still under way, and a call that timed out leaves it good. */
#define POOL_VTABLE_MULTIPLEXED 1u

/**
 * The callbacks for one kind of connection; `context` is the pointer that was given to pool_create().  `open` and
 * `close` are required, the others may be NULL.  Each runs on the thread that needs it (that of a pool_get, pool_put,
 * pool_close, ..., or one of the library's openers) and under no lock.  For one connection at most one of open, check,
 * reset and close runs at one time, and none of them while a call is under way, except that the check of a multiplexed
 * connection may meet calls.  Idea from the function tables of ADBC drivers: checked and filled once, then called
 * freely.
 */
typedef struct {
  size_t size;
  /** Opens a connection before the deadline and stores it (not NULL).  Returns 0, or not 0 with *error filled:
      POOL_E_TIMEOUT and POOL_E_NOMEM are passed on as such, everything else reaches the caller as POOL_E_OPEN. */
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
  /** Called in the child after fork, from within fork(): frees descriptors and sends nothing.  Must only do what is
      safe there: close(2) is.  NULL leaves the connection as it is. */
  void (*abandon)(void *context, void *conn);
  /** Makes a call and waits for its reply, whose data comes from pool_bytes_new().  0; POOL_E_REMOTE with the server's
      error in *error; POOL_E_INVALID, POOL_E_UNSUPPORTED, POOL_E_OVERLOAD, POOL_E_NOMEM or POOL_E_SYSTEM: not sent;
      POOL_E_TIMEOUT; else the connection is broken. */
  int (*call)(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
              int64_t deadline_ns, pool_error_t *error);
  /** Starts a call and returns 0; whoever learns its end calls pool_call_done() exactly once, on any thread, from
     within go if need be.  Not 0, with the meaning of `call`: nothing was started and pool_call_done() must not be
     called. */
  int (*go)(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call);
  /** Called once, when the pool is gone and no callback will follow: frees the context. */
  void (*release)(void *context);
  uint32_t flags;    /**< POOL_VTABLE_*; unknown bits are refused */
  uint32_t reserved; /**< 0 */
} pool_vtable_t;
/* clang-format off */
#define POOL_VTABLE_INIT { sizeof(pool_vtable_t), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0 }
/* clang-format on */

/** How long something took, from a histogram: quantiles are off by at most 1.6 %. */
typedef struct {
  int64_t count;
  int64_t sum_ns;
  int64_t p50_ns, p90_ns, p99_ns, p999_ns;
  int64_t max_ns; /**< exact */
} pool_times_t;

/** Counts of a pool, taken at one moment without stopping it.  The first five are states, the others only grow.  Each
    get is one of lent or leased, or of timed_out, found_none, overloaded, cancelled, failed_fast, failed_open,
    failed_closed, failed_nomem, failed_system and evicted; a call that is no get, because a parameter is wrong, is none
    of them. */
typedef struct {
  size_t size;
  int64_t open;            /**< all places taken: idle, leased, being opened, checked, reset or closed */
  int64_t idle;            /**< ready to be lent, as pool_len() counts them */
  int64_t leased;          /**< lent */
  int64_t opening;         /**< being opened */
  int64_t waiting;         /**< waiters in the queue */
  int64_t lent;            /**< leases that ended; counted at no cost to get and put */
  int64_t opened;          /**< connections opened */
  int64_t closed;          /**< connections closed, for any reason */
  int64_t open_failures;   /**< opens that failed */
  int64_t checks;          /**< checks made */
  int64_t check_failures;  /**< checks that found a dead connection */
  int64_t resets;          /**< resets made */
  int64_t reset_failures;  /**< resets that failed */
  int64_t close_failures;  /**< closes that returned an error */
  int64_t closed_unusable; /**< closed because they were marked unusable or broke */
  int64_t closed_surplus;  /**< closed because max_idle were idle */
  int64_t closed_idle;     /**< closed because of idle_timeout_ms */
  int64_t closed_lifetime; /**< closed because of max_lifetime_ms */
  int64_t closed_flushed;  /**< closed because of pool_flush() */
  int64_t closed_resized;  /**< closed because of pool_resize() */
  int64_t waited;          /**< waits that ended with a connection, or with the right to open one */
  int64_t timed_out;       /**< gets that ended with POOL_E_TIMEOUT, wherever their time went */
  int64_t overloaded;      /**< gets refused because max_waiters were waiting, or shed from the queue */
  int64_t cancelled;       /**< gets ended by pool_cancel(), or by pool_step_cancel() before their deadline */
  int64_t failed_fast;     /**< gets that failed at once with POOL_E_OPEN because the breaker was open */
  int64_t breaker_opened;  /**< how often the breaker opened */
  int64_t leaked;          /**< leases reported because of leak_after_ms */
  int64_t starved;         /**< how often every connection was held by a thread that waited for this pool */
  int64_t wait_ns;         /**< sum of all waits in the queue, however they ended */
  int64_t wait_max_ns;     /**< the longest of them */
  pool_times_t wait;       /**< time in the queue, of each wait that is counted in waited */
  pool_times_t open_time;  /**< of each open that succeeded */
  pool_times_t check_time; /**< of each check */
  pool_times_t use;        /**< from get to put, of one lease in 1024 of each slot, its first among them */
  int64_t found_none;      /**< gets without time to wait (timeout_ms 0) that found nothing: POOL_E_TIMEOUT */
  int64_t failed_open;     /**< gets that ended with POOL_E_OPEN after an open failed */
  int64_t failed_closed;   /**< gets that ended with POOL_E_CLOSED */
  int64_t failed_nomem;    /**< gets that ended with POOL_E_NOMEM */
  int64_t failed_system;   /**< gets that ended with POOL_E_SYSTEM */
  int64_t evicted;         /**< gets that ended with POOL_E_EVICTED */
} pool_stats_t;
/* clang-format off */
#define POOL_TIMES_INIT { 0, 0, 0, 0, 0, 0, 0 }
#define POOL_STATS_INIT { sizeof(pool_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
                          0, 0, 0, 0, 0, 0, POOL_TIMES_INIT, POOL_TIMES_INIT, POOL_TIMES_INIT, POOL_TIMES_INIT, \
                          0, 0, 0, 0, 0, 0 }
/* clang-format on */

#define POOL_FORMAT_TEXT       0 /**< a table for people */
#define POOL_FORMAT_JSON       1 /**< one object; durations are in nanoseconds */
#define POOL_FORMAT_PROMETHEUS 2 /**< Prometheus's text exposition format; durations are in seconds */

/** A lease that is out. */
typedef struct {
  size_t size;
  pool_lease_t lease;
  int64_t thread;     /**< who got it, as gettid() numbers threads; 0: not known */
  int64_t held_ns;    /**< for how long, at least: get reads no clock, so this counts from when somebody looked */
  char tag[48];       /**< the beginning of what pool_tag() set, or "" */
  int64_t connection; /**< as in pool_event_t */
} pool_lease_info_t;
/* clang-format off */
#define POOL_LEASE_INFO_INIT { sizeof(pool_lease_info_t), 0, 0, 0, { 0 }, 0 }
/* clang-format on */

/** Ends a pool_get_async(): `result` is a lease or a POOL_E_*; pool_failure() has the details of the latter. */
typedef void pool_got_fn(void *user, pool_lease_t result);

/** Ends a pool_go().  `code` is 0 or a POOL_E_*.  The receiver owns the reply and frees it with pool_bytes_free(); for
    POOL_E_REMOTE it holds the server's error. */
typedef void pool_done_fn(void *user, int32_t code, pool_bytes_t reply);

#ifndef POOL_NO_FUNCTIONS

/* ---- the pool ------------------------------------------------------------------------------------------------- */

/**
 * Makes a pool and opens its first `initial` connections, one after the other.  If one of them fails, those that
 * were opened are closed and the whole call fails with the driver's message.  Where it fails no callback follows, the
 * vtable's release neither: the context stays the caller's.
 *
 * Blocks: as long as the opens take; each has get_timeout_ms.
 * Ownership: config and vtable are copied.  The context must live until the vtable's release is called.  That is when
 * the last reference was given up, each connection has been put and closed, every get and call under way has ended, and
 * no library thread of the pool runs any more; it may be long after pool_free(), and on any thread.  A program without
 * a release calls pool_close(pool, -1), which returns 0 when no callback of the vtable will follow, then pool_free().
 * The pool is given back with pool_free(). Threads: any.  From a callback: yes. Errors: POOL_E_INVALID (message names
 * the setting), POOL_E_VTABLE, POOL_E_SIZE, POOL_E_WILD, POOL_E_NEWER; of an initial connection POOL_E_OPEN,
 * POOL_E_TIMEOUT; POOL_E_NOMEM.  Since 0.1.  Idea: NewChannelPool of the Go packages fatih/pool and maxatome/pool.
 *
 * @param config  settings, or NULL for the defaults
 * @param vtable  the callbacks
 * @param context handed to each callback
 * @param pool    receives the pool
 * @param error   receives what went wrong, or NULL
 */
POOL_API int pool_create(const pool_config_t *config, const pool_vtable_t *vtable, void *context, pool_t **pool,
                         pool_error_t *error);

/**
 * Counts one more owner of the pool; each owner calls pool_free() once.
 *
 * Blocks: no.  Threads: any that owns a reference.  From a callback: yes.
 * Returns the same pool (NULL for NULL).  Since 0.1.
 */
POOL_API pool_t *pool_ref(pool_t *pool);

/**
 * Gives up one reference.  The last one closes the pool as pool_close(pool, 0) does; connections that are lent then are
 * closed when they are put, and the memory is reused after that.  NULL is fine.
 *
 * Blocks: while idle connections are being closed.  Threads: any, but nobody may use the pool's pointer after giving up
 * his reference, nor during it; leases may still be put.  Waiters of other threads get POOL_E_CLOSED.
 * From a callback: yes.  Since 0.1.
 */
POOL_API void pool_free(pool_t *pool);

/**
 * Closes the pool: from now on nobody gets a connection, all waiters get POOL_E_CLOSED, idle connections are closed,
 * others are closed when they are put or when their opening ends.  May be called again, also to go on draining.
 *
 * Blocks: while idle connections are being closed, then up to drain_ms (0: not at all, -1: without limit) until the
 * last connection has come back and been closed and no library thread of the pool runs.  An open under way never delays
 * it beyond that.  While it waits it does what pool_maintain() would with POOL_KEEPER_MANUAL: it runs the callbacks that
 * are due.  If its own thread holds a lease it says so in the log at once, and after three seconds who else holds what.
 * Where it is certain that nobody could put what it waits for (drain_ms is -1, whatever is open is lent to its thread,
 * and the process has no other) it returns POOL_E_INVALID at once, and the message names the lease: put it and call
 * again; the pool is closed by then.
 * Threads: any.  From a callback of the same pool: with drain_ms 0 only, else POOL_E_INVALID, for it would wait for
 * itself.  Returns how many connections are still open (0: all is closed), and pool_leases() says who holds them; or
 * POOL_E_INVALID.  Since 0.1.
 */
POOL_API int pool_close(pool_t *pool, int64_t drain_ms);

/**
 * Does what is due: ends asynchronous gets that are served, cancelled or past their deadline, and looks after idle
 * times, lifetimes, checks, leaks and retries.  Needed with POOL_KEEPER_MANUAL, where without openers it also runs the
 * callbacks that are due (close, check, reset, and open for min_idle, min_open or to find out whether a server is
 * back); harmless otherwise.
 *
 * Blocks: no longer than the callbacks take, each of which has get_timeout_ms.  Threads: any; one at a time does the
 * work.  From a callback: yes, and does nothing if that runs within pool_maintain() of the same pool.
 * Returns the nanoseconds until the next thing is due (INT64_MAX: nothing is), or POOL_E_INVALID.  Since 0.1.
 */
POOL_API int64_t pool_maintain(pool_t *pool);

/* ---- control -------------------------------------------------------------------------------------------------- */

/**
 * Replaces all connections: those that are idle are closed now, those that are lent or in other hands when they come
 * back, those that are being opened as soon as they are open.  None of them is lent again after this call has returned.
 * The pool goes on; what is opened from now on is new.
 *
 * Blocks: no, but runs the vtable's close.  Threads: any.  From a callback: yes.
 * Returns how many connections are concerned, or POOL_E_INVALID.  Since 0.1.  Idea: Reset of puddle, generations of
 * MongoDB's CMAP.
 */
POOL_API int pool_flush(pool_t *pool);

/**
 * Lends nothing until pool_resume(): gets wait, until their deadline.  Puts are as ever.  Pauses are counted: each
 * needs a resume of its own, so two threads may pause at one time.  A child of fork inherits them.
 *
 * Blocks: no; the leases that are out stay valid.  Threads: any.  From a callback: yes.
 * Returns how many connections are in use: lent, with a call under way, or being opened, checked, reset or closed.  0
 * means that the pool is quiet: until pool_resume() nothing begins but what time asks for (keepalive_ms and the ends of
 * what is idle).  Or POOL_E_INVALID, POOL_E_CLOSED.  Since 0.1.
 * Idea: PAUSE of pgbouncer.
 */
POOL_API int pool_pause(pool_t *pool);

/**
 * Takes one pool_pause() back; after the last, waiters are served in order.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns how many pauses remain; or POOL_E_INVALID if there was none.  Since 0.1.
 */
POOL_API int pool_resume(pool_t *pool);

/**
 * Ends the waits of all gets that are in the queue now, with POOL_E_EVICTED.  Gets that come later wait as ever; but
 * those that would have to wait in a pool that is paused get POOL_E_EVICTED at once, until its last pool_resume().  It
 * goes with the other functions of this section where nobody should wait for what is to come: after pool_pause(), so
 * that a get fails now and not at its deadline; before or after pool_flush(), so that none of the gets that hoped for the
 * old server is served by the new one.  A get that is opening or checking a connection right now is not in the queue.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns how many waits it ended, or POOL_E_INVALID.  Since 0.1.  Idea: the clear of MongoDB's CMAP.
 */
POOL_API int pool_evict(pool_t *pool);

/**
 * Changes the hard cap.  Larger: waiters may open at once.  Smaller: idle connections that are too many are closed now,
 * others when they come back.  Where max_idle was -1 it follows.
 *
 * Blocks: no, but runs the vtable's close.  Threads: any.  From a callback: yes.
 * Returns how many connections are still too many, and will be closed as they come back; or POOL_E_INVALID: out of
 * range, or below min_idle or min_open; POOL_E_CLOSED.  Since 0.1.  Idea: SetMaxOpenConns of database/sql.
 *
 * @param max_open as the setting: 0 means no hard cap
 */
POOL_API int pool_resize(pool_t *pool, int32_t max_open);

/**
 * Notes beside a lease what it is used for, until it is put; pool_leases() and the events of a leak show it.  The text
 * is copied, with a question mark for what is no text of one line; NULL or "" takes the note back.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: POOL_E_STALE, POOL_E_NOMEM.  Since 0.1.
 */
POOL_API int pool_tag(pool_lease_t lease, const char *tag);

/**
 * Lists the leases that are out, as many as there is room for.
 *
 * Blocks: no longer than a scan of the slots.  Threads: any.  From a callback: yes.
 * Returns how many are out, which may be more than were listed; or POOL_E_INVALID, POOL_E_SIZE, POOL_E_WILD.
 * Since 0.1.
 *
 * @param list begins with an element whose size is set (POOL_LEASE_INFO_INIT); all are written with that size.  NULL
 *             with room 0 only counts
 * @param room how many elements there are
 */
POOL_API int64_t pool_leases(pool_t *pool, pool_lease_info_t *list, size_t room);

/**
 * A descriptor that becomes readable when pool_maintain() has something to do because of an asynchronous get, or
 * because something will be due sooner than it had said, for a pool with POOL_KEEPER_MANUAL: any event loop can watch
 * it.  What is due by time alone is told by what pool_maintain() returns.  pool_maintain() makes it unreadable again;
 * do not read it yourself.
 *
 * Blocks: no.  Ownership: the pool's, which closes it at its end.  Threads: any.  From a callback: yes.
 * Returns the descriptor, always the same; or POOL_E_INVALID, POOL_E_UNSUPPORTED (the keeper is a thread, or the system
 * has no eventfd), POOL_E_SYSTEM.  In a child of fork the same number is a new eventfd.  Since 0.1.
 */
POOL_API int pool_event_fd(pool_t *pool);

/* ---- get and put ---------------------------------------------------------------------------------------------- */

/**
 * Gets a connection: an idle one, else a new one if the caps allow, else the next that is put, in order of arrival.
 * The same as pool_get_for() with the configured get_timeout_ms.
 *
 * If a connection cannot be opened, the get waits for what others put or open, and tries again when back-off permits,
 * as long as a connection exists that may still come to it.  If there is none, it fails at once with POOL_E_OPEN.  A
 * get never runs close or reset: library threads, pool_maintain() or a later put do.
 *
 * Blocks: up to get_timeout_ms; not at all if a connection is idle and needs no check.
 * Ownership: the lease is put with pool_put(), once.
 * Threads: any.  From a callback: yes; it may wait for the caller's own leases, so give it a timeout.
 * Errors: POOL_E_CLOSED, POOL_E_TIMEOUT, POOL_E_OPEN, POOL_E_OVERLOAD, POOL_E_NOMEM, POOL_E_SYSTEM (no thread to open
 * with), POOL_E_EVICTED, POOL_E_INVALID (pool is NULL), POOL_E_UNSUPPORTED (of a pool of the step API).  Since 0.1.
 * Idea: Get of maxatome/pool; speed from HikariCP's reuse by thread, order from puddle.
 */
POOL_API pool_lease_t pool_get(pool_t *pool);

/**
 * pool_get() with a timeout of its own.  0 does not wait for others: an idle connection is taken or, where the caps
 * allow and there are no openers, a new one opened, for which get_timeout_ms is the limit.  With openers, one of them
 * begins to open a connection, for a later call.
 *
 * A connection whose opening outlasts the deadline is kept for the next caller, and this call ends with POOL_E_TIMEOUT.
 *
 * Blocks: up to timeout_ms; with 0 as long as an open or a check takes.  Ownership: as pool_get().  Threads: any.  From
 * a callback: yes, as pool_get(). Errors: those of pool_get(), and POOL_E_INVALID for less than -1.  Since 0.1.
 *
 * @param timeout_ms milliseconds, 0: do not wait, -1: for ever
 */
POOL_API pool_lease_t pool_get_for(pool_t *pool, int64_t timeout_ms);

/**
 * Puts a connection back.  It serves the first waiter, becomes idle, or is closed: if it was marked unusable or broke,
 * if its reset fails, if max_idle connections are idle already, or if the pool is closed.  If a pool_go() of it is
 * under way and the vtable is not multiplexed, all that happens when the call is done.
 *
 * Blocks: no, but runs the vtable's reset or close where needed.
 * Threads: any; two threads that put one lease at one moment: one succeeds.  From a callback: yes.
 * Errors: POOL_E_STALE, and then nothing was touched; POOL_E_UNSUPPORTED for a lease of the step API.  Since 0.1.
 */
POOL_API int pool_put(pool_lease_t lease);

/**
 * Marks a leased connection as unusable: it is closed when it is put.  The others are under no suspicion.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: POOL_E_STALE.  Since 0.1.  Idea: MarkUnusable of
 * fatih/pool.
 */
POOL_API int pool_mark_unusable(pool_lease_t lease);

/**
 * Says that a leased connection broke: it is closed when it is put, as after pool_mark_unusable(), and the others are
 * under suspicion, as after a pool_call() that ended with POOL_E_BROKEN: those that are idle are checked before they
 * are lent, if the vtable can.  For those who use what pool_conn() gives them; a connection that is no longer of use
 * for a reason of its own is marked with pool_mark_unusable().
 *
 * Blocks: no longer than a scan of the slots.  Threads: any.  From a callback: yes.  Errors: POOL_E_STALE.  Since 0.1.
 */
POOL_API int pool_mark_broken(pool_lease_t lease);

/**
 * The connection of a lease, as the vtable's open stored it; NULL if the lease is stale.  Valid until the lease is put.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Since 0.1.
 */
POOL_API void *pool_conn(pool_lease_t lease);

/**
 * Asks for a connection and returns at once; `got` is called exactly once with the lease or an error.
 *
 * `got` runs on the pool's keeper thread or, with POOL_KEEPER_MANUAL, inside pool_maintain(); never inside this call.
 * A new connection is opened by a library thread, also with openers = 0.  Blocks: no.  Threads: any.
 * From a callback: yes.
 * Returns a ticket for pool_cancel(), positive; or POOL_E_INVALID, POOL_E_UNSUPPORTED (of a pool of the step API),
 * POOL_E_CLOSED, POOL_E_OVERLOAD, POOL_E_EVICTED (of a pool that is paused), POOL_E_NOMEM, POOL_E_SYSTEM, and then `got`
 * is not called.  What `got` may receive in place of a lease: POOL_E_CLOSED, POOL_E_TIMEOUT, POOL_E_OPEN,
 * POOL_E_OVERLOAD, POOL_E_CANCELLED, POOL_E_EVICTED, POOL_E_NOMEM, POOL_E_SYSTEM.  Since 0.1.
 *
 * @param timeout_ms milliseconds, 0: only what is idle now, -1: for ever
 */
POOL_API int64_t pool_get_async(pool_t *pool, int64_t timeout_ms, pool_got_fn *got, void *user);

/**
 * Cancels a pool_get_async(): its callback gets POOL_E_CANCELLED, on the keeper.  If it was being given a connection at
 * this moment, the connection goes to the next.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_STALE: the callback has run, is running or was about to: the result stands.  Since 0.1.
 */
POOL_API int pool_cancel(int64_t ticket);

/* ---- calls ---------------------------------------------------------------------------------------------------- */

/**
 * Calls a method of the server over a leased connection and waits for the reply.
 *
 * Blocks: up to call_timeout_ms.
 * Ownership: args are borrowed during the call; the reply is freed with pool_bytes_free().
 * Threads: any; more than one call at a time on one lease only if the driver is multiplexed.  From a callback: yes.
 * Errors: POOL_E_REMOTE (the server's error, in *error; the connection is good), POOL_E_TIMEOUT (of a driver that is
 * not multiplexed the connection is unusable then), POOL_E_BROKEN (unusable), POOL_E_CANCELLED (by the driver;
 * unusable), POOL_E_STALE; and, with the connection as it was, POOL_E_UNSUPPORTED, POOL_E_INVALID, POOL_E_OVERLOAD (too
 * many calls are under way, 4095 at most on one connection), POOL_E_NOMEM, POOL_E_SYSTEM.  Where the connection is
 * unusable its idle siblings are checked before they are lent, if the vtable can.  Since 0.1.  Idea: Call of
 * maxatome/pool's RpcAble.
 *
 * @param reply receives the reply; NULL if it is of no interest
 */
POOL_API int pool_call(pool_lease_t lease, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                       pool_error_t *error);

/**
 * Starts a call and returns; `done` is called exactly once, on a thread of the driver or inside this call.
 *
 * The lease may be put before the call is done, also from inside `done`.
 * Blocks: no longer than the driver needs to send.  Ownership: args are borrowed during this call.
 * Threads: any.  From a callback: yes.
 * Returns a positive number.  Errors: those of pool_call() with the same meanings, and then `done` is not called.
 * Since 0.1.  Idea: Go of maxatome/pool's RpcAble.
 */
POOL_API int64_t pool_go(pool_lease_t lease, const char *method, pool_bytes_t args, pool_done_fn *done, void *user);

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
 * Frees a reply and makes it empty.  NULL and empty are fine.  Blocks: no.  Threads: any.  From a callback: yes.
 * Since 0.1.
 */
POOL_API void pool_bytes_free(pool_bytes_t *bytes);

/* ---- seeing --------------------------------------------------------------------------------------------------- */

/**
 * How many connections are idle; 0 after close and for NULL.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Since 0.1.  Idea: Len of fatih/pool.
 */
POOL_API size_t pool_len(pool_t *pool);

/**
 * Fills in the counts of a pool, as many as the caller's struct has.
 *
 * Blocks: no longer than a scan of the slots.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID, POOL_E_SIZE, POOL_E_WILD.  Since 0.1.
 */
POOL_API int pool_stats(pool_t *pool, pool_stats_t *stats);

/**
 * Writes what pool_stats() knows as text: for people, as JSON, or in Prometheus's exposition format with cumulative
 * histograms.
 *
 * Blocks: no longer than a scan of the slots.  Ownership: the text, which ends in a zero byte that its size does not
 * count, is freed with pool_bytes_free().  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID, POOL_E_NOMEM.  Since 0.1.
 *
 * @param pool   a pool, or NULL for all pools of the process together (one document)
 * @param format POOL_FORMAT_*
 */
POOL_API int pool_report(pool_t *pool, int32_t format, pool_bytes_t *text);

/**
 * Looks whether a socket could serve somebody new: for the check and reset of drivers.  A connection on which bytes
 * wait to be read carries somebody's late reply and must not be lent again.
 *
 * Blocks: never, also if the socket would.  Threads: any.  From a callback: yes.
 * Returns 0 if the socket is connected and nothing is to be read; the number of unread bytes (a waiting datagram counts
 * as one at least, for it may be empty); POOL_E_BROKEN at the end of file, after an error of the socket (it is taken
 * from the socket and is `native` of pool_failure()) or if the socket is not connected, a listening one for example;
 * POOL_E_INVALID if it is no socket.  Since 0.1.  Idea: connCheck of Go's MySQL driver.
 */
POOL_API int64_t pool_socket_idle(int fd);

/**
 * Why the last failed call of this thread failed: code, message and the driver's own number.
 *
 * Blocks: no.  Threads: each has its own.  From a callback: yes.
 * Returns the code (0: nothing failed yet); `error` may be NULL.  Since 0.1.
 */
POOL_API int pool_failure(pool_error_t *error);

/**
 * What a code means, in a few words.  Total: any number gets a text.  The text is static.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Since 0.1.
 */
POOL_API const char *pool_strerror(int64_t code);

/**
 * The version of the library that is running, as "MAJOR.MINOR.PATCH".  The text is static.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Since 0.1.
 */
POOL_API const char *pool_version(void);

/**
 * Whether the library that is running can do something, by name:
 *
 *  - "event_fd": pool_event_fd() has what it needs of the system
 *  - "probes": it was built with static probes for tracers
 *  - "step": the step API, pool/step.h
 *  - "drivers": drivers are loaded, pool/driver.h
 *  - "api": pool_get_api(), pool/api.h
 *
 * A later release has names for what it adds, so an older one says no to them.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns 1, or 0: no, or no such name; or POOL_E_INVALID for NULL.  Since 0.1.  Idea: xkb_feature_supported of
 * libxkbcommon.
 */
POOL_API int pool_supports(const char *feature);

/* ---- POOL_*_INIT for callers that have no C compiler ---------------------------------------------------------- */

/**
 * Makes a struct of settings what POOL_CONFIG_INIT makes it, in a caller's memory of any release: what there is beyond
 * `size` is not written, and what the caller has and this library does not know becomes 0.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (config is NULL), POOL_E_SIZE, POOL_E_WILD; nothing was written then.  Since 0.1.
 *
 * @param size how many bytes the struct has
 */
POOL_API int pool_config_init(pool_config_t *config, size_t size);

/**
 * The same for POOL_VTABLE_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_vtable_init(pool_vtable_t *vtable, size_t size);

/**
 * The same for POOL_ERROR_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_error_init(pool_error_t *error, size_t size);

/**
 * The same for POOL_STATS_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_stats_init(pool_stats_t *stats, size_t size);

/**
 * The same for POOL_LEASE_INFO_INIT; of a list, the first element is enough.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_lease_info_init(pool_lease_info_t *info, size_t size);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
