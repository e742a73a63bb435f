/* SPDX-License-Identifier: MIT */
/*
 * A program of release 1.0, compiled against the headers of that release that lie beside it.  It uses everything that
 * the release promised, in one way at least, and prints what it did not get.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/api.h>

static int failures;

static void expect(int holds, const char *what, int line)
{
  if (holds)
    return;
  printf("caller.c:%d: not true: %s\n", line, what);
  failures++;
}
#define EXPECT(condition) expect((condition) != 0, #condition, __LINE__)

/* ---- connections of its own ---- */

static int opened, closed, checked, reset, released, events, lines, called_back;
static pool_lease_t async_result;

static int open_one(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  int *fail = context;
  EXPECT(deadline_ns > 0);
  EXPECT(error->size >= sizeof *error);
  if (*fail) {
    strcpy(error->message, "out of order");
    error->native = 5;
    return POOL_E_OPEN;
  }
  opened++;
  *conn = fail;
  return 0;
}

static int close_one(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  EXPECT(context == conn);
  closed++;
  return 0;
}

static int check_one(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  EXPECT(context == conn);
  checked++;
  return 0;
}

static int reset_one(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  EXPECT(context == conn);
  reset++;
  return 0;
}

static void release(void *context)
{
  (void)context;
  released++;
}

static void on_event(void *user, const pool_event_t *event)
{
  EXPECT(user == &events);
  EXPECT(event->size >= sizeof *event);
  EXPECT(event->event >= POOL_EVENT_OPENED);
  EXPECT(strcmp(event->pool, "frozen caller") == 0);
  EXPECT(event->message != NULL && event->tag != NULL);
  events++;
}

static void on_line(void *user, int32_t level, const char *line)
{
  EXPECT(user == &events);
  EXPECT(level >= POOL_LOG_ERROR && level <= POOL_LOG_INFO);
  EXPECT(line[0] != 0);
  lines++;
}

static void got(void *user, pool_lease_t result)
{
  EXPECT(user == &async_result);
  async_result = result;
}

static pool_config_t settings(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.name = "frozen caller";
  config.initial = 1;
  config.max_idle = 2;
  config.max_open = 2;
  config.max_waiters = 1;
  config.keeper = POOL_KEEPER_MANUAL;
  config.check_after_ms = 0;
  config.get_timeout_ms = 1;
  config.events = on_event;
  config.log = on_line;
  config.user = &events;
  return config;
}

static void get_and_put(pool_t *pool)
{
  pool_lease_info_t infos[2] = {POOL_LEASE_INFO_INIT};
  pool_stats_t stats = POOL_STATS_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_lease_t first, second;
  EXPECT(pool_len(pool) == 1);
  EXPECT((first = pool_get(pool)) > 0);
  EXPECT((second = pool_get_for(pool, 0)) > 0);
  EXPECT(checked == 1);
  EXPECT(pool_get_for(pool, 0) == POOL_E_TIMEOUT);
  EXPECT(pool_get(pool) == POOL_E_TIMEOUT);
  EXPECT(pool_failure(&error) == POOL_E_TIMEOUT && error.code == POOL_E_TIMEOUT && error.message[0] != 0);
  EXPECT(pool_tag(first, "report") == 0);
  EXPECT(pool_leases(pool, infos, 2) == 2);
  EXPECT(infos[0].lease == first && strcmp(infos[0].tag, "report") == 0 && infos[1].lease == second);
  EXPECT(pool_mark_unusable(second) == 0);
  EXPECT(pool_mark_broken(second) == 0);
  EXPECT(pool_put(second) == 0);
  EXPECT(pool_put(second) == POOL_E_STALE);
  EXPECT(pool_conn(second) == NULL && pool_conn(first) != NULL);
  EXPECT(pool_put(first) == 0);
  EXPECT(opened == 2 && closed == 1 && reset == 1);
  EXPECT(pool_stats(pool, &stats) == 0);
  EXPECT(stats.open == 1 && stats.idle == 1 && stats.lent == 2 && stats.opened == 2 && stats.closed_unusable == 1);
  EXPECT(stats.timed_out >= 1 && stats.open_time.count == 2);
}

