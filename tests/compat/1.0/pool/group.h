/* SPDX-License-Identifier: MIT */
#ifndef POOL_GROUP_H
#define POOL_GROUP_H

/**
 * @file group.h
 * Groups: pools by key, for tenants, endpoints, or the databases of a server, which share one limit.
 *
 * A group makes the pool of a key when somebody asks for the key first, and lets go of it when it has had no connection
 * for a while.  All pools of a group have the same settings; one of these is the budget that they share, such as
 * `process:shop?limit=50` (pool/budget.h).  A permit that becomes free goes to the pool whose first waiter has waited
 * longest.  While somebody waits and no permit is free, idle connections of other keys are closed at once, but for those
 * that min_idle or min_open asks for: leave these out where there are many keys.
 *
 * A key is a text or any bytes, 1 to 255 of them.  The pool of a key is called GROUP/KEY in messages, events,
 * statistics and lists, so a key must be no secret.  A name has 47 bytes at most: a long key is cut there, and
 * what is no text of one line is a question mark.  The key itself stays whole.
 *
 *     pool_config_t settings = POOL_CONFIG_INIT;
 *     pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
 *     settings.name = "shop";
 *     settings.budget = "process:shop?limit=50";
 *     config.settings = &settings;
 *     config.prepare = of_tenant;
 *     pool_group_create(&config, &group, &error);
 *
 *     lease = pool_group_get(group, tenant, strlen(tenant), 2000);
 *     pool_put(lease);
 *
 * A pool that has no connection and wants none is no member of the budget meanwhile, unless it has a `budget_floor`. So
 * what a group costs does not grow with the keys that are not used.
 *
 * A key whose pool the program closes is let go of, too: the next ask for it makes another.
 *
 * In a child of fork a group has the same keys, and their pools begin anew, as all pools do.
 *
 * The step API (pool/step.h) has groups as well, for bindings: pool_group_step_create().  There each pool belongs to an
 * object of the program, which has a reference of it until pool_group_step_next() says that the key was let go of.  Its
 * pool is closed at the moment at which it is seen to be unused.  So a get that comes to it later gets POOL_E_CLOSED, and
 * asks the group again: pool_group_step_pool() never returns a pool that was closed before.
 */

#include <pool/pool.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Pools by key. */
typedef struct pool_group pool_group_t;

#define POOL_GROUP_KEY_MOST 255 /**< bytes of a key */

/**
 * Says what is special to the pool of a key, before it is made.  *settings, *vtable and *key_context hold what the
 * group has for all keys, and may be changed; texts in *settings must stay when it returns, as those do that `context`
 * has.  With a driver it is one call: `return pool_url_prepare(url, settings, vtable, key_context, error);`.
 *
 * Runs on the thread that asks for the key, under no lock.  Other threads that ask for the same key wait for it, and
 * those that ask for other keys do not.  It must not ask its group for the same key.  The pool owns *key_context if the
 * vtable has a `release`, which frees it, also where the pool cannot be made.  Returns 0, or a POOL_E_* with *error
 * filled in, and frees what it has made; that key is then asked for anew by the next call.
 */
typedef int pool_group_prepare_fn(void *context, const void *key, size_t key_size, pool_config_t *settings,
                                  pool_vtable_t *vtable, void **key_context, pool_error_t *error);

/** How a group behaves.  Begin with POOL_GROUP_CONFIG_INIT. */
typedef struct {
  size_t size;
  const pool_config_t *settings;  /**< of each pool; its name is the group's, NULL: "group".  Copied, with the texts */
  const pool_vtable_t *vtable;    /**< the callbacks of each pool; may be NULL where `prepare` fills them in.  Copied */
  void *context;                  /**< for `prepare`, and for the callbacks where that sets no other */
  pool_group_prepare_fn *prepare; /**< NULL: nothing is special to a key */
  int64_t key_idle_ms; /**< a pool that has had no connection and no user for this long is let go of; 1 to a year, or -1
                            (never).  The group looks when it is asked for keys, so it may be later */
  int32_t max_keys;    /**< at most this many keys at one time; 1 to 1000000 */
  int32_t reserved;    /**< 0 */
} pool_group_config_t;
/* clang-format off */
#define POOL_GROUP_CONFIG_INIT { sizeof(pool_group_config_t), NULL, NULL, NULL, NULL, 60000, 10000, 0 }
/* clang-format on */

