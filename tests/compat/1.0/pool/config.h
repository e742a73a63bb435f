/* SPDX-License-Identifier: MIT */
#ifndef POOL_CONFIG_H
#define POOL_CONFIG_H

/**
 * @file config.h
 * The settings of a pool: as members of a struct, or by name.  pool/pool.h includes this.
 */

#include <pool/event.h>
#include <pool/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POOL_KEEPER_THREAD 0 /**< library threads keep time and do what is due; started when something needs them */
#define POOL_KEEPER_MANUAL 1 /**< the program calls pool_maintain() */

#define POOL_QUEUE_FIFO 0 /**< order of arrival, within fairness_us */
#define POOL_QUEUE_LIFO 1 /**< the newest first while the pool is overloaded: some in time are better than all late */
#define POOL_QUEUE_SHED 2 /**< while the pool is overloaded, gets late by overload_after_ms end with POOL_E_OVERLOAD   \
                           */

#define POOL_SETTING_NUMBER 0 /**< a number, from least to most, or off */
#define POOL_SETTING_CHOICE 1 /**< one of several, with the names in choices */
#define POOL_SETTING_TEXT   2 /**< a text */

/** What can be known of a setting.  The texts are static. */
typedef struct {
  size_t size;
  const char *name;      /**< as the member of pool_config_t is called */
  const char *unit;      /**< what is counted: "ms", "us", "percent", "connections" and so on; "": nothing */
  const char *choices;   /**< of POOL_SETTING_CHOICE the names, with a space between, in the order of their numbers */
  const char *off_means; /**< what `off` means, "no limit" for example; "": the setting cannot be off */
  const char *sentence;  /**< what the setting is for */
  int64_t standard;      /**< the default; of a text 0 */
  int64_t least;         /**< the range, without `off` */
  int64_t most;
  int64_t off;      /**< the value that means off, where off_means says so; of times that may be 0, -1 is the same */
  int32_t type;     /**< POOL_SETTING_* */
  int32_t reserved; /**< 0 */
} pool_setting_t;
/* clang-format off */
#define POOL_SETTING_INIT { sizeof(pool_setting_t), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/** Settings of a pool.  Begin with POOL_CONFIG_INIT and change what you need; the library copies what it keeps.
    Times that end a thing on their own (idle_timeout_ms and so on) are kept by library threads or pool_maintain(), to
    within a quarter of themselves while connections are in use.  Where those are late, because the program or the
    machine was stopped or nobody calls pool_maintain(), a get finds that out: what is overdue by idle_timeout_ms,
    max_lifetime_ms or check_after_ms is not lent. Where it is not known since when a connection has been idle, it may
    be checked or closed too early.  Leave room between min_idle and max_idle. */
