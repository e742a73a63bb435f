/* SPDX-License-Identifier: MIT */
#ifndef POOL_STATS_H
#define POOL_STATS_H

/**
 * @file stats.h
 * What a pool has done, and the holders of its leases: counts, reports and lists of leases.  pool/pool.h includes this.
 */

#include <pool/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How long something took, from a histogram: quantiles are off by at most 1.6 %. */
typedef struct {
  int64_t count;
  int64_t sum_ns;
  int64_t p50_ns, p90_ns, p99_ns, p999_ns;
  int64_t max_ns; /**< exact */
} pool_times_t;

/** Counts of a pool, taken at one moment without stopping it.  The first five are states, as are those of max_open and
    after it; the others only grow.  Each
    get is one of lent or leased, or of timed_out, found_none, overloaded, cancelled, failed_fast, failed_open,
    failed_closed, failed_nomem, failed_system and evicted. A call that is no get, because a parameter is wrong, is none
    of them. */
typedef struct {
  size_t size;
  int64_t open;            /**< all that count against max_open: idle, leased, being opened, checked, reset or closed */
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
  int64_t waited;          /**< gets that waited and got a lease */
  int64_t timed_out;       /**< gets that ended with POOL_E_TIMEOUT, wherever their time went */
  int64_t overloaded;      /**< gets refused because max_waiters were waiting, or shed from the queue */
  int64_t cancelled;       /**< gets ended by pool_cancel(), or by pool_step_cancel() before their deadline */
  int64_t failed_fast;     /**< gets that failed at once with POOL_E_OPEN because the breaker was open */
  int64_t breaker_opened;  /**< how often the breaker opened */
  int64_t leaked;          /**< leases reported because of leak_after_ms */
  int64_t starved;         /**< how often every connection was held by a thread that waited for this pool */
  int64_t wait_ns;         /**< sum of all waits in the queue, however they ended */
  int64_t wait_max_ns;     /**< the longest of them */
  pool_times_t wait;       /**< time in the queue, of gets that waited and got a lease */
  pool_times_t open_time;  /**< of each open that succeeded */
  pool_times_t check_time; /**< of each check */
  pool_times_t use;        /**< from get to put, of one lease in 1024 of each slot, its first among them */
  int64_t found_none;      /**< gets without time to wait (timeout_ms 0) that found nothing: POOL_E_TIMEOUT */
  int64_t failed_open;     /**< gets that ended with POOL_E_OPEN after an open failed */
  int64_t failed_closed;   /**< gets that ended with POOL_E_CLOSED */
  int64_t failed_nomem;    /**< gets that ended with POOL_E_NOMEM */
  int64_t failed_system;   /**< gets that ended with POOL_E_SYSTEM */
  int64_t evicted;         /**< gets that ended with POOL_E_EVICTED */
  int64_t closed_uses;     /**< connections closed because of max_uses */
  int64_t at_once;         /**< gets that got a lease without a wait in the queue */
  int64_t max_open;        /**< the hard cap at this moment; 0: none */
  int64_t max_idle;        /**< how many may be idle at this moment */
  int64_t min_idle;        /**< how many are kept idle */
  int64_t paused;          /**< 1 while the pool is paused, else 0 */
  int64_t breaker_open;    /**< 1 while the breaker is open, else 0 */
  int64_t oldest_wait_ns;  /**< how long the first waiter has been waiting; 0: nobody waits */
  int64_t oldest_lease_ns; /**< how long the oldest lease has been out, at least: see held_ns of pool_lease_info_t */
  int64_t budget_limit;    /**< permits of the budget; 0: the pool shares none, or its ledger has not answered */
  int64_t budget_granted;  /**< of these, those that this pool has */
  int64_t budget_share;    /**< what it is to come to: its share */
  int64_t budget_cut_off;  /**< 1 while the ledger does not answer and the term is over, else 0 */
  int64_t budget_asked;    /**< how often the ledger was asked for this pool */
} pool_stats_t;
/* clang-format off */
#define POOL_TIMES_INIT { 0, 0, 0, 0, 0, 0, 0 }
#define POOL_STATS_INIT { sizeof(pool_stats_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
                          0, 0, 0, 0, 0, 0, POOL_TIMES_INIT, POOL_TIMES_INIT, POOL_TIMES_INIT, POOL_TIMES_INIT, \
                          0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
                          0, 0, 0, 0, 0 }