/** What a group has and has done. */
typedef struct {
  size_t size;
  int64_t keys;    /**< that have a pool now */
  int64_t made;    /**< pools, since the group began */
  int64_t let_go;  /**< of these, after key_idle_ms without a connection, or to make room for another key */
  int64_t refused; /**< gets that max_keys refused */
  int64_t open;    /**< connections of all pools together, and so on */
  int64_t idle;
  int64_t leased;
  int64_t waiting; /**< gets in the queues of all pools */
} pool_group_stats_t;
/* clang-format off */
#define POOL_GROUP_STATS_INIT { sizeof(pool_group_stats_t), 0, 0, 0, 0, 0, 0, 0, 0 }
/* clang-format on */

/* What pool_group_step_next() tells. */
#define POOL_GROUP_GONE                                                                                                \
  1 /**< the key of this pool was let go of, and the pool is closed: do what closing a pool of the step API asks for */
#define POOL_GROUP_STEERED                                                                                             \
  2 /**< poolctl has steered this pool, or a budget allows it more or less: do what a readable pool_event_fd() asks */

/** Hears of a key and its pool, which are there until it returns.  Returns 0 to go on, anything else to end the list.
 */
typedef int pool_group_seen_fn(void *user, const void *key, size_t key_size, pool_t *pool);

#ifndef POOL_NO_FUNCTIONS

/**
 * Makes a group, without any pool.
 *
 * Blocks: while the driver of the budget is being loaded.  Ownership: given back with pool_group_free(); `context` must
 * live until then, and until all leases were put.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (a setting is wrong; the message names it), POOL_E_SIZE, POOL_E_WILD, POOL_E_NEWER,
 * POOL_E_VTABLE, POOL_E_DRIVER (of the budget), POOL_E_NOMEM.
 * Since 0.1.  Idea: KeyedObjectPool of Apache Commons Pool.
 *
 * @param config begins as POOL_GROUP_CONFIG_INIT
 */
POOL_API int pool_group_create(const pool_group_config_t *config, pool_group_t **group, pool_error_t *error);

/**
 * Leases a connection of a key, whose pool is made if there is none.  The lease is put as any other.
 *
 * Blocks: up to the timeout, as pool_get_for(); while another thread makes the pool of this key; and, for the thread
 * that makes it, as pool_create() and `prepare` do.
 * Threads: any.  From a callback: yes, of another key.
 * Errors: those of pool_get_for(), and POOL_E_OVERLOAD: the group has max_keys, each with connections or users;
 * POOL_E_INVALID: group or key is NULL, key_size is not 1 to 255, or `prepare` asks for its own key; those of
 * pool_create() and `prepare`.  The message begins with GROUP/KEY where there is a key.  Since 0.1.
 *
 * @param timeout_ms 0: does not wait; -1: for ever
 */
POOL_API pool_lease_t pool_group_get(pool_group_t *group, const void *key, size_t key_size, int64_t timeout_ms);

/**
 * The pool of a key, which is made if there is none: for its statistics, asynchronous gets, or to keep it at hand on a
 * way that must be fast.  As long as it was not given back its key is not let go of.
 *
 * Blocks: as pool_group_get(), without a limit.  Ownership: given back with pool_free().  Threads: any.
 * From a callback: yes, of another key.
 * Errors: POOL_E_CLOSED, and those that pool_group_get() has beside those of pool_get_for().  Since 0.1.
 */
POOL_API int pool_group_pool(pool_group_t *group, const void *key, size_t key_size, pool_t **pool, pool_error_t *error);

/**
 * Makes a group whose pools are of the step API: what pool_step_create() says of settings and abilities holds for each.
 * `vtable` and `prepare` must be NULL and `initial` 0; `context` means nothing.  The other functions of a group can be
 * used as well, but pool_group_get() fails with POOL_E_UNSUPPORTED, as pool_get() does.
 *
 * Blocks: as pool_group_create().  Threads: any.  From a callback: yes.
 * Errors: those of pool_group_create() and pool_step_create().  Since 0.1.
 *
 * @param abilities POOL_STEP_*, or 0
 */
POOL_API int pool_group_step_create(const pool_group_config_t *config, int32_t abilities, pool_group_t **group,
                                    pool_error_t *error);

