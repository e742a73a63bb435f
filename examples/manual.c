/* SPDX-License-Identifier: MIT */
/*
 * Short uses of functions that no other example needs: the manual pages show them.  Its connections are made up.
 *
 *   cc manual.c $(pkg-config --cflags --libs pool) -pthread -o manual && ./manual
 */
#include <pool/api.h>
#include <pool/driver.h>
#include <pool/pool.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int connection;

/* ---- settings ---- */

static int settings_by_name(pool_config_t *config)
{
  pool_error_t error = POOL_ERROR_INIT;
  int code = pool_config_set(config, "queue", "shed", &error);
  if (code == 0)
    code = pool_config_set_number(config, "max_open", 20, &error);
  if (code == 0)
    code = pool_config_check(config, &error);
  if (code != 0)
    fprintf(stderr, "%s\n", error.message); /* names the setting, and says what it may be */
  return code;
}

static void print_setting(const pool_config_t *config, const char *name)
{
  pool_bytes_t text = {NULL, 0};
  int64_t number = 0;
  if (pool_config_get(config, name, &text, NULL) == 0 && pool_config_get_number(config, name, &number, NULL) == 0)
    fprintf(stderr, "%s is %s, as a number %" PRId64 "\n", name, (char *)text.data, number);
  pool_bytes_free(&text);
}

static int count_settings(void)
{
  pool_setting_t setting = POOL_SETTING_INIT;
  int number = 0;
  while (pool_setting(number, &setting) > number) {
    fprintf(stderr, "%s: %s\n", setting.name, setting.sentence);
    number++;
  }
  return number;
}

/* A caller that was not compiled with these headers knows only how large its structs are. */
static int structs_without_macros(void *config, size_t config_size, void *vtable, size_t vtable_size)
{
  pool_stats_t stats;
  pool_error_t error;
  pool_lease_info_t info;
  pool_setting_t setting;
  return pool_config_init(config, config_size) | pool_vtable_init(vtable, vtable_size) |
         pool_stats_init(&stats, sizeof stats) | pool_error_init(&error, sizeof error) |
         pool_lease_info_init(&info, sizeof info) | pool_setting_init(&setting, sizeof setting);
}

/* ---- callbacks ---- */

static int open_connection(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  pool_phase("connect", "the table"); /* a failure would say so */
  *conn = &connection;
  return 0;
}

static int close_connection(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static int call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)method, (void)deadline_ns, (void)error;
  int code = pool_bytes_new(args.size, reply);
  if (code == 0)
    memcpy(reply->data, args.data, args.size);
  return code;
}

/* A driver would answer later, on a thread of its own. */
static int go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call_under_way)
{
  (void)context, (void)conn, (void)method;
  pool_bytes_t reply = {NULL, 0};
  int late = pool_call_deadline(call_under_way) == 0;
  int code = late ? POOL_E_TIMEOUT : pool_bytes_new(args.size, &reply);
  if (code == 0)
    memcpy(reply.data, args.data, args.size);
  return pool_call_done(call_under_way, code, reply);
}

/* ---- calls ---- */

static void take_reply(void *user, int32_t code, pool_bytes_t reply)
{
  *(int *)user = code == 0 && reply.size == 5;
  pool_bytes_free(&reply);
}

static int call_both_ways(pool_t *pool)
{
  char text[] = "hello";
  pool_bytes_t args = {text, 5}, reply = {NULL, 0};
  int answered = 0;
  pool_lease_t lease = pool_get(pool);
  if (pool_call(lease, "echo", args, &reply, NULL) == 0)
    pool_bytes_free(&reply);
  if (pool_go(lease, "echo", args, take_reply, &answered) < 0)
    answered = 0;
  pool_put(lease);
  return answered;
}

/* ---- steering ---- */

static int steer(pool_t *pool)
{
  int in_use = pool_pause(pool); /* nothing is lent from now on */
  pool_evict(pool);              /* gets that wait end with POOL_E_EVICTED */
  pool_flush(pool);              /* connections are opened anew */
  pool_resize(pool, 10);
  pool_resume(pool);
  return in_use;
}

static void nobody_came(void *user, pool_lease_t result)
{
  *(int *)user = result == POOL_E_CANCELLED;
}