/* clang-format on */

#define POOL_FORMAT_TEXT       0 /**< a table for people */
#define POOL_FORMAT_JSON       1 /**< one object; durations are in nanoseconds */
#define POOL_FORMAT_PROMETHEUS 2 /**< Prometheus's text exposition format; durations are in seconds */

#define POOL_HEALTH_HEALTHY 0 /**< gets are served at once */
#define POOL_HEALTH_BUSY    1 /**< gets wait, and connections come back */
#define POOL_HEALTH_STUCK   2 /**< gets wait, and nothing has come back for too long */
#define POOL_HEALTH_DOWN    3 /**< opens fail, and no connection is left; or the pool is closed */

/** A lease that is out. */
typedef struct {
  size_t size;
  pool_lease_t lease;
  int64_t thread;     /**< the thread that got it, as gettid() numbers threads; 0: not known */
  int64_t held_ns;    /**< for how long, at least: get does not note the time, so this counts from when somebody looked */
  char tag[48];       /**< the beginning of what pool_tag() set, or "" */
  int64_t connection; /**< as in pool_event_t */
} pool_lease_info_t;
/* clang-format off */
#define POOL_LEASE_INFO_INIT { sizeof(pool_lease_info_t), 0, 0, 0, { 0 }, 0 }
/* clang-format on */

#ifndef POOL_NO_FUNCTIONS

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
 * Says how a pool is, from what it knows, without taking a connection or asking the server: for the probes of
 * orchestrators, which call it every few seconds.  One of:
 *
 *  - POOL_HEALTH_DOWN: the pool is closed; or the last open failed and none has succeeded since, and no connection is
 *    left that may work: none is idle and unsuspected, and none is lent, but those that broke and those that have not
 *    come back for stuck_after_ms.
 *  - POOL_HEALTH_STUCK: a get has wanted a connection, none is idle, and for stuck_after_ms no lease has ended and no
 *    connection was opened.  The server hangs, or the program's threads hold connections and wait for something else.
 *    A pool that is paused is not stuck.
 *  - POOL_HEALTH_BUSY: gets wait, and connections come back.  The process does its work; it needs no restart, and taking
 *    it out of the rotation moves the load to others that may be as busy.
 *  - POOL_HEALTH_HEALTHY: none of these.  A pool without connections is healthy: it has not been asked yet, or has
 *    nothing to do.  A server that died while nobody used it is noticed by the next get, check or keepalive_ms.
 *
 * A liveness probe should restart a process that is stuck for long, never one that is busy; a readiness probe may take
 * one that is down out of the rotation.
 *
 * Blocks: no longer than two scans of the slots.  Ownership: the text, which ends in a zero byte that its size does not
 * count, is freed with pool_bytes_free().  Threads: any.  From a callback: yes.
 * Returns POOL_HEALTH_*, or POOL_E_INVALID, POOL_E_NOMEM.  Since 0.1.
 *
 * @param stuck_after_ms how long nothing has to come back: more than the longest use of a connection that is in order;
 *                       -1: as long as get_timeout_ms, or 30 s where that is "for ever"
 * @param why            receives a line for people: the pool's name, the word, the cause and the counts; or NULL
 */
POOL_API int pool_health(pool_t *pool, int64_t stuck_after_ms, pool_bytes_t *why);

/**
 * What pool_config_init() does, for POOL_STATS_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_stats_init(pool_stats_t *stats, size_t size);

/**
 * What pool_config_init() does, for POOL_LEASE_INFO_INIT; of a list, the first element is enough.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_lease_info_init(pool_lease_info_t *info, size_t size);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
