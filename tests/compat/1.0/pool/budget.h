/* SPDX-License-Identifier: MIT */
#ifndef POOL_BUDGET_H
#define POOL_BUDGET_H

/**
 * @file budget.h
 * Budgets: one limit on connections for many pools, processes and machines.
 *
 * A budget is a number of permits.  A connection needs one from before it is opened until it is closed.  A pool becomes
 * a member by its setting `budget`, a URL that says where the ledger is kept and how many permits there are:
 *
 *     process:orders?limit=50                      the pools of this process
 *     host:orders?limit=100                        the processes of one user on one machine
 *     redis://HOST:PORT/DB/orders?limit=400        a fleet; rediss:// with TLS
 *     etcd://HOST:PORT/orders?limit=400            a fleet
 *
 * Members share what there is by weighted max-min of what they want: a pool that wants little gets that, and the others
 * share the rest evenly, or by `budget_weight`.  `budget_floor` permits are a pool's own.  Opening with a permit in
 * hand asks nobody; get and put never see a budget.
 *
 * Parameters of the URL: `limit`, which is needed; `term_ms` (3000), how long a permit holds without the ledger, for
 * fleets; `lost`: what a member does when its term is over.  keep (the default): it keeps what it was granted, and
 * opens no more than that.  yield: it closes what is idle, and the rest as it comes back, down to its floor.
 *
 * docs/fleet.md says which to choose, and what happens when what fails.
 */

#include <pool/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A budget that a program looks at.  It is no member. */
typedef struct pool_budget pool_budget_t;

/** What a ledger has. */
typedef struct {
  size_t size;
  int64_t limit;   /**< permits */
  int64_t granted; /**< of these granted to members; more than the limit: an overdraft, being paid back */
  int64_t open;    /**< connections, as the members said last */
  int64_t wants;   /**< what they would have if there was no limit */
  int64_t waiting; /**< waiters in the queues of all pools */
  int64_t members;
  int64_t learns_ms; /**< the ledger is new or was lost: for this time each member keeps what it has, without more */
} pool_budget_stats_t;
/* clang-format off */
#define POOL_BUDGET_STATS_INIT { sizeof(pool_budget_stats_t), 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/** A member of a budget.  The texts live until the callback returns. */
typedef struct {
  size_t size;
  const char *host;     /**< its machine */
  const char *language; /**< of its program: "c", "go", "ruby", "java" */
  const char *pool;     /**< its name */
  int64_t process;      /**< its number on that machine */
  int64_t asked_ms;     /**< for how long it has said nothing */
  int64_t waits_ms;     /**< for how long its first waiter waits; -1: none does */
  int32_t granted;      /**< permits that it has */
  int32_t share;        /**< what it is to come to; of a fleet as it was told last */
  int32_t open;         /**< connections that it has open, or is opening or closing */
  int32_t wants;        /**< what it would have if there was no limit */
  int32_t waiting;      /**< waiters in its queue */
  int32_t weight;
  int32_t floor;
  int32_t reserved; /**< 0 */
} pool_budget_member_t;

/** Hears of a member.  Returns 0 to go on, anything else to end the list. */
typedef int pool_budget_seen_fn(void *user, const pool_budget_member_t *member);

#ifndef POOL_NO_FUNCTIONS

/**
 * Looks at a budget: connects to its ledger, and becomes no member.  The limit may be missing in the URL.
 *
 * Blocks: while the ledger is being reached, up to five seconds.  Ownership: given back with pool_budget_close().
 * Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (no URL of a budget; the message says what is wrong), POOL_E_DRIVER (the part of the library
 * for this scheme is not installed), POOL_E_OPEN (the ledger cannot be reached), POOL_E_UNSUPPORTED (host: on another
 * system than Linux), POOL_E_NOMEM, POOL_E_SYSTEM.  Since 0.1.  Idea: the capacity leases of YouTube's doorman.
 */
POOL_API int pool_budget_open(const char *url, pool_budget_t **budget, pool_error_t *error);

/**
 * Reads what the ledger has in all.
 *
 * Blocks: for an answer of the ledger, up to five seconds.  Threads: one at a time for one budget.  From a callback:
 * yes. Errors: POOL_E_INVALID, POOL_E_SIZE, POOL_E_WILD, POOL_E_OPEN (the ledger cannot be reached), POOL_E_NOMEM,
 * POOL_E_SYSTEM.  Since 0.1.
 *
 * @param stats begins as POOL_BUDGET_STATS_INIT
 */
POOL_API int pool_budget_stats(pool_budget_t *budget, pool_budget_stats_t *stats, pool_error_t *error);

/**
 * Lists the members, those first that have waited longest for a permit.
 *
 * Blocks: for an answer of the ledger, up to five seconds.  Threads: one at a time for one budget.  From a callback:
 * yes. Returns how many were told; or what `seen` returned, if not 0; or POOL_E_INVALID, POOL_E_OPEN, POOL_E_NOMEM,
 * POOL_E_SYSTEM.  Since 0.1.
 */