static void get_asynchronously(pool_t *pool)
{
  int64_t ticket;
  EXPECT(pool_event_fd(pool) >= 0);
  EXPECT(pool_get_async(pool, -1, got, &async_result) > 0);
  while (async_result == 0)
    pool_maintain(pool);
  EXPECT(async_result > 0);
  EXPECT(pool_put(async_result) == 0);
  EXPECT(pool_pause(pool) == 0);
  EXPECT((ticket = pool_get_async(pool, -1, got, &async_result)) > 0);
  EXPECT(pool_get_async(pool, -1, got, &async_result) == POOL_E_OVERLOAD);
  EXPECT(pool_cancel(ticket) == 0);
  for (async_result = 0; async_result == 0;)
    pool_maintain(pool);
  EXPECT(async_result == POOL_E_CANCELLED);
  EXPECT(pool_cancel(ticket) == POOL_E_STALE);
  EXPECT((ticket = pool_get_async(pool, -1, got, &async_result)) > 0);
  EXPECT(pool_evict(pool) == 1);
  for (async_result = 0; async_result == 0;)
    pool_maintain(pool);
  EXPECT(async_result == POOL_E_EVICTED);
  EXPECT(pool_resume(pool) == 0);
  EXPECT(pool_resume(pool) == POOL_E_INVALID);
}

static void see_and_control(pool_t *pool)
{
  pool_bytes_t text = {NULL, 0};
  int32_t format;
  int64_t value;
  for (format = POOL_FORMAT_TEXT; format <= POOL_FORMAT_PROMETHEUS; format++) {
    EXPECT(pool_report(pool, format, &text) == 0);
    EXPECT(text.size > 0 && strstr(text.data, "frozen caller"));
    pool_bytes_free(&text);
    EXPECT(text.data == NULL && text.size == 0);
  }
  EXPECT(pool_health(pool, -1, &text) == POOL_HEALTH_HEALTHY);
  EXPECT(text.size > 0 && strstr(text.data, "frozen caller: healthy"));
  pool_bytes_free(&text);
  EXPECT(pool_resize(pool, 1) == 0);
  EXPECT(pool_set(pool, "idle_timeout_ms", 60000) == 0);
  EXPECT(pool_value(pool, "max_open", &value) == 0 && value == 1);
  EXPECT(pool_flush(pool) == 1);
  EXPECT(pool_len(pool) == 0);
  EXPECT(pool_socket_idle(-1) == POOL_E_INVALID);
  EXPECT(strcmp(pool_strerror(POOL_E_STALE), pool_strerror(1)) != 0);
  EXPECT(pool_version()[0] != 0);
  EXPECT(pool_supports("api") == 1 && pool_supports("drivers") == 1 && pool_supports("step") == 1);
  EXPECT(pool_supports("telepathy") == 0);
}

static void use_vtable(void)
{
  pool_config_t config = settings();
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  int fail = 1;
  vtable.open = open_one;
  vtable.close = close_one;
  vtable.check = check_one;
  vtable.reset = reset_one;
  vtable.release = release;
  EXPECT(pool_create(&config, &vtable, &fail, &pool, &error) == POOL_E_OPEN);
  EXPECT(error.code == POOL_E_OPEN && error.native == 5 && strstr(error.message, "out of order"));
  EXPECT(pool == NULL && released == 0);
  fail = 0;
  EXPECT(pool_create(&config, &vtable, &fail, &pool, &error) == 0);
  if (!pool)
    return;
  EXPECT(pool_ref(pool) == pool);
  pool_free(pool);
  get_and_put(pool);
  get_asynchronously(pool);
  see_and_control(pool);
  EXPECT(pool_close(pool, -1) == 0);
  EXPECT(pool_get(pool) == POOL_E_CLOSED);
  pool_free(pool);
  EXPECT(opened == closed && released == 1 && events > 0 && lines > 0);
}

/* ---- the driver of the same release ---- */

static void done(void *user, int32_t code, pool_bytes_t reply)
{
  EXPECT(user == &called_back);
  EXPECT(code == 0 && reply.size == 4 && memcmp(reply.data, "ping", 4) == 0);
  pool_bytes_free(&reply);
  called_back++;
}