/* A wait that nobody needs any more. */
static int cancel(pool_t *pool)
{
  int cancelled = 0;
  pool_pause(pool);
  int64_t ticket = pool_get_async(pool, 1000, nobody_came, &cancelled);
  pool_cancel(ticket);
  pool_maintain(pool);
  pool_resume(pool);
  return cancelled;
}

static int64_t print_leases(pool_t *pool)
{
  pool_lease_info_t list[10] = {POOL_LEASE_INFO_INIT};
  pool_lease_t lease = pool_get(pool);
  pool_tag(lease, "a report");
  int64_t count = pool_leases(pool, list, 10);
  for (int64_t i = 0; i < count && i < 10; i++)
    fprintf(stderr, "lease %" PRId64 ", thread %" PRId64 ": %s\n", list[i].lease, list[i].thread, list[i].tag);
  pool_put(lease);
  return count;
}

static int print_report(void)
{
  pool_bytes_t text;
  int code = pool_report(NULL, POOL_FORMAT_TEXT, &text); /* of all pools */
  if (code == 0) {
    fprintf(stderr, "%s", (char *)text.data);
    pool_bytes_free(&text);
  }
  return code;
}

/* A second owner: each gives up its reference. */
static void share(pool_t *pool)
{
  pool_t *mine = pool_ref(pool);
  pool_put(pool_get(mine));
  pool_free(mine);
}

/* ---- drivers ---- */

static void print_phase(void *user, const char *name, const char *detail)
{
  (void)user;
  fprintf(stderr, "phase %s: %s\n", name ? name : "failed", detail ? detail : "");
}

static int hear_phases(pool_t *pool)
{
  pool_phase_listen(print_phase, NULL);
  pool_lease_t lease = pool_get(pool);
  pool_phase_listen(NULL, NULL);
  return pool_put(lease);
}

static int count_driver(void *user, const pool_driver_info_t *driver)
{
  fprintf(stderr, "%s %s: %s\n", driver->name, driver->version, driver->code ? driver->problem : driver->path);
  ++*(int *)user;
  return 0;
}

static int drivers_by_url(const char *url)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context;
  pool_t *pool;
  config.get_timeout_ms = 100; /* the URL's own settings are set over these */
  if (pool_open_with(&config, url, &pool, &error) != 0) {
    fprintf(stderr, "no pool: %s\n", error.message);
    return error.code;
  }
  pool_free(pool);
  if (pool_url_prepare(url, &config, &vtable, &context, &error) == 0 && vtable.release)
    vtable.release(context); /* no pool was made */
  return 0;
}

static int driver_by_name(const char *name, const char *address)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context;
  int code = pool_driver_prepare(name, address, &vtable, &context, &error);
  if (code == 0 && vtable.release)
    vtable.release(context);
  return code;
}

/* ---- the library ---- */

static int is_new_enough(void)
{
  const pool_api_t *api = pool_get_api(POOL_API_VERSION);
  fprintf(stderr, "libpool %s\n", pool_version());
  return api && POOL_API_HAS(api, evict) && pool_supports("expose") >= 0;
}

int main(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_t *pool;
  int seen = 0;
  if (structs_without_macros(&config, sizeof config, &vtable, sizeof vtable) != 0 || settings_by_name(&config) != 0)
    return 1;
  config.keeper = POOL_KEEPER_MANUAL;
  vtable.open = open_connection;
  vtable.close = close_connection;
  vtable.call = call;
  vtable.go = go;
  if (pool_create(&config, &vtable, NULL, &pool, NULL) != 0)
    return 1;
  print_setting(&config, "max_open");
  int good = count_settings() > 25 && call_both_ways(pool) && steer(pool) == 0 && cancel(pool);
  good = good && print_leases(pool) == 1 && print_report() == 0 && hear_phases(pool) == 0 && is_new_enough();
  share(pool);
  if (pool_drivers(count_driver, &seen) == 0 && seen > 0) /* without drivers installed there is none to try */
    good = good && drivers_by_url("jsonrpc://localhost:1?pool.max_open=2") == 0;
  good = good && driver_by_name("no-such-driver", "") == POOL_E_DRIVER;
  pool_close(pool, -1);
  pool_free(pool);
  puts(good ? "manual: each function did what its page shows" : "manual: something went wrong");
  return good ? 0 : 1;
}