POOL_API int pool_budget_members(pool_budget_t *budget, pool_budget_seen_fn *seen, void *user, pool_error_t *error);

/**
 * Gives back a budget that was looked at.  NULL is fine.
 *
 * Blocks: no.  Threads: any, once for each budget.  From a callback: yes.  Since 0.1.
 */
POOL_API void pool_budget_close(pool_budget_t *budget);

/**
 * Says in which language this process is written, for the lists of members.  Bindings call it when they are loaded; the
 * first to do so is heard.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: POOL_E_INVALID (it is NULL, empty, or longer than 15
 * bytes).  Since 0.1.
 */
POOL_API int pool_budget_language(const char *language);

#endif /* POOL_NO_FUNCTIONS */

/* ---- engines ----------------------------------------------------------------------------------------------------- */

/*
 * Who keeps ledgers.  The library has those of `process:` and `host:` inside.  An engine for the scheme NAME is the
 * file `pool-budget-NAME.so`, in the folders of drivers, and exports `pool_budget_engine_NAME` of type
 * pool_budget_engine_fn.  Its functions are called by one thread at a time for one ledger, but for `wake`; they take
 * their time no longer than until the deadline, a moment on CLOCK_MONOTONIC, and return 0 or a POOL_E_* with *error
 * filled in, without a password in it.
 */

/** Where a ledger is, taken from a URL. */
typedef struct {
  size_t size;
  const char *url;  /**< the whole, for the engine to take apart; it may have a password in it */
  const char *name; /**< of the budget */
  int64_t term_ms;
  int32_t limit; /**< 0: it is only looked at */
  int32_t reserved;
} pool_budget_place_t;

/** What a member says. */
typedef struct {
  size_t size;
  uint64_t member;  /**< a number that no other member has, never 0 */
  int64_t epoch;    /**< of the ledger that answered last; 0: none has answered this member */
  int64_t since_ns; /**< since when its first waiter waits, on CLOCK_MONOTONIC; -1: none does */
  int32_t open, wants, waiting, weight, floor;
  int32_t who_size; /**< bytes of the next */
  const char *who;  /**< its host, process, language and pool, a zero byte behind each; for the ledger to keep */
} pool_budget_ask_t;

/** What it is told. */
typedef struct {
  size_t size;
  int64_t epoch;
  int64_t term_ms;  /**< how long what was granted holds, from before it asked; -1: for ever */
  int64_t gap_ms;   /**< it asks no sooner, unless it is told */
  int64_t again_ms; /**< and no later; -1: it need not */
  int32_t granted;  /**< it never has more open */
  int32_t target;   /**< it closes what it has above that */
  int32_t limit;    /**< of the ledger */
  int32_t pressed;  /**< 1: others lack, it says at once when it has less open */
  int32_t learns;   /**< 1: the ledger learns what its members have */
  int32_t reserved;
} pool_budget_answer_t;

/** The functions of an engine.  The library sets size to what it knows; the engine fills in no more than that. */
typedef struct {
  size_t size;
  const char *needs; /**< what it works with, and of which version: "hiredis 1.1.0" */
  /** Understands a place, without connecting to it. */
  int (*open)(const pool_budget_place_t *place, void **ledger, pool_error_t *error);
  /** One round trip.  It connects where that is needed.  POOL_E_OVERLOAD: there is no place for this member; all others
      go on. */
  int (*sync)(void *ledger, const pool_budget_ask_t *ask, pool_budget_answer_t *answer, int64_t deadline_ns,
              pool_error_t *error);
  /** A member leaves: what it was granted is free. */
  int (*leave)(void *ledger, uint64_t member, int64_t deadline_ns, pool_error_t *error);
  /** Sleeps until members are told to ask, `wake` is called, or it is time.  Returns how many were told, at most
     `room`, with their numbers in `told`; or an error: the ledger is out of reach, which is told once. */
  int (*wait)(void *ledger, int64_t until_ns, uint64_t *told, int32_t room, pool_error_t *error);
  /** Ends a `wait`, this one or the next.  Any thread, at any time, also under a lock of the library. */
  void (*wake)(void *ledger);
  /** What the ledger has in all, and each member, whose texts and times are filled in; `seen` may be NULL. */
  int (*look)(void *ledger, pool_budget_stats_t *stats, pool_budget_seen_fn *seen, void *user, int64_t deadline_ns,
              pool_error_t *error);
  /** In a child of fork: forgets its connections without a word to the server.  No other function was under way. */
  void (*forget)(void *ledger);
  /** The end: closes its connections.  Members are not asked to leave. */
  void (*close)(void *ledger);
} pool_budget_engine_t;

#define POOL_BUDGET_ENGINE_VERSION 1u /**< of the interface between library and engines */

/** The entry of an engine: returns 0, or POOL_E_UNSUPPORTED if it does not know this version of the interface. */
typedef int pool_budget_engine_fn(uint32_t version, pool_budget_engine_t *engine);

#ifdef __cplusplus
}
#endif

#endif