typedef struct {
  size_t size;
  /* rows: members, which tools/settings makes of src/api/settings.def */
  /** Shown in messages and reports; give each pool its own.  At most 47 bytes are kept, with a question mark for what
      is no text of one line.  NULL or "" means "pool". */
  const char *name;
  /** pool_create() opens this many connections.  If one open fails, pool_create() closes the others and returns the
      error. */
  int32_t initial;
  /** Keep at least this many idle connections; missing ones are opened in the background; 0 to 1048568.  After a
      failed open the next try comes after a second, or when retry_min_ms says. */
  int32_t min_idle;
  /** A connection that is put back while this many are idle is closed; 1 or more, or -1 (as many as max_open).
      Without max_open, -1 means the largest of 10, twice min_idle, and min_open. */
  int32_t max_idle;
  /** Keep at least this many connections, idle and lent together: min_idle for a load that comes in steps; 0 to
      1048568.  They are opened in the background as those of min_idle are, and idle_timeout_ms does not close them.
      At most max_open and max_idle. */
  int32_t min_open;
  /** The hard cap on connections: open, being opened and being closed; 1 to 1048568, or 0 (no hard cap).
      pool_resize() changes it while the pool runs. */
  int32_t max_open;
  /** At most this many connections are being opened at one time; spares a server that has just come back; 1 or more,
      or 0 (no limit) */
  int32_t max_opening;
  /** At most this many gets wait; the next one fails with POOL_E_OVERLOAD; 1 or more, or 0 (no limit) */
  int32_t max_waiters;
  /** Up to this many library threads open connections; without them the thread that gets opens; 1 to 1024, or 0
      (none).  With openers a get takes a returned or an opened connection, whichever comes first, and ends at its
      timeout even if an open hangs. */
  int32_t openers;
  /** Keeps the times: library threads, or the program with pool_maintain(); thread (0) or manual (1).
      POOL_KEEPER_*. */
  int32_t keeper;
  /** How long running threads may keep a connection among themselves while others wait; 1 or more, or 0 (never).
      Then it is handed to the first waiter.  With n waiters before it and c connections open, a waiter is overtaken
      for fairness_us * (1 + n / c) at most.  Where leases are much shorter, that is fairness_us * (1 + 32 * n / c),
      since waking a thread costs more than such a lease takes. */
  int32_t fairness_us;
  /** What happens while the pool is overloaded: order of arrival, the newest first, or late gets are refused; fifo
      (0), lifo (1) or shed (2).  POOL_QUEUE_*; see overload_after_ms. */
  int32_t queue;
  /** Spreads the ends of lifetimes: at most this percentage of the open connections ends in one interval; 1 to 100.
      An interval is max_lifetime_ms * retire_percent / 400, rounded; the percentage is rounded up.  That holds as
      long as no connection gets older than max_lifetime_ms. */
  int32_t retire_percent;
  /** After this many failed opens in a row (with retry_min_ms) the breaker opens: one open at a time is tried; 1 or
      more, or 0 (never).  Gets for which no connection may still come fail at once then. */
  int32_t breaker_after;
  /** A library thread (or pool_maintain()) runs the vtable's reset, not the thread that puts; false (0) or true
      (1) */
  int32_t background_reset;
  /** The pool begins paused, as after one pool_pause(); the initial connections are opened; false (0) or true (1) */
  int32_t paused;
  /** Which events to tell: bits 1 << POOL_EVENT_*; 0: all */
  int32_t event_mask;
  /** How long pool_get() takes at most: one deadline for queue, open and check together; 1 to a year, or -1 (for
      ever).  Without openers it holds only if the vtable's open keeps its deadline.  For not waiting there is
      pool_get_for(pool, 0). */
  int64_t get_timeout_ms;
  /** How long a pool_call() or pool_go() takes at most; 0 to a year, or -1 (for ever) */
  int64_t call_timeout_ms;
  /** A connection that was idle for this long is closed, down to min_idle and min_open; 1 to a year, or 0 or -1
      (never) */
  int64_t idle_timeout_ms;
  /** No connection gets older; one that is lent is closed when it is put back; 1 to a year, or 0 or -1 (no limit).
      Set it some seconds below the server's or firewall's own limit.  Connections end somewhat earlier, spread
      evenly; see retire_percent. */
  int64_t max_lifetime_ms;
  /** A connection that was idle for this long is checked before it is lent; 0: always; 0 to a year, or -1 (never) */
  int64_t check_after_ms;
  /** How long a check takes at most; a longer one has failed; 1 to a year, or -1 (no limit).  It never takes longer
      than its get has left. */
  int64_t check_timeout_ms;
  /** A connection that was idle for this long is checked in the background; 1 to a year, or 0 or -1 (never) */
  int64_t keepalive_ms;
  /** A lease that is out for this long is reported, see events and log; 1 to a year, or 0 or -1 (never) */
  int64_t leak_after_ms;
  /** The pause after a failed open; it doubles up to retry_max_ms, less a random part of up to a half; 1 to a year,
      or 0 or -1 (no back-off and no breaker) */
  int64_t retry_min_ms;
  /** The longest pause after a failed open, at least retry_min_ms; 0 to a year */
  int64_t retry_max_ms;
  /** Overload begins when the first waiter has waited this long, and goes on so for as long again; 1 to a year.  Used
      where queue is lifo or shed. */
  int64_t overload_after_ms;
  /** Receives events, or NULL */
  pool_event_fn *events;
  /** Receives lines for people, or NULL */
  pool_log_fn *log;
  /** Handed to events and log; it must live as long as the vtable's context */
  void *user;
  /** A connection that was lent this often is closed when it is put back: for servers whose sessions grow; 1 or more,
      or 0 (no limit) */
  int32_t max_uses;
  /** The URL of a limit that this pool shares with others, of this process, machine or fleet.  process:NAME?limit=50,
      host:NAME?limit=100, redis://HOST:PORT/DB/NAME?limit=400, etcd://HOST:PORT/NAME?limit=400; see pool/budget.h.
      NULL or "": the pool shares none. */
  const char *budget;
  /** Where members of the budget want more than there is, the share of this one has this many parts; 1 to 1000 */
  int32_t budget_weight;
  /** This many permits of the budget are this pool's own, whatever others want; 0 to 1048568 */
  int32_t budget_floor;
  /* end of rows */
} pool_config_t;
/* clang-format off */
/* rows: init */
#define POOL_CONFIG_INIT { sizeof(pool_config_t), NULL, 0, 0, -1, 0, 0, 0, 0, 0, 0, 1000, 0, 10, 5, 0, 0, 0, \
                           30000, -1, 0, 0, -1, 5000, 0, 0, 0, 5000, 100, NULL, NULL, NULL, 0, NULL, 1, 0 }