static void use_driver(const char *name)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t args, reply = {NULL, 0};
  pool_t *pool = NULL;
  void *context = NULL;
  pool_lease_t lease;
  char ping[] = "ping";
  args.data = ping;
  args.size = 4;
  EXPECT(pool_driver_prepare(name, "nowhere", &vtable, &context, &error) == POOL_E_INVALID);
  EXPECT(pool_driver_prepare("no-such", "quiet", &vtable, &context, &error) == POOL_E_DRIVER);
  EXPECT(pool_driver_prepare(name, "quiet", &vtable, &context, &error) == 0);
  EXPECT(vtable.size == sizeof vtable && vtable.open && vtable.close && vtable.release);
  vtable.release(context);
  EXPECT(pool_create_driver(NULL, name, "refuse", &pool, &error) == 0);
  EXPECT(pool_get(pool) == POOL_E_OPEN);
  EXPECT(pool_failure(&error) == POOL_E_OPEN && strstr(error.message, "the frozen server refuses"));
  pool_free(pool);
  EXPECT(pool_create_driver(NULL, name, "quiet", &pool, &error) == 0);
  EXPECT((lease = pool_get(pool)) > 0);
  EXPECT(pool_call(lease, "echo", args, &reply, &error) == 0);
  EXPECT(reply.size == 4 && memcmp(reply.data, "ping", 4) == 0);
  pool_bytes_free(&reply);
  EXPECT(pool_go(lease, "echo", args, done, &called_back) > 0);
  EXPECT(called_back == 1);
  EXPECT(pool_call(lease, "fail", args, &reply, &error) == POOL_E_REMOTE);
  EXPECT(error.native == 42 && strcmp(error.message, "the frozen server says no") == 0);
  EXPECT(pool_call(lease, "break", args, &reply, &error) == POOL_E_BROKEN);
  EXPECT(pool_put(lease) == 0);
  EXPECT(pool_close(pool, -1) == 0);
  pool_free(pool);
}

static int see_driver(void *user, const pool_driver_info_t *driver)
{
  if (strcmp(driver->name, user) != 0)
    return 0;
  EXPECT(driver->size >= sizeof *driver && driver->path[0] != 0);
  EXPECT(driver->code == 0 && driver->problem[0] == 0);
  EXPECT(strcmp(driver->schemes, "frozen ice") == 0);
  EXPECT(strcmp(driver->version, "1.0") == 0 && strcmp(driver->needs, "nothing") == 0);
  return 7;
}

static void use_urls(char *name)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  void *context = NULL;
  pool_lease_t lease;
  EXPECT(pool_url_prepare("frozen:quiet?pool.max_open=3", &config, &vtable, &context, &error) == 0);
  EXPECT(config.max_open == 3 && vtable.open && vtable.release);
  vtable.release(context);
  EXPECT(pool_open("frozen:nowhere", &pool, &error) == POOL_E_INVALID);
  EXPECT(pool_open("frozen:quiet?pool.max_opne=3", &pool, &error) == POOL_E_INVALID);
  EXPECT(pool_open("no-such:quiet", &pool, &error) == POOL_E_DRIVER);
  EXPECT(pool_open("frozen:quiet?pool.max_open=1", &pool, &error) == 0);
  EXPECT((lease = pool_get(pool)) > 0);
  EXPECT(pool_get_for(pool, 0) == POOL_E_TIMEOUT);
  EXPECT(pool_put(lease) == 0);
  pool_free(pool);
  config.initial = 1;
  EXPECT(pool_open_with(&config, "frozen:quiet", &pool, &error) == 0 && pool_len(pool) == 1);
  pool_free(pool);
  EXPECT(pool_drivers(see_driver, name) == 7);
  pool_budget_t *budget = NULL;
  EXPECT(pool_budget_language("c") == 0);
  EXPECT(pool_budget_open("process:nobody", &budget, &error) == POOL_E_OPEN);
  EXPECT(pool_budget_stats(budget, NULL, NULL) == POOL_E_INVALID);
  EXPECT(pool_budget_members(budget, NULL, NULL, NULL) == POOL_E_INVALID);
  pool_budget_close(budget);
}