/**
 * The pool of a key of such a group, which is made if there is none.  Afterwards call pool_group_step_next().
 *
 * Blocks: no, but for moments while another thread makes the same pool.  Ownership: each call returns a reference, which
 * is given back with pool_free().  It keeps the memory, not the key.  Threads: any.  From a callback: yes.
 * Errors: those of pool_group_pool() and pool_step_create(), POOL_E_UNSUPPORTED (the group has callbacks).  Since 0.1.
 *
 * @param settings of this key, where they differ from the group's; NULL: they do not.  Read if the pool is made; the
 *                 name is GROUP/KEY nevertheless
 */
POOL_API int pool_group_step_pool(pool_group_t *group, const void *key, size_t key_size, const pool_config_t *settings,
                                  pool_t **pool, pool_error_t *error);

/**
 * Says what the program has to do for a pool of such a group.  Call it until it returns 0: after each
 * pool_group_step_pool(), when pool_group_event_fd() is readable, and when *due_ns is over.
 *
 * Returns POOL_GROUP_GONE or POOL_GROUP_STEERED with *pool; or 0, and *due_ns says in how many nanoseconds to call again
 * (INT64_MAX: not before the descriptor is readable).
 * Blocks: no.  Ownership: *pool is a reference, which is given back with pool_free().  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (what is NULL), POOL_E_UNSUPPORTED (the group has callbacks).  Since 0.1.
 */
POOL_API int pool_group_step_next(pool_group_t *group, pool_t **pool, int64_t *due_ns);

/**
 * A descriptor that is readable when pool_group_step_next() has something to tell, or is to be called sooner than it
 * said; one for all pools of the group.  Watch it from the beginning, with poll() and others.  The thread that watches
 * reads 8 bytes from it, and then calls pool_group_step_next(): other threads that do so leave the descriptor readable.
 * It does not block, and ends with pool_group_free().  In a child of fork it has the same number.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns the descriptor; or POOL_E_INVALID (group is NULL), POOL_E_UNSUPPORTED (the group has callbacks, or the system
 * no such descriptor), POOL_E_SYSTEM (none can be had).  Since 0.1.
 */
POOL_API int pool_group_event_fd(pool_group_t *group);

/**
 * Reads what a group has and has done.  It asks each pool, so it takes as long as there are keys.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_INVALID (a parameter is NULL), POOL_E_SIZE, POOL_E_WILD, POOL_E_NOMEM.  Since 0.1.
 *
 * @param stats begins as POOL_GROUP_STATS_INIT
 */
POOL_API int pool_group_stats(pool_group_t *group, pool_group_stats_t *stats);

/**
 * Lists the keys that have a pool, in no order.
 *
 * Blocks: no.  Threads: any; `seen` runs on this one, under no lock.  From a callback: yes.
 * Returns how many were told; or what `seen` returned, if not 0; or POOL_E_INVALID, POOL_E_NOMEM.  Since 0.1.
 */
POOL_API int pool_group_keys(pool_group_t *group, pool_group_seen_fn *seen, void *user);

/**
 * Closes the pools of all keys, as pool_close() does, and makes no other: from now on each ask for a key fails with
 * POOL_E_CLOSED.  May be called again, also to go on draining.
 *
 * Blocks: as pool_close(), up to drain_ms for all pools together.  Threads: any.  From a callback of a pool of the
 * group: with drain_ms 0 only.  Returns how many connections are still open (0: all is closed); or POOL_E_INVALID,
 * POOL_E_NOMEM.  Since 0.1.
 */
POOL_API int pool_group_close(pool_group_t *group, int64_t drain_ms);

/**
 * Gives a group up: closes it, and gives back its pools.  Leases may still be put.  NULL is fine.
 *
 * Blocks: while idle connections are being closed.  Threads: any, but no thread may use the group during this call or
 * after it.  From a callback: yes.  Since 0.1.
 */
POOL_API void pool_group_free(pool_group_t *group);

/**
 * What pool_config_init() does, for POOL_GROUP_CONFIG_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_group_config_init(pool_group_config_t *config, size_t size);

/**
 * What pool_config_init() does, for POOL_GROUP_STATS_INIT.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.  Errors: those of pool_config_init().  Since 0.1.
 */
POOL_API int pool_group_stats_init(pool_group_stats_t *stats, size_t size);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