/* end of rows */
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

/**
 * Sets a setting by its name from a text, as from a file of settings or a URL.  A number is written in digits, perhaps
 * behind a minus, with nothing before or after it, and counts what the unit at the end of the name says: "5000" for
 * get_timeout_ms.  A choice is one of its names, "shed" for queue, "true" for paused, or the number of one.  What must
 * fit to other settings is seen by pool_config_check() and when the pool is made.
 *
 * Blocks: no.  Ownership: a text, of `name` or `budget`, is not copied; it must stay until the pool is made.
 * Threads: any, one at a time for one struct.  From a callback: yes.  Errors: POOL_E_INVALID: config, name or text is
 * NULL; or there is no such setting: the message has the name that is nearly right, if there is one; or the text is no
 * value of the setting: the message says what it may be.  POOL_E_NEWER: event_mask has bits that this library does not
 * know.  POOL_E_SIZE, POOL_E_WILD: of the struct, which may also be of a release before the setting.  Nothing was
 * changed then.  Since 0.1.
 *
 * @param name as the member is called
 */
POOL_API int pool_config_set(pool_config_t *config, const char *name, const char *text, pool_error_t *error);

/**
 * The same from a number; a text cannot be set so.
 *
 * Blocks: no.  Threads: any, one at a time for one struct.  From a callback: yes.  Errors: those of pool_config_set();
 * nothing was changed then.  Since 0.1.
 */
POOL_API int pool_config_set_number(pool_config_t *config, const char *name, int64_t value, pool_error_t *error);

/**
 * Reads a setting as the text that pool_config_set() would take: a choice as its name.
 *
 * Blocks: no.  Ownership: the text, which ends in a zero byte that its size does not count, is freed with
 * pool_bytes_free().  Threads: any, while none changes the struct.  From a callback: yes.
 * Errors: POOL_E_INVALID (a parameter is NULL, or there is no such setting), POOL_E_SIZE, POOL_E_WILD, POOL_E_NOMEM.
 * Since 0.1.
 */
POOL_API int pool_config_get(const pool_config_t *config, const char *name, pool_bytes_t *text, pool_error_t *error);

/**
 * The same as a number; of a setting that is a text there is none.
 *
 * Blocks: no.  Threads: any, while none changes the struct.  From a callback: yes.
 * Errors: POOL_E_INVALID (a parameter is NULL, there is no such setting, or it is a text), POOL_E_SIZE, POOL_E_WILD.
 * Since 0.1.
 */
POOL_API int pool_config_get_number(const pool_config_t *config, const char *name, int64_t *value, pool_error_t *error);

/**
 * Whether pool_create() would take these settings: each by itself, and those that must fit to each other.  What needs a
 * callback is seen only when there is a vtable.
 *
 * Blocks: no.  Threads: any, while none changes the struct.  From a callback: yes.
 * Errors: POOL_E_INVALID (message names the setting), POOL_E_SIZE, POOL_E_WILD, POOL_E_NEWER.  Since 0.1.
 *
 * @param config settings, or NULL for the defaults
 */
POOL_API int pool_config_check(const pool_config_t *config, pool_error_t *error);

/**
 * Tells of the settings that have names, one after the other, from index 0 on.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns how many there are, so the next index is one as long as it is less; or POOL_E_INVALID (no such index, or
 * setting is NULL), POOL_E_SIZE, POOL_E_WILD.  Since 0.1.  Idea: sqlite3_keyword_name() of SQLite.
 *
 * @param setting begins as POOL_SETTING_INIT
 */
POOL_API int pool_setting(int32_t index, pool_setting_t *setting);

/**
 * What pool_config_init() does, for POOL_SETTING_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_setting_init(pool_setting_t *setting, size_t size);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