/* ---- groups ---- */

static int see_key(void *user, const void *key, size_t size, pool_t *pool)
{
  *(int *)user += pool != NULL && size == 3 && memcmp(key, "one", 3) == 0;
  return 0;
}

static void use_groups(void)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  pool_group_stats_t stats = POOL_GROUP_STATS_INIT;
  pool_group_t *group = NULL;
  pool_t *pool = NULL;
  int seen = 0, fail = 0;
  vtable.open = open_one;
  vtable.close = close_one;
  config.vtable = &vtable;
  config.context = &fail;
  EXPECT(pool_group_create(&config, &group, &error) == 0);
  EXPECT(pool_put(pool_group_get(group, "one", 3, 1000)) == 0);
  EXPECT(pool_group_pool(group, "one", 3, &pool, &error) == 0 && pool_len(pool) == 1);
  pool_free(pool);
  EXPECT(pool_group_keys(group, see_key, &seen) == 1 && seen == 1);
  EXPECT(pool_group_stats(group, &stats) == 0 && stats.keys == 1 && stats.idle == 1);
  EXPECT(pool_group_config_init(&config, sizeof config) == 0 && config.max_keys == 10000);
  EXPECT(pool_group_stats_init(&stats, sizeof stats) == 0 && stats.keys == 0);
  EXPECT(pool_group_close(group, 0) == 0);
  pool_group_free(group);
}

static void use_groups_of_the_step_api(void)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_config_t settings = POOL_CONFIG_INIT;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  pool_group_t *group = NULL;
  pool_t *pool = NULL, *again = NULL;
  int64_t due = 0;
  settings.max_open = 2;
  config.settings = &settings;
  EXPECT(pool_group_step_create(&config, POOL_STEP_CHECKS, &group, &error) == 0);
  EXPECT(pool_group_step_pool(group, "one", 3, &settings, &pool, &error) == 0);
  EXPECT(pool_group_event_fd(group) >= 0);
  EXPECT(pool_group_step_next(group, &again, &due) == 0 && due > 0 && due < INT64_C(60000000000));
  EXPECT(pool_close(pool, 0) == 0);
  EXPECT(pool_group_step_pool(group, "one", 3, NULL, &again, &error) == 0 && again != pool);
  pool_free(again);
  EXPECT(pool_group_step_next(group, &again, &due) == POOL_GROUP_GONE && again == pool);
  pool_free(again);
  pool_free(pool);
  pool_group_free(group);
}

/* ---- the step API ---- */

