/* SPDX-License-Identifier: MIT */
#ifndef POOL_CONFIG_H
#define POOL_CONFIG_H

/**
 * @file config.h
 * The settings of a pool.  pool/pool.h includes this.
 */

#include <pool/event.h>
#include <pool/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POOL_KEEPER_THREAD 0 /**< library threads keep time and do what is due; started when something needs them */
#define POOL_KEEPER_MANUAL 1 /**< the program calls pool_maintain() */

#define POOL_QUEUE_FIFO 0 /**< waiters are served in order of arrival, always */
#define POOL_QUEUE_LIFO 1 /**< the newest first while the pool is overloaded: some in time are better than all late */
#define POOL_QUEUE_SHED 2 /**< while the pool is overloaded, the late get POOL_E_OVERLOAD as others put or come */

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

#ifndef POOL_NO_FUNCTIONS

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

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
