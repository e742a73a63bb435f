/* SPDX-License-Identifier: MIT */
#ifndef POOL_API_H
#define POOL_API_H

/**
 * @file api.h
 * The whole library as one table of functions, for programs that load it while they run:
 *
 *     void *library = dlopen("libpool.so.1", RTLD_NOW | RTLD_LOCAL);
 *     pool_get_api_fn *get_api = (pool_get_api_fn *)dlsym(library, "pool_get_api");
 *     const pool_api_t *api = get_api(POOL_API_VERSION);
 *     pool_lease_t lease = api->get(pool);
 *
 * The program need not be linked with the library then, and with POOL_NO_FUNCTIONS defined it need not even
 * declare its functions. That matters where another library has functions of the same names.
 *
 * A table only ever grows at its end, so a program that was compiled long ago finds everything where it was.  A program
 * that was compiled against a newer header asks POOL_API_HAS() before it calls what came later.
 */

#include <pool/budget.h>
#include <pool/driver.h>
#include <pool/expose.h>
#include <pool/group.h>
#include <pool/pool.h>
#include <pool/step.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POOL_API_VERSION 1u /**< of the table below; it changes only with the number in libpool.so.1 */

/** Each member is the function of the same name behind pool_; none is NULL. */
typedef struct {
  size_t size; /**< of the table of the library that is running */

  /* pool/pool.h and what it includes */
  int (*create)(const pool_config_t *config, const pool_vtable_t *vtable, void *context, pool_t **pool,
                pool_error_t *error);
  pool_t *(*ref)(pool_t *pool);
  void (*free)(pool_t *pool);
  int (*close)(pool_t *pool, int64_t drain_ms);
  int64_t (*maintain)(pool_t *pool);
  int (*flush)(pool_t *pool);
  int (*pause)(pool_t *pool);
  int (*resume)(pool_t *pool);
  int (*evict)(pool_t *pool);
  int (*resize)(pool_t *pool, int32_t max_open);
  int (*tag)(pool_lease_t lease, const char *tag);
  int64_t (*leases)(pool_t *pool, pool_lease_info_t *list, size_t room);
  int (*event_fd)(pool_t *pool);
  pool_lease_t (*get)(pool_t *pool);
  pool_lease_t (*get_for)(pool_t *pool, int64_t timeout_ms);
  int (*put)(pool_lease_t lease);
  int (*mark_unusable)(pool_lease_t lease);
  int (*mark_broken)(pool_lease_t lease);
  void *(*conn)(pool_lease_t lease);
  int64_t (*get_async)(pool_t *pool, int64_t timeout_ms, pool_got_fn *got, void *user);
  int (*cancel)(int64_t ticket);
  int (*call)(pool_lease_t lease, const char *method, pool_bytes_t args, pool_bytes_t *reply, pool_error_t *error);
  int64_t (*go)(pool_lease_t lease, const char *method, pool_bytes_t args, pool_done_fn *done, void *user);
  int (*call_done)(pool_call_t *call, int32_t code, pool_bytes_t reply);
  int64_t (*call_deadline)(const pool_call_t *call);
  int (*bytes_new)(size_t size, pool_bytes_t *bytes);
  void (*bytes_free)(pool_bytes_t *bytes);
  size_t (*len)(pool_t *pool);
  int (*stats)(pool_t *pool, pool_stats_t *stats);
  int (*report)(pool_t *pool, int32_t format, pool_bytes_t *text);
  int64_t (*socket_idle)(int fd);
  int (*failure)(pool_error_t *error);
  const char *(*strerror)(int64_t code);
  const char *(*version)(void);
  int (*supports)(const char *feature);
  int (*config_init)(pool_config_t *config, size_t size);
  int (*vtable_init)(pool_vtable_t *vtable, size_t size);
  int (*error_init)(pool_error_t *error, size_t size);
  int (*stats_init)(pool_stats_t *stats, size_t size);
  int (*lease_info_init)(pool_lease_info_t *info, size_t size);

  /* pool/driver.h */
  int (*driver_prepare)(const char *name, const char *address, pool_vtable_t *vtable, void **context,
                        pool_error_t *error);
  int (*create_driver)(const pool_config_t *config, const char *name, const char *address, pool_t **pool,
                       pool_error_t *error);

  /* pool/step.h */
  int (*step_create)(const pool_config_t *config, int32_t abilities, pool_t **pool, pool_error_t *error);
  pool_lease_t (*step_begin)(pool_t *pool, int64_t timeout_ms, int64_t ticket, pool_step_t *step);
  pool_lease_t (*step_cancel)(int64_t ticket, pool_step_t *step);
  int (*step_end)(pool_lease_t lease, pool_step_t *step);
  pool_lease_t (*step_done)(pool_lease_t claim, const pool_error_t *failure, void *conn, pool_step_t *step);
  int (*step_next)(pool_t *pool, pool_step_t *step);
  int (*step_init)(pool_step_t *step, size_t size);

  /* pool/config.h */
  int (*config_set)(pool_config_t *config, const char *name, const char *text, pool_error_t *error);
  int (*config_set_number)(pool_config_t *config, const char *name, int64_t value, pool_error_t *error);
  int (*config_get)(const pool_config_t *config, const char *name, pool_bytes_t *text, pool_error_t *error);
  int (*config_get_number)(const pool_config_t *config, const char *name, int64_t *value, pool_error_t *error);
  int (*config_check)(const pool_config_t *config, pool_error_t *error);
  int (*setting)(int32_t index, pool_setting_t *setting);
  int (*setting_init)(pool_setting_t *setting, size_t size);

  /* pool/step.h */
  int (*step_event)(pool_t *pool, pool_step_event_t *event);
  int (*step_event_init)(pool_step_event_t *event, size_t size);

  /* pool/driver.h */
  int (*open)(const char *url, pool_t **pool, pool_error_t *error);
  int (*open_with)(const pool_config_t *config, const char *url, pool_t **pool, pool_error_t *error);
  int (*url_prepare)(const char *url, pool_config_t *config, pool_vtable_t *vtable, void **context,
                     pool_error_t *error);
  int (*drivers)(pool_driver_seen_fn *seen, void *user);

  /* pool/expose.h */
  int (*expose)(pool_t *pool, pool_error_t *error);

  /* pool/vtable.h */
  void (*phase)(const char *name, const char *detail);
  void (*phase_listen)(pool_phase_fn *heard, void *user);
  /* pool/step.h */
  pool_lease_t (*step_idle)(pool_t *pool, pool_step_t *step);
  int (*step_open)(pool_t *pool, pool_step_t *step);
  int (*step_end_unused)(pool_lease_t lease, pool_step_t *step);
  int (*step_view)(pool_t *pool, pool_view_t *view);
  pool_lease_t (*step_taken)(pool_t *pool, int64_t timeout_ms, pool_lease_t lease, pool_step_t *step);
  int (*step_given)(pool_lease_t lease, pool_step_t *step);
  int (*step_pass)(pool_lease_t lease, pool_step_t *step);
  int (*step_join)(pool_lease_t claim, pool_step_t *step);

  /* pool/budget.h */
  int (*budget_open)(const char *url, pool_budget_t **budget, pool_error_t *error);
  int (*budget_stats)(pool_budget_t *budget, pool_budget_stats_t *stats, pool_error_t *error);
  int (*budget_members)(pool_budget_t *budget, pool_budget_seen_fn *seen, void *user, pool_error_t *error);
  void (*budget_close)(pool_budget_t *budget);
  int (*budget_language)(const char *language);
  int (*set)(pool_t *pool, const char *name, int64_t value);
  int (*value)(pool_t *pool, const char *name, int64_t *value);

  /* pool/stats.h */
  int (*health)(pool_t *pool, int64_t stuck_after_ms, pool_bytes_t *why);

  /* pool/group.h */
  int (*group_create)(const pool_group_config_t *config, pool_group_t **group, pool_error_t *error);
  pool_lease_t (*group_get)(pool_group_t *group, const void *key, size_t key_size, int64_t timeout_ms);
  int (*group_pool)(pool_group_t *group, const void *key, size_t key_size, pool_t **pool, pool_error_t *error);
  int (*group_stats)(pool_group_t *group, pool_group_stats_t *stats);
  int (*group_keys)(pool_group_t *group, pool_group_seen_fn *seen, void *user);
  int (*group_close)(pool_group_t *group, int64_t drain_ms);
  void (*group_free)(pool_group_t *group);
  int (*group_config_init)(pool_group_config_t *config, size_t size);
  int (*group_stats_init)(pool_group_stats_t *stats, size_t size);
  int (*group_step_create)(const pool_group_config_t *config, int32_t abilities, pool_group_t **group,
                           pool_error_t *error);
  int (*group_step_pool)(pool_group_t *group, const void *key, size_t key_size, const pool_config_t *settings,
                         pool_t **pool, pool_error_t *error);
  int (*group_step_next)(pool_group_t *group, pool_t **pool, int64_t *due_ns);
  int (*group_event_fd)(pool_group_t *group);
} pool_api_t;

/** Whether the library that is running has this member of the table. */
#define POOL_API_HAS(api, member) ((api)->size > offsetof(pool_api_t, member))

/** The type of pool_get_api(), for dlsym(). */
typedef const pool_api_t *pool_get_api_fn(uint32_t version);

#ifndef POOL_NO_FUNCTIONS

/**
 * The table of functions.  It is constant and there for ever, also after dlclose(): the library is never unloaded.
 *
 * Blocks: no.  Threads: any.  From a callback: yes.
 * Returns the table, or NULL: the library has no table of this version, and pool_failure() says which it has
 * (POOL_E_UNSUPPORTED).  Since 0.1.  Idea: sqlite3_api_routines of SQLite, C_GetInterface of PKCS #11.
 *
 * @param version POOL_API_VERSION
 */
POOL_API const pool_api_t *pool_get_api(uint32_t version);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