static void use_steps(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_step_t step = POOL_STEP_INIT;
  pool_step_event_t event = POOL_STEP_EVENT_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  pool_lease_t lease;
  int conn;
  int64_t ticket;
  config.max_open = 1;
  EXPECT(pool_step_create(&config, POOL_STEP_THREADS | POOL_STEP_EVENTS, &pool, NULL) == 0);
  EXPECT(pool_step_begin(pool, -1, 0, &step) == 0 && step.work == POOL_WORK_OPEN);
  error.code = POOL_E_OPEN;
  strcpy(error.message, "no");
  EXPECT(pool_step_done(step.claim, &error, NULL, &step) == POOL_E_OPEN);
  EXPECT(pool_step_begin(pool, -1, 0, &step) == 0 && step.work == POOL_WORK_OPEN);
  EXPECT((lease = pool_step_done(step.claim, NULL, &conn, &step)) > 0);
  EXPECT(pool_conn(lease) == &conn);
  EXPECT(pool_step_begin(pool, -1, 0, &step) == 0 && step.work == POOL_WORK_NONE && step.ticket > 0);
  ticket = step.ticket;
  EXPECT(pool_step_end(lease, &step) == 0 && step.wake == ticket);
  EXPECT((lease = pool_step_begin(pool, -1, ticket, &step)) > 0);
  EXPECT(pool_step_begin(pool, 0, 0, &step) == POOL_E_TIMEOUT);
  EXPECT(pool_step_begin(pool, -1, 0, &step) == 0);
  ticket = step.ticket;
  EXPECT(pool_step_cancel(ticket, &step) == 0);
  EXPECT(pool_step_cancel(ticket, &step) == POOL_E_STALE);
  EXPECT(pool_put(lease) == POOL_E_UNSUPPORTED);
  EXPECT(pool_step_end(lease, &step) == 0);
  EXPECT((lease = pool_step_idle(pool, &step)) > 0 && pool_step_end_unused(lease, &step) == 0);
  pool_view_t view = POOL_VIEW_INIT;
  EXPECT(pool_step_view(pool, &view) == 0 && view.slots && view.attention);
  EXPECT((lease = pool_step_begin(pool, 0, 0, &step)) > 0 && pool_step_taken(pool, 0, lease, &step) == lease);
  EXPECT(pool_step_end(lease, &step) == 0 && pool_step_given(lease, &step) == 0);
  EXPECT((lease = pool_step_begin(pool, 0, 0, &step)) > 0 && pool_step_pass(lease, &step) == 0);
  EXPECT(pool_step_join(lease, &step) == POOL_E_STALE);
  EXPECT(pool_step_open(pool, &step) == POOL_E_TIMEOUT);
  EXPECT(pool_close(pool, 0) == 1);
  EXPECT(pool_step_next(pool, &step) == 1 && step.work == POOL_WORK_CLOSE && step.reason == POOL_REASON_CLOSED);
  EXPECT(step.conn == &conn);
  EXPECT(pool_step_done(step.claim, NULL, NULL, &step) == 0);
  EXPECT(pool_step_next(pool, &step) == 0 && step.due_ns == POOL_NO_DEADLINE && step.more == 1);
  EXPECT(pool_step_event(pool, &event) == 1 && event.event == POOL_EVENT_POOL_CREATED && event.lost == 0);
  EXPECT(pool_step_event_init(&event, sizeof event) == 0);
  EXPECT(pool_close(pool, 0) == 0);
  pool_free(pool);
}

/* ---- settings by name ---- */

static void use_settings(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_setting_t setting = POOL_SETTING_INIT;
  pool_bytes_t text = {NULL, 0};
  int64_t value = 0;
  EXPECT(pool_config_set(&config, "queue", "shed", NULL) == 0 && config.queue == POOL_QUEUE_SHED);
  EXPECT(pool_config_set(&config, "max_open", "5", NULL) == 0 && config.max_open == 5);
  EXPECT(pool_config_set(&config, "max_open", "many", NULL) == POOL_E_INVALID && config.max_open == 5);
  EXPECT(pool_config_set_number(&config, "idle_timeout_ms", 1000, NULL) == 0 && config.idle_timeout_ms == 1000);
  EXPECT(pool_config_get_number(&config, "max_open", &value, NULL) == 0 && value == 5);
  EXPECT(pool_config_get(&config, "queue", &text, NULL) == 0 && strcmp(text.data, "shed") == 0);
  pool_bytes_free(&text);
  EXPECT(pool_config_check(&config, NULL) == 0);
  EXPECT(pool_setting(1, &setting) >= 28 && strcmp(setting.name, "initial") == 0);
  EXPECT(setting.type == POOL_SETTING_NUMBER && setting.least == 0 && setting.standard == 0);
}

/* ---- the table ---- */

static void use_table(void)
{
  const pool_api_t *api = pool_get_api(POOL_API_VERSION);
  EXPECT(api != NULL && api->size >= sizeof *api);
  EXPECT(POOL_API_HAS(api, step_next));
  EXPECT(strcmp(api->version(), pool_version()) == 0);
  EXPECT(api->put(-1) == POOL_E_STALE);
  EXPECT(api->step_next(NULL, NULL) == POOL_E_INVALID);
}

/* usage: caller DRIVER */
int main(int count, char **arguments)
{
  if (count != 2)
    return 2;
  use_vtable();
  use_driver(arguments[1]);
  use_urls(arguments[1]);
  use_steps();
  use_settings();
  use_groups();
  use_groups_of_the_step_api();
  use_table();
  return failures > 0;
}
