/* SPDX-License-Identifier: MIT */
/*
 * libpool as Python, Lua or any other language without a C compiler calls it: every exported function, rightly and
 * wrongly, until every error has been seen.  This program is not linked with libpool; of its headers it uses types and
 * numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "abi/foreign.h"

/* ---- arguments ---- */

#define P(given)           ((union value){.pointer = (void *)(given)})
#define F(given)           ((union value){.code = (void (*)(void))(given)})
#define N(given)           ((union value){.number = (given)})
#define B(address, length) ((union value){.bytes = {(void *)(address), (length)}})
#define NOBODY             B(NULL, 0)

static union value call_checked(const char *name, unsigned count, const union value *arguments)
{
  struct function *function = foreign_find(name);
  if (!function || function->signature->count != count)
    fail_msg("%s: %s", name, function ? "another number of parameters" : "not in the list");
  return foreign_call(function, arguments);
}

#define CALL(name, ...)                                                                                                \
  call_checked(name, sizeof((union value[]){__VA_ARGS__}) / sizeof(union value), (union value[]){__VA_ARGS__})
#define CALL0(name)       call_checked(name, 0, NULL)
#define NUMBER(...)       CALL(__VA_ARGS__).number
#define FAILS(error, ...) assert_int_equal(NUMBER(__VA_ARGS__), error)

#define wait_until(condition)                                                                                          \
  for (time_t began_ = time(NULL); !(condition); sched_yield())                                                        \
    if (time(NULL) - began_ > 10)                                                                                      \
      fail_msg("%s:%d: waited 10 s for: %s", __FILE__, __LINE__, #condition);

/* ---- callbacks: code that libffi makes, and plain functions ---- */

struct server {
  _Atomic int opened, closed, released, refuses;
};
static struct server server;

/* int open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error) */
static void open_one(ffi_cif *cif, void *result, void **arguments, void *data)
{
  struct server *self = *(struct server **)arguments[0];
  pool_error_t *error = *(pool_error_t **)arguments[3];
  (void)cif;
  if (self != data || self->refuses) {
    strcpy(error->message, "refused");
    *(ffi_sarg *)result = POOL_E_OPEN;
    return;
  }
  **(void ***)arguments[2] = self;
  self->opened++;
  *(ffi_sarg *)result = 0;
}

/* int close(void *context, void *conn, pool_error_t *error) */
static void close_one(ffi_cif *cif, void *result, void **arguments, void *data)
{
  struct server *self = *(struct server **)arguments[1];
  (void)cif, (void)data;
  self->closed++;
  *(ffi_sarg *)result = 0;
}

/* void heard(void *user, const char *name, const char *detail) */
static void note_phase(ffi_cif *cif, void *result, void **arguments, void *data)
{
  (void)cif, (void)result, (void)data;
  snprintf(*(char **)arguments[0], 40, "%s %s", *(const char **)arguments[1], *(const char **)arguments[2]);
}

/* void got(void *user, pool_lease_t result) */
static void note_result(ffi_cif *cif, void *result, void **arguments, void *data)
{
  (void)cif, (void)result, (void)data;
  foreign_see(*(int64_t *)arguments[1]);
  atomic_store(*(_Atomic int64_t **)arguments[0], *(int64_t *)arguments[1]);
}

static int call_one(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                    int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)deadline_ns;
  if (strcmp(method, "break") == 0)
    return POOL_E_BROKEN;
  if (strcmp(method, "fail") == 0) {
    strcpy(error->message, "the server says no");
    return POOL_E_REMOTE;
  }
  if (NUMBER("pool_bytes_new", N((int64_t)args.size), P(reply)))
    return POOL_E_NOMEM;
  memcpy(reply->data, args.data, args.size);
  return 0;
}

static pool_call_t *under_way;

static int go_one(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context, (void)conn, (void)method, (void)args;
  under_way = call;
  return 0;
}

static void release(void *context)
{
  ((struct server *)context)->released++;
}

static void done(void *user, int32_t code, pool_bytes_t reply)
{
  foreign_see(code);
  *(int32_t *)user = code;
  CALL("pool_bytes_free", P(&reply));
}

static void *made_open, *made_close, *made_got;

static int make_callbacks(void **state)
{
  (void)state;
  static ffi_type *open_types[] = {&ffi_type_pointer, &ffi_type_sint64, &ffi_type_pointer, &ffi_type_pointer};
  static ffi_type *close_types[] = {&ffi_type_pointer, &ffi_type_pointer, &ffi_type_pointer};
  static ffi_type *got_types[] = {&ffi_type_pointer, &ffi_type_sint64};
  made_open = foreign_callback(open_one, &server, &ffi_type_sint32, 4, open_types);
  made_close = foreign_callback(close_one, NULL, &ffi_type_sint32, 3, close_types);
  made_got = foreign_callback(note_result, NULL, &ffi_type_void, 2, got_types);
  if (!made_open || !made_close || !made_got)
    fail_msg("libffi cannot make callbacks: does this system forbid memory that is writable and executable?");
  return 0;
}

static pool_vtable_t vtable_of_closures(void)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  memcpy(&vtable.open, &made_open, sizeof made_open);
  memcpy(&vtable.close, &made_close, sizeof made_close);
  vtable.call = call_one;
  vtable.go = go_one;
  vtable.release = release;
  return vtable;
}

static pool_t *create(const pool_config_t *config)
{
  pool_vtable_t vtable = vtable_of_closures();
  pool_t *pool = NULL;
  server.opened = server.closed = server.released = server.refuses = 0;
  assert_int_equal(NUMBER("pool_create", P(config), P(&vtable), P(&server), P(&pool), P(NULL)), 0);
  assert_non_null(pool);
  return pool;
}

static void finish(pool_t *pool)
{
  assert_int_equal(NUMBER("pool_close", P(pool), N(-1)), 0);
  CALL("pool_free", P(pool));
  assert_int_equal(server.opened, server.closed);
  assert_int_equal(server.released, 1);
}

static int64_t get(pool_t *pool)
{
  int64_t lease = NUMBER("pool_get", P(pool));
  assert_true(lease > 0);
  return lease;
}

static void put(int64_t lease)
{
  assert_int_equal(NUMBER("pool_put", N(lease)), 0);
}

/* ---- plain use ---- */

static void test_ffi__the_table_is_in_the_order_of_the_list(void **state)
{
  (void)state;
  int count;
  struct function *functions = foreign_functions(&count);
  const char *table = CALL("pool_get_api", N(POOL_API_VERSION)).pointer;
  size_t size;
  memcpy(&size, table, sizeof size);
  assert_int_equal(size, sizeof size + (size_t)(count - 1) * sizeof(void *));
  for (int i = 1; i < count; i++) {
    void *member;
    memcpy(&member, table + sizeof size + (size_t)(i - 1) * sizeof member, sizeof member);
    if (member != functions[i].symbol)
      fail_msg("entry %d of the table is not %s", i, functions[i].signature->name);
  }
}

static void test_ffi__get_and_put(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_stats_t stats = POOL_STATS_INIT;
  pool_lease_info_t info = POOL_LEASE_INFO_INIT;
  config.initial = 2;
  pool_t *pool = create(&config);
  assert_ptr_equal(CALL("pool_ref", P(pool)).pointer, pool);
  CALL("pool_free", P(pool));
  assert_int_equal(NUMBER("pool_len", P(pool)), 2);
  int64_t first = get(pool), second = NUMBER("pool_get_for", P(pool), N(0));
  assert_true(second > 0 && second != first);
  assert_ptr_equal(CALL("pool_conn", N(first)).pointer, &server);
  assert_int_equal(NUMBER("pool_tag", N(first), P("why")), 0);
  assert_int_equal(NUMBER("pool_leases", P(pool), P(&info), N(1)), 2);
  assert_int_equal(info.lease, first);
  assert_string_equal(info.tag, "why");
  assert_int_equal(NUMBER("pool_mark_unusable", N(second)), 0);
  assert_int_equal(NUMBER("pool_mark_broken", N(first)), 0);
  put(first);
  put(second);
  assert_int_equal(NUMBER("pool_stats", P(pool), P(&stats)), 0);
  assert_int_equal(stats.lent, 2);
  assert_int_equal(stats.closed_unusable, 2);
  assert_int_equal(NUMBER("pool_len", P(pool)), 0);
  finish(pool);
}

static void test_ffi__control(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = 1;
  config.keeper = POOL_KEEPER_MANUAL;
  pool_t *pool = create(&config);
  _Atomic int64_t result = 0;
  assert_int_equal(NUMBER("pool_pause", P(pool)), 0);
  assert_true(NUMBER("pool_get_async", P(pool), N(-1), P(made_got), P(&result)) > 0);
  assert_int_equal(NUMBER("pool_resume", P(pool)), 0);
  assert_int_equal(NUMBER("pool_evict", P(pool)), 0);
  assert_int_equal(NUMBER("pool_event_fd", P(pool)) >= 0, NUMBER("pool_supports", P("event_fd")));
  while (result == 0)
    CALL("pool_maintain", P(pool));
  put(result);
  assert_int_equal(NUMBER("pool_resize", P(pool), N(3)), 0);
  int64_t value = 0;
  assert_int_equal(NUMBER("pool_set", P(pool), P("min_idle"), N(1)), 0);
  assert_int_equal(NUMBER("pool_value", P(pool), P("max_open"), P(&value)), 0);
  assert_int_equal(value, 3);
  assert_int_equal(NUMBER("pool_flush", P(pool)), 1);
  finish(pool);
}

static void test_ffi__calls(void **state)
{
  (void)state;
  pool_t *pool = create(NULL);
  int64_t lease = get(pool);
  pool_bytes_t reply = {NULL, 0};
  int32_t code = 1;
  assert_int_equal(NUMBER("pool_call", N(lease), P("echo"), B("ping", 4), P(&reply), P(NULL)), 0);
  assert_int_equal(reply.size, 4);
  assert_memory_equal(reply.data, "ping", 4);
  CALL("pool_bytes_free", P(&reply));
  assert_null(reply.data);
  assert_true(NUMBER("pool_go", N(lease), P("later"), NOBODY, F(done), P(&code)) > 0);
  assert_true(NUMBER("pool_call_deadline", P(under_way)) == POOL_NO_DEADLINE);
  assert_int_equal(NUMBER("pool_call_done", P(under_way), N(0), NOBODY), 0);
  assert_int_equal(code, 0);
  put(lease);
  finish(pool);
}

static void test_ffi__seeing(void **state)
{
  (void)state;
  pool_t *pool = create(NULL);
  for (int format = POOL_FORMAT_TEXT; format <= POOL_FORMAT_PROMETHEUS; format++) {
    pool_bytes_t text = {NULL, 0};
    assert_int_equal(NUMBER("pool_report", P(format ? pool : NULL), N(format), P(&text)), 0);
    assert_int_equal(text.size, strlen(text.data));
    CALL("pool_bytes_free", P(&text));
  }
  pool_bytes_t why = {NULL, 0};
  assert_int_equal(NUMBER("pool_health", P(pool), N(-1), P(NULL)), POOL_HEALTH_HEALTHY);
  assert_int_equal(NUMBER("pool_health", P(pool), N(1000), P(&why)), POOL_HEALTH_HEALTHY);
  assert_int_equal(why.size, strlen(why.data));
  CALL("pool_bytes_free", P(&why));
  assert_string_equal(CALL0("pool_version").pointer,
                      ((const pool_api_t *)CALL("pool_get_api", N(1)).pointer)->version());
  int number;
  char rest;
  assert_int_equal(sscanf(CALL0("pool_version").pointer, "%d.%d.%d%c", &number, &number, &number, &rest), 3);
  assert_string_equal(CALL("pool_strerror", N(0)).pointer, "success");
  assert_int_equal(NUMBER("pool_supports", P("step")), 1);
  assert_int_equal(NUMBER("pool_supports", P("")), 0);
  assert_int_equal(NUMBER("pool_expose", P(pool), P(NULL)), 0);
  int pair[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  assert_int_equal(NUMBER("pool_socket_idle", N(pair[0])), 0);
  assert_int_equal(write(pair[1], "?", 1), 1);
  assert_int_equal(NUMBER("pool_socket_idle", N(pair[0])), 1);
  close(pair[0]);
  close(pair[1]);
  finish(pool);
}

static void test_ffi__phases(void **state)
{
  (void)state;
  static ffi_type *heard_types[] = {&ffi_type_pointer, &ffi_type_pointer, &ffi_type_pointer};
  void *heard = foreign_callback(note_phase, NULL, &ffi_type_void, 3, heard_types);
  char text[40] = "";
  CALL("pool_phase_listen", P(heard), P(text));
  CALL("pool_phase", P("connect"), P("127.0.0.1:7"));
  assert_string_equal(text, "connect 127.0.0.1:7");
  CALL("pool_phase_listen", P(NULL), P(NULL));
  CALL("pool_phase", P("login"), P(NULL));
  assert_string_equal(text, "connect 127.0.0.1:7");
}

static void test_ffi__drivers(void **state)
{
  (void)state;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context = NULL;
  pool_t *pool = NULL;
  assert_int_equal(NUMBER("pool_driver_prepare", P("frozen"), P("quiet"), P(&vtable), P(&context), P(NULL)), 0);
  vtable.release(context);
  assert_int_equal(NUMBER("pool_create_driver", P(NULL), P("frozen"), P("quiet"), P(&pool), P(NULL)), 0);
  put(get(pool));
  CALL("pool_free", P(pool));
}

/* int seen(void *user, const pool_driver_info_t *driver) */
static void look_for_frozen(ffi_cif *cif, void *result, void **arguments, void *data)
{
  const pool_driver_info_t *driver = *(const pool_driver_info_t **)arguments[1];
  (void)cif, (void)data;
  bool found = strcmp(driver->name, "frozen") == 0;
  if (found)
    strcpy(*(char **)arguments[0], driver->schemes);
  *(ffi_sarg *)result = found;
}

static void test_ffi__urls(void **state)
{
  (void)state;
  static ffi_type *seen_types[] = {&ffi_type_pointer, &ffi_type_pointer};
  void *seen = foreign_callback(look_for_frozen, NULL, &ffi_type_sint32, 2, seen_types);
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_t *pool = NULL;
  void *context = NULL;
  char schemes[100] = "";
  const char *url = "frozen:quiet?pool.max_open=3";
  assert_int_equal(NUMBER("pool_url_prepare", P(url), P(&config), P(&vtable), P(&context), P(NULL)), 0);
  assert_int_equal(config.max_open, 3);
  vtable.release(context);
  assert_int_equal(NUMBER("pool_open", P(url), P(&pool), P(NULL)), 0);
  put(get(pool));
  CALL("pool_free", P(pool));
  config.initial = 1;
  assert_int_equal(NUMBER("pool_open_with", P(&config), P(url), P(&pool), P(NULL)), 0);
  assert_int_equal(NUMBER("pool_len", P(pool)), 1);
  CALL("pool_free", P(pool));
  assert_int_equal(NUMBER("pool_drivers", P(seen), P(schemes)), 1);
  CALL("pool_budget_close", P(NULL));
  assert_string_equal(schemes, "frozen ice");
}

static int count_key(void *user, const void *key, size_t size, pool_t *pool)
{
  *(int *)user += pool != NULL && size == 4 && memcmp(key, "acme", 4) == 0;
  return 0;
}

static void test_ffi__groups(void **state)
{
  (void)state;
  int (*seen)(void *, const void *, size_t, pool_t *) = count_key;
  int count = 0;
  pool_vtable_t vtable = vtable_of_closures();
  pool_group_config_t config;
  pool_group_stats_t stats;
  pool_group_t *group = NULL;
  pool_t *pool = NULL;
  vtable.release = NULL;
  assert_int_equal(NUMBER("pool_group_config_init", P(&config), N(sizeof config)), 0);
  assert_int_equal(NUMBER("pool_group_stats_init", P(&stats), N(sizeof stats)), 0);
  config.vtable = &vtable;
  config.context = &server;
  assert_int_equal(NUMBER("pool_group_create", P(&config), P(&group), P(NULL)), 0);
  put(NUMBER("pool_group_get", P(group), P("acme"), N(4), N(1000)));
  assert_int_equal(NUMBER("pool_group_pool", P(group), P("acme"), N(4), P(&pool), P(NULL)), 0);
  put(get(pool));
  CALL("pool_free", P(pool));
  void *function;
  memcpy(&function, &seen, sizeof function);
  assert_int_equal(NUMBER("pool_group_keys", P(group), P(function), P(&count)), 1);
  assert_int_equal(count, 1);
  assert_int_equal(NUMBER("pool_group_stats", P(group), P(&stats)), 0);
  assert_int_equal(stats.keys, 1);
  assert_int_equal(NUMBER("pool_group_close", P(group), N(0)), 0);
  CALL("pool_group_free", P(group));
}

static void test_ffi__groups_of_the_step_api(void **state)
{
  (void)state;
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  pool_group_t *group = NULL;
  pool_t *pool = NULL;
  int64_t due = 0;
  assert_int_equal(NUMBER("pool_group_step_create", P(&config), N(0), P(&group), P(NULL)), 0);
  assert_int_equal(NUMBER("pool_group_step_pool", P(group), P("acme"), N(4), P(NULL), P(&pool), P(NULL)), 0);
  CALL("pool_free", P(pool));
  assert_true(NUMBER("pool_group_event_fd", P(group)) >= 0);
  assert_int_equal(NUMBER("pool_group_step_next", P(group), P(&pool), P(&due)), 0);
  assert_true(due > 0);
  CALL("pool_group_free", P(group));
}

static void test_ffi__steps(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_step_t step = POOL_STEP_INIT;
  pool_t *pool = NULL;
  config.max_open = 1;
  assert_int_equal(NUMBER("pool_step_create", P(&config), N(POOL_STEP_EVENTS), P(&pool), P(NULL)), 0);
  assert_int_equal(NUMBER("pool_step_begin", P(pool), N(-1), N(0), P(&step)), 0);
  assert_int_equal(step.work, POOL_WORK_OPEN);
  int64_t lease = NUMBER("pool_step_done", N(step.claim), P(NULL), P(&server), P(&step));
  pool_step_event_t event = POOL_STEP_EVENT_INIT;
  assert_int_equal(NUMBER("pool_step_event", P(pool), P(&event)), 1);
  assert_int_equal(event.event, POOL_EVENT_POOL_CREATED);
  assert_ptr_equal(CALL("pool_conn", N(lease)).pointer, &server);
  assert_int_equal(NUMBER("pool_step_begin", P(pool), N(-1), N(0), P(&step)), 0);
  assert_int_equal(NUMBER("pool_step_cancel", N(step.ticket), P(&step)), 0);
  assert_int_equal(NUMBER("pool_step_begin", P(pool), N(-1), N(0), P(&step)), 0);
  int64_t ticket = step.ticket;
  assert_int_equal(NUMBER("pool_evict", P(pool)), 1);
  FAILS(POOL_E_EVICTED, "pool_step_begin", P(pool), N(-1), N(ticket), P(&step));
  assert_int_equal(NUMBER("pool_step_end", N(lease), P(&step)), 0);
  lease = NUMBER("pool_step_idle", P(pool), P(&step));
  pool_view_t view = POOL_VIEW_INIT;
  assert_int_equal(NUMBER("pool_step_view", P(pool), P(&view)), 0);
  assert_int_equal(view.version, POOL_VIEW_VERSION);
  assert_int_equal(NUMBER("pool_step_taken", P(pool), N(0), N(lease), P(&step)), lease);
  assert_int_equal(NUMBER("pool_step_end_unused", N(lease), P(&step)), 0);
  assert_int_equal(NUMBER("pool_step_given", N(lease), P(&step)), 0);
  assert_true((lease = NUMBER("pool_step_begin", P(pool), N(0), N(0), P(&step))) > 0);
  assert_int_equal(NUMBER("pool_step_pass", N(lease), P(&step)), 0);
  FAILS(POOL_E_TIMEOUT, "pool_step_open", P(pool), P(&step));
  assert_int_equal(NUMBER("pool_close", P(pool), N(0)), 1);
  assert_int_equal(NUMBER("pool_step_next", P(pool), P(&step)), 1);
  assert_int_equal(step.work, POOL_WORK_CLOSE);
  assert_int_equal(NUMBER("pool_step_done", N(step.claim), P(NULL), P(NULL), P(&step)), 0);
  CALL("pool_free", P(pool));
}

/* Bytes of a caller that knows how large its struct is, and nothing else of it. */
static void expect_defaults(const char *function, const void *defaults, size_t least, size_t known)
{
  enum { ROOM = 2048, GARBAGE = 0xa5 };
  static union {
    unsigned char bytes[ROOM];
    int64_t aligned;
  } theirs;
  for (size_t size = 0; size <= 2 * known && size < ROOM; size++) {
    memset(theirs.bytes, GARBAGE, sizeof theirs);
    int64_t code = NUMBER(function, P(&theirs), N((int64_t)size));
    assert_int_equal(code, size < least ? POOL_E_SIZE : 0);
    if (code == 0) {
      assert_memory_equal(theirs.bytes, &size, sizeof size);
      for (size_t i = sizeof size; i < size; i++)
        assert_int_equal(theirs.bytes[i], i < known ? ((const unsigned char *)defaults)[i] : 0);
    }
    for (size_t i = code ? 0 : size; i < ROOM; i++)
      assert_int_equal(theirs.bytes[i], GARBAGE);
  }
  FAILS(POOL_E_WILD, function, P(&theirs), N(4097));
  FAILS(POOL_E_WILD, function, P(&theirs), N(-1));
  FAILS(POOL_E_INVALID, function, P(NULL), N((int64_t)known));
}

#define EXPECT_DEFAULTS(name, type, last, init)                                                                        \
  do {                                                                                                                 \
    static const type defaults = init;                                                                                 \
    expect_defaults(name, &defaults, offsetof(type, last) + sizeof defaults.last, sizeof defaults);                    \
  } while (0)

static void test_ffi__structs_are_made_without_their_macros(void **state)
{
  (void)state;
  EXPECT_DEFAULTS("pool_config_init", pool_config_t, user, POOL_CONFIG_INIT);
  EXPECT_DEFAULTS("pool_vtable_init", pool_vtable_t, reserved, POOL_VTABLE_INIT);
  EXPECT_DEFAULTS("pool_error_init", pool_error_t, message[0], POOL_ERROR_INIT);
  EXPECT_DEFAULTS("pool_stats_init", pool_stats_t, open, POOL_STATS_INIT);
  EXPECT_DEFAULTS("pool_lease_info_init", pool_lease_info_t, held_ns, POOL_LEASE_INFO_INIT);
  EXPECT_DEFAULTS("pool_setting_init", pool_setting_t, reserved, POOL_SETTING_INIT);
  EXPECT_DEFAULTS("pool_step_init", pool_step_t, look_again_ns, POOL_STEP_INIT);
  EXPECT_DEFAULTS("pool_step_event_init", pool_step_event_t, line, POOL_STEP_EVENT_INIT);
}

/* Settings by their names, in a struct of which nothing is known but its size. */
static void test_ffi__settings(void **state)
{
  (void)state;
  static int64_t config[128];
  pool_setting_t setting = POOL_SETTING_INIT;
  pool_bytes_t text = {NULL, 0};
  int64_t value = 0;
  assert_int_equal(NUMBER("pool_config_init", P(config), N(sizeof(pool_config_t))), 0);
  assert_int_equal(NUMBER("pool_config_set", P(config), P("queue"), P("shed"), P(NULL)), 0);
  assert_int_equal(NUMBER("pool_config_set_number", P(config), P("max_open"), N(3), P(NULL)), 0);
  assert_int_equal(NUMBER("pool_config_get_number", P(config), P("max_open"), P(&value), P(NULL)), 0);
  assert_int_equal(value, 3);
  assert_int_equal(NUMBER("pool_config_get", P(config), P("queue"), P(&text), P(NULL)), 0);
  assert_string_equal(text.data, "shed");
  CALL("pool_bytes_free", P(&text));
  assert_int_equal(NUMBER("pool_config_check", P(config), P(NULL)), 0);
  assert_int_equal(NUMBER("pool_config_set_number", P(config), P("initial"), N(4), P(NULL)), 0);
  FAILS(POOL_E_INVALID, "pool_config_check", P(config), P(NULL));
  int64_t count = NUMBER("pool_setting", N(0), P(&setting));
  assert_true(count > 20);
  assert_int_equal(NUMBER("pool_setting", N(count - 1), P(&setting)), count);
  FAILS(POOL_E_INVALID, "pool_setting", N(count), P(&setting));
}

/* A whole pool by nothing but names, sizes and offsets, the settings of a release to come among them. */
static void test_ffi__a_pool_is_made_without_a_macro(void **state)
{
  (void)state;
  static int64_t config[128], vtable[64], stats[256];
  pool_t *pool = NULL;
  size_t larger = sizeof(pool_config_t) + 64;
  assert_true(larger < sizeof config && sizeof(pool_vtable_t) < sizeof vtable && sizeof(pool_stats_t) < sizeof stats);
  memset(config, -1, sizeof config);
  assert_int_equal(NUMBER("pool_config_init", P(config), N((int64_t)larger)), 0);
  assert_int_equal(NUMBER("pool_vtable_init", P(vtable), N(sizeof(pool_vtable_t))), 0);
  assert_int_equal(NUMBER("pool_stats_init", P(stats), N(sizeof(pool_stats_t))), 0);
  *(int32_t *)((char *)config + offsetof(pool_config_t, initial)) = 2;
  memcpy((char *)vtable + offsetof(pool_vtable_t, open), &made_open, sizeof made_open);
  memcpy((char *)vtable + offsetof(pool_vtable_t, close), &made_close, sizeof made_close);
  server.opened = server.closed = 0;
  assert_int_equal(NUMBER("pool_create", P(config), P(vtable), P(&server), P(&pool), P(NULL)), 0);
  assert_int_equal(NUMBER("pool_stats", P(pool), P(stats)), 0);
  assert_int_equal(*(int64_t *)((char *)stats + offsetof(pool_stats_t, idle)), 2);
  assert_int_equal(NUMBER("pool_close", P(pool), N(-1)), 0);
  CALL("pool_free", P(pool));
  assert_int_equal(server.closed, 2);
}

/* ---- errors ---- */

static void test_ffi__success_leaves_an_error_alone(void **state)
{
  (void)state;
  const pool_error_t before = {sizeof before, POOL_E_REMOTE, 5, "of an earlier call"};
  pool_error_t error = before;
  pool_vtable_t vtable = vtable_of_closures(), prepared = POOL_VTABLE_INIT;
  pool_t *pool = NULL, *frozen = NULL, *opened = NULL, *with = NULL, *stepped = NULL;
  void *context = NULL, *by_url = NULL;
  server.opened = server.closed = server.released = 0;
  assert_int_equal(NUMBER("pool_create", P(NULL), P(&vtable), P(&server), P(&pool), P(&error)), 0);
  assert_int_equal(NUMBER("pool_create_driver", P(NULL), P("frozen"), P("quiet"), P(&frozen), P(&error)), 0);
  assert_int_equal(NUMBER("pool_step_create", P(NULL), N(0), P(&stepped), P(&error)), 0);
  assert_int_equal(NUMBER("pool_driver_prepare", P("frozen"), P("quiet"), P(&prepared), P(&context), P(&error)), 0);
  assert_int_equal(NUMBER("pool_open", P("frozen:quiet"), P(&opened), P(&error)), 0);
  assert_int_equal(NUMBER("pool_open_with", P(NULL), P("frozen:quiet"), P(&with), P(&error)), 0);
  assert_int_equal(NUMBER("pool_url_prepare", P("frozen:quiet"), P(NULL), P(&prepared), P(&by_url), P(&error)), 0);
  int64_t lease = get(pool);
  assert_int_equal(NUMBER("pool_call", N(lease), P("echo"), B("ping", 4), P(NULL), P(&error)), 0);
  assert_memory_equal(&error, &before, sizeof error);
  put(lease);
  prepared.release(context);
  prepared.release(by_url);
  CALL("pool_free", P(frozen));
  CALL("pool_free", P(opened));
  CALL("pool_free", P(with));
  CALL("pool_free", P(stepped));
  finish(pool);
}

static void test_ffi__errors_of_getting(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  config.max_open = 1;
  config.max_waiters = 1;
  pool_t *pool = create(&config);
  _Atomic int64_t result = 0;
  server.refuses = 1;
  FAILS(POOL_E_OPEN, "pool_get", P(pool));
  assert_int_equal(NUMBER("pool_failure", P(&error)), POOL_E_OPEN);
  assert_non_null(strstr(error.message, "refused"));
  server.refuses = 0;
  int64_t lease = get(pool);
  FAILS(POOL_E_TIMEOUT, "pool_get_for", P(pool), N(1));
  int64_t ticket = NUMBER("pool_get_async", P(pool), N(-1), P(made_got), P(&result));
  assert_true(ticket > 0);
  FAILS(POOL_E_OVERLOAD, "pool_get", P(pool));
  FAILS(POOL_E_OVERLOAD, "pool_get_async", P(pool), N(-1), P(made_got), P(&result));
  assert_int_equal(NUMBER("pool_cancel", N(ticket)), 0);
  wait_until(result == POOL_E_CANCELLED);
  FAILS(POOL_E_STALE, "pool_cancel", N(ticket));
  FAILS(POOL_E_UNSUPPORTED, "pool_event_fd", P(pool));
  put(lease);
  FAILS(POOL_E_STALE, "pool_put", N(lease));
  assert_int_equal(NUMBER("pool_close", P(pool), N(0)), 0);
  FAILS(POOL_E_CLOSED, "pool_get", P(pool));
  FAILS(POOL_E_CLOSED, "pool_get_for", P(pool), N(0));
  FAILS(POOL_E_CLOSED, "pool_get_async", P(pool), N(0), P(made_got), P(&result));
  FAILS(POOL_E_CLOSED, "pool_pause", P(pool));
  FAILS(POOL_E_CLOSED, "pool_resize", P(pool), N(1));
  FAILS(POOL_E_CLOSED, "pool_set", P(pool), P("min_idle"), N(1));
  finish(pool);
}

static void test_ffi__errors_of_calls(void **state)
{
  (void)state;
  pool_error_t error = POOL_ERROR_INIT;
  pool_bytes_t bytes = {&error, 1};
  pool_t *pool = create(NULL);
  int64_t lease = get(pool);
  int32_t code = 0;
  FAILS(POOL_E_REMOTE, "pool_call", N(lease), P("fail"), NOBODY, P(&bytes), P(&error));
  assert_string_equal(error.message, "the server says no");
  assert_true(NUMBER("pool_go", N(lease), P("later"), NOBODY, F(done), P(&code)) > 0);
  pool_call_t *call = under_way;
  assert_int_equal(NUMBER("pool_call_done", P(call), N(POOL_E_TIMEOUT), NOBODY), 0);
  assert_int_equal(code, POOL_E_TIMEOUT);
  FAILS(POOL_E_STALE, "pool_call_done", P(call), N(0), NOBODY);
  FAILS(POOL_E_BROKEN, "pool_call", N(lease), P("break"), NOBODY, P(&bytes), P(NULL));
  FAILS(POOL_E_UNSUPPORTED, "pool_step_end", N(lease), P(&(pool_step_t)POOL_STEP_INIT));
  put(lease);
  FAILS(POOL_E_NOMEM, "pool_bytes_new", N(-1), P(&bytes));
  FAILS(POOL_E_NOMEM, "pool_bytes_new", N(PTRDIFF_MAX - 1), P(&bytes));
  assert_ptr_equal(bytes.data, &error);
  assert_int_equal(bytes.size, 1);
  finish(pool);
}

static void test_ffi__errors_of_structs(void **state)
{
  (void)state;
  struct {
    pool_config_t config;
    int64_t newer;
  } grown = {POOL_CONFIG_INIT, 1};
  pool_config_t unsized = POOL_CONFIG_INIT, wild = POOL_CONFIG_INIT;
  pool_vtable_t vtable = vtable_of_closures(), without_open = vtable, without_close = vtable;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *const untouched = (void *)&server;
  pool_t *pool = untouched;
  grown.config.size = sizeof grown;
  unsized.size = 0;
  wild.size = SIZE_MAX;
  without_open.open = NULL;
  without_close.close = NULL;
  FAILS(POOL_E_NEWER, "pool_create", P(&grown), P(&vtable), P(&server), P(&pool), P(&error));
  FAILS(POOL_E_SIZE, "pool_create", P(&unsized), P(&vtable), P(&server), P(&pool), P(&error));
  FAILS(POOL_E_WILD, "pool_create", P(&wild), P(&vtable), P(&server), P(&pool), P(&error));
  FAILS(POOL_E_VTABLE, "pool_create", P(NULL), P(NULL), P(&server), P(&pool), P(&error));
  FAILS(POOL_E_VTABLE, "pool_create", P(NULL), P(&without_open), P(&server), P(&pool), P(&error));
  FAILS(POOL_E_VTABLE, "pool_create", P(NULL), P(&without_close), P(&server), P(&pool), P(&error));
  FAILS(POOL_E_INVALID, "pool_create", P(NULL), P(&vtable), P(&server), P(NULL), P(&error));
  FAILS(POOL_E_DRIVER, "pool_create_driver", P(NULL), P("no-such"), P("quiet"), P(&pool), P(&error));
  assert_int_equal(error.code, POOL_E_DRIVER);
  FAILS(POOL_E_INVALID, "pool_create_driver", P(NULL), P("../frozen"), P("quiet"), P(&pool), P(&error));
  FAILS(POOL_E_INVALID, "pool_create_driver", P(NULL), P("frozen"), P("nowhere"), P(&pool), P(&error));
  FAILS(POOL_E_DRIVER, "pool_create_driver", P(NULL), P("frozen"), P("errno"), P(&pool), P(&error));
  FAILS(POOL_E_DRIVER, "pool_open", P("no-such:quiet"), P(&pool), P(&error));
  FAILS(POOL_E_INVALID, "pool_open", P("frozen:nowhere"), P(&pool), P(&error));
  FAILS(POOL_E_DRIVER, "pool_open", P("frozen:errno"), P(&pool), P(&error));
  FAILS(POOL_E_INVALID, "pool_open", P("frozen:quiet?pool.max_opne=1"), P(&pool), P(&error));
  FAILS(POOL_E_NEWER, "pool_open_with", P(&grown), P("frozen:quiet"), P(&pool), P(&error));
  FAILS(POOL_E_SIZE, "pool_open_with", P(&unsized), P("frozen:quiet"), P(&pool), P(&error));
  FAILS(POOL_E_NEWER, "pool_step_create", P(&grown), N(0), P(&pool), P(&error));
  FAILS(POOL_E_SIZE, "pool_step_create", P(&unsized), N(0), P(&pool), P(&error));
  FAILS(POOL_E_WILD, "pool_step_create", P(&wild), N(0), P(&pool), P(&error));
  assert_ptr_equal(pool, untouched);
  pool_vtable_t prepared = vtable;
  void *context = untouched;
  FAILS(POOL_E_DRIVER, "pool_driver_prepare", P("no-such"), P("quiet"), P(&prepared), P(&context), P(&error));
  FAILS(POOL_E_INVALID, "pool_driver_prepare", P("frozen"), P("nowhere"), P(&prepared), P(&context), P(&error));
  pool_config_t config = POOL_CONFIG_INIT;
  const char *url = "frozen:nowhere?pool.max_open=3";
  FAILS(POOL_E_INVALID, "pool_url_prepare", P(url), P(&config), P(&prepared), P(&context), P(&error));
  assert_int_equal(config.max_open, 0);
  assert_memory_equal(&prepared, &vtable, sizeof vtable);
  assert_ptr_equal(context, untouched);
  assert_null(CALL("pool_get_api", N(0)).pointer);
  assert_null(CALL("pool_get_api", N(UINT32_MAX)).pointer);
  assert_int_equal(NUMBER("pool_failure", P(&error)), POOL_E_UNSUPPORTED);
}

/* A descriptor that the system does not give. */
static void test_ffi__errors_of_the_system(void **state)
{
  (void)state;
  struct rlimit before, none;
  pool_config_t config = POOL_CONFIG_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  pool_t *pool = create(&config);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  int64_t result = NUMBER("pool_event_fd", P(pool));
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(result, POOL_E_SYSTEM);
  finish(pool);
}

/* ---- wrong arguments ---- */

/* A number that is no lease, ticket, claim, size, timeout or descriptor. */
static int64_t wrong_number(enum kind kind, int variant)
{
  switch (variant) {
  case 0:
    return -1;
  case 1:
    return kind == INT || kind == UINT32 ? INT32_MIN : INT64_MIN;
  default:
    return kind == INT ? INT32_MAX : kind == UINT32 ? UINT32_MAX : INT64_MAX;
  }
}

/* What of them can only succeed. */
static bool is_total(const char *name)
{
  static const char *const total[] = {"pool_free",
                                      "pool_bytes_free",
                                      "pool_len",
                                      "pool_strerror",
                                      "pool_call_deadline",
                                      "pool_config_check" /* of NULL, the defaults */,
                                      "pool_expose" /* of NULL, all pools */,
                                      "pool_budget_close",
                                      "pool_group_free",
                                      "pool_phase",
                                      "pool_phase_listen"};
  for (size_t i = 0; i < sizeof total / sizeof *total; i++)
    if (strcmp(name, total[i]) == 0)
      return true;
  return false;
}

static void expect_failure(const struct function *function, union value result)
{
  const char *name = function->signature->name;
  if (is_total(name) || function->signature->count == 0)
    return;
  if (function->result == POINTER ? result.pointer != NULL : result.number >= 0)
    fail_msg("%s succeeds with wrong arguments", name);
}

static void test_ffi__null_and_wild_numbers_everywhere(void **state)
{
  (void)state;
  int count;
  struct function *functions = foreign_functions(&count);
  CALL("pool_put", N(-1)); /* so that pool_failure has something to say */
  for (int variant = 0; variant < 3; variant++)
    for (int i = 0; i < count; i++) {
      union value arguments[SIGNATURE_PARAMETERS] = {{.number = 0}};
      for (unsigned j = 0; j < functions[i].signature->count; j++)
        if (functions[i].parameters[j] == POINTER)
          arguments[j].pointer = NULL;
        else if (functions[i].parameters[j] == BYTES)
          arguments[j] = NOBODY;
        else
          arguments[j].number = wrong_number(functions[i].parameters[j], variant);
      expect_failure(&functions[i], foreign_call(&functions[i], arguments));
    }
}

/* What once was a lease, and what comes close to one. */
static void test_ffi__leases_that_are_none(void **state)
{
  (void)state;
  pool_t *pool = create(NULL);
  int64_t stale = get(pool);
  put(stale);
  int64_t good = get(pool);
  assert_int_equal((good ^ stale) & ((1 << 20) - 1), 0); /* the slot's number, for callers with tables of their own */
  assert_true(good < INT64_C(1) << 62);
  const int64_t none[] = {stale, 0,         -1,        good ^ 1,  good + (1 << 20), good | INT64_MIN, -good,
                          1,     (1 << 20), INT64_MAX, INT64_MIN, INT64_C(1) << 62, good ^ (1 << 19)};
  pool_bytes_t reply = {NULL, 0};
  int32_t code = 0;
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    pool_step_t step = POOL_STEP_INIT;
    FAILS(POOL_E_STALE, "pool_put", N(none[i]));
    FAILS(POOL_E_STALE, "pool_mark_unusable", N(none[i]));
    FAILS(POOL_E_STALE, "pool_mark_broken", N(none[i]));
    FAILS(POOL_E_STALE, "pool_tag", N(none[i]), P("tag"));
    FAILS(POOL_E_STALE, "pool_cancel", N(none[i]));
    FAILS(POOL_E_STALE, "pool_call", N(none[i]), P("echo"), NOBODY, P(&reply), P(NULL));
    FAILS(POOL_E_STALE, "pool_go", N(none[i]), P("echo"), NOBODY, F(done), P(&code));
    FAILS(POOL_E_STALE, "pool_step_end", N(none[i]), P(&step));
    FAILS(POOL_E_STALE, "pool_step_done", N(none[i]), P(NULL), P(NULL), P(&step));
    FAILS(POOL_E_STALE, "pool_step_cancel", N(none[i]), P(&step));
    assert_null(CALL("pool_conn", N(none[i])).pointer);
  }
  assert_ptr_equal(CALL("pool_conn", N(good)).pointer, &server);
  put(good);
  finish(pool);
}

static void test_ffi__each_wrong_argument_by_itself(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_step_t step = POOL_STEP_INIT;
  pool_vtable_t vtable = vtable_of_closures();
  pool_bytes_t text = {NULL, 0};
  pool_t *stepped = NULL, *pool = create(&config);
  void *context = NULL;
  int64_t lease = get(pool);
  int32_t code = 0;
  _Atomic int64_t result = 0;
  assert_int_equal(NUMBER("pool_step_create", P(NULL), N(0), P(&stepped), P(NULL)), 0);

  FAILS(POOL_E_INVALID, "pool_close", P(pool), N(-2));
  FAILS(POOL_E_INVALID, "pool_config_set", P(&config), P("max_open"), P("many"), P(NULL));
  FAILS(POOL_E_INVALID, "pool_config_set", P(&config), P("max_opn"), P("1"), P(NULL));
  FAILS(POOL_E_INVALID, "pool_config_set_number", P(&config), P("max_open"), N(-1), P(NULL));
  FAILS(POOL_E_INVALID, "pool_config_get", P(&config), P("nothing"), P(&text), P(NULL));
  FAILS(POOL_E_INVALID, "pool_config_get_number", P(&config), P("name"), P(&result), P(NULL));
  FAILS(POOL_E_INVALID, "pool_setting", N(-1), P(NULL));
  FAILS(POOL_E_INVALID, "pool_resize", P(pool), N(-1));
  FAILS(POOL_E_INVALID, "pool_resize", P(pool), N(INT32_MAX));
  FAILS(POOL_E_INVALID, "pool_leases", P(pool), P(NULL), N(1));
  FAILS(POOL_E_INVALID, "pool_get_for", P(pool), N(-2));
  FAILS(POOL_E_INVALID, "pool_get_async", P(pool), N(-2), P(made_got), P(&result));
  FAILS(POOL_E_INVALID, "pool_get_async", P(pool), N(-1), P(NULL), P(&result));
  FAILS(POOL_E_INVALID, "pool_resume", P(pool));
  FAILS(POOL_E_INVALID, "pool_call", N(lease), P(NULL), NOBODY, P(&text), P(NULL));
  FAILS(POOL_E_INVALID, "pool_call", N(lease), P("echo"), B(NULL, 1), P(&text), P(NULL));
  FAILS(POOL_E_INVALID, "pool_go", N(lease), P(NULL), NOBODY, F(done), P(&code));
  FAILS(POOL_E_INVALID, "pool_go", N(lease), P("echo"), NOBODY, P(NULL), P(&code));
  FAILS(POOL_E_INVALID, "pool_go", N(lease), P("echo"), B(NULL, 1), F(done), P(&code));
  FAILS(POOL_E_INVALID, "pool_bytes_new", N(1), P(NULL));
  FAILS(POOL_E_INVALID, "pool_stats", P(pool), P(NULL));
  FAILS(POOL_E_INVALID, "pool_report", P(pool), N(POOL_FORMAT_TEXT), P(NULL));
  FAILS(POOL_E_INVALID, "pool_report", P(pool), N(-1), P(&text));
  FAILS(POOL_E_INVALID, "pool_report", P(pool), N(3), P(&text));
  FAILS(POOL_E_INVALID, "pool_health", P(pool), N(0), P(&text));
  FAILS(POOL_E_INVALID, "pool_health", P(pool), N(-2), P(&text));
  FAILS(POOL_E_INVALID, "pool_socket_idle", N(STDERR_FILENO + 1000));
  FAILS(POOL_E_INVALID, "pool_driver_prepare", P(NULL), P("quiet"), P(&vtable), P(&context), P(NULL));
  FAILS(POOL_E_INVALID, "pool_driver_prepare", P("frozen"), P(NULL), P(&vtable), P(&context), P(NULL));
  FAILS(POOL_E_INVALID, "pool_driver_prepare", P("frozen"), P("quiet"), P(NULL), P(&context), P(NULL));
  FAILS(POOL_E_INVALID, "pool_driver_prepare", P("frozen"), P("quiet"), P(&vtable), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_create_driver", P(NULL), P("frozen"), P("quiet"), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_open", P("frozen:quiet"), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_open", P(NULL), P(&stepped), P(NULL));
  FAILS(POOL_E_INVALID, "pool_open_with", P(&config), P(NULL), P(&stepped), P(NULL));
  FAILS(POOL_E_INVALID, "pool_url_prepare", P(NULL), P(&config), P(&vtable), P(&context), P(NULL));
  FAILS(POOL_E_INVALID, "pool_url_prepare", P("frozen:quiet"), P(&config), P(NULL), P(&context), P(NULL));
  FAILS(POOL_E_INVALID, "pool_url_prepare", P("frozen:quiet"), P(&config), P(&vtable), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_drivers", P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_budget_open", P(NULL), P(&result), P(NULL));
  FAILS(POOL_E_INVALID, "pool_budget_stats", P(NULL), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_budget_members", P(NULL), P(NULL), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_budget_language", P(NULL));
  FAILS(POOL_E_VTABLE, "pool_group_create", P(NULL), P(&result), P(NULL));
  FAILS(POOL_E_INVALID, "pool_group_create", P(NULL), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_group_get", P(NULL), P("k"), N(1), N(0));
  FAILS(POOL_E_INVALID, "pool_group_pool", P(NULL), P("k"), N(1), P(&result), P(NULL));
  FAILS(POOL_E_INVALID, "pool_group_stats", P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_group_keys", P(NULL), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_group_close", P(NULL), N(0));
  FAILS(POOL_E_INVALID, "pool_group_step_create", P(NULL), N(0), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_group_step_pool", P(NULL), P("k"), N(1), P(NULL), P(&result), P(NULL));
  FAILS(POOL_E_INVALID, "pool_group_step_next", P(NULL), P(&result), P(&result));
  FAILS(POOL_E_INVALID, "pool_group_event_fd", P(NULL));
  FAILS(POOL_E_INVALID, "pool_step_create", P(NULL), N(0), P(NULL), P(NULL));
  FAILS(POOL_E_INVALID, "pool_step_begin", P(stepped), N(-2), N(0), P(&step));
  FAILS(POOL_E_INVALID, "pool_step_begin", P(stepped), N(-1), N(0), P(NULL));
  FAILS(POOL_E_INVALID, "pool_step_next", P(stepped), P(NULL));
  FAILS(POOL_E_STALE, "pool_step_begin", P(stepped), N(-1), N(-1), P(&step));
  FAILS(POOL_E_UNSUPPORTED, "pool_step_begin", P(pool), N(-1), N(0), P(&step));
  FAILS(POOL_E_UNSUPPORTED, "pool_step_next", P(pool), P(&step));
  FAILS(POOL_E_UNSUPPORTED, "pool_step_idle", P(pool), P(&step));
  FAILS(POOL_E_UNSUPPORTED, "pool_step_open", P(pool), P(&step));
  FAILS(POOL_E_UNSUPPORTED, "pool_step_taken", P(pool), N(0), N(1), P(&step));
  FAILS(POOL_E_STALE, "pool_step_taken", P(stepped), N(0), N(1), P(&step));
  FAILS(POOL_E_STALE, "pool_step_given", N(-1), P(&step));
  FAILS(POOL_E_STALE, "pool_step_pass", N(-1), P(&step));
  FAILS(POOL_E_STALE, "pool_step_join", N(-1), P(&step));
  FAILS(POOL_E_UNSUPPORTED, "pool_get", P(stepped));
  FAILS(POOL_E_UNSUPPORTED, "pool_get_async", P(stepped), N(-1), P(made_got), P(&result));

  assert_null(text.data);
  assert_int_equal(code, 0);
  assert_int_equal(result, 0);
  assert_ptr_equal(CALL("pool_conn", N(lease)).pointer, &server);
  CALL("pool_free", P(stepped));
  put(lease);
  finish(pool);
}

/* ---- messages ---- */

#define IS_NAMED(word, ...)                                                                                            \
  do {                                                                                                                 \
    pool_error_t why_ = POOL_ERROR_INIT;                                                                               \
    CALL(__VA_ARGS__);                                                                                                 \
    int code_ = (int)NUMBER("pool_failure", P(&why_));                                                                 \
    if ((code_ != POOL_E_INVALID && code_ != POOL_E_VTABLE) || !strstr(why_.message, word " is NULL"))                 \
      fail_msg("line %d: code %d, '%s' does not say that %s is NULL", __LINE__, code_, why_.message, word);            \
  } while (0)

static void test_ffi__the_message_names_what_is_null(void **state)
{
  (void)state;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_step_t step = POOL_STEP_INIT;
  pool_bytes_t text = {NULL, 0};
  pool_vtable_t vtable = vtable_of_closures();
  pool_t *stepped = NULL, *pool = create(NULL);
  void *context = NULL;
  int32_t code = 0;
  int64_t lease = get(pool);
  assert_int_equal(NUMBER("pool_step_create", P(NULL), N(0), P(&stepped), P(NULL)), 0);
  IS_NAMED("vtable", "pool_create", P(NULL), P(NULL), P(&server), P(&stepped), P(NULL));
  IS_NAMED("pool", "pool_create", P(NULL), P(&vtable), P(&server), P(NULL), P(NULL));
  IS_NAMED("pool", "pool_close", P(NULL), N(0));
  IS_NAMED("pool", "pool_maintain", P(NULL));
  IS_NAMED("pool", "pool_flush", P(NULL));
  IS_NAMED("pool", "pool_pause", P(NULL));
  IS_NAMED("pool", "pool_resume", P(NULL));
  IS_NAMED("pool", "pool_evict", P(NULL));
  IS_NAMED("pool", "pool_resize", P(NULL), N(1));
  IS_NAMED("pool", "pool_set", P(NULL), P("min_idle"), N(1));
  IS_NAMED("name", "pool_set", P(pool), P(NULL), N(1));
  IS_NAMED("pool", "pool_value", P(NULL), P("min_idle"), P(NULL));
  IS_NAMED("pool", "pool_leases", P(NULL), P(NULL), N(0));
  IS_NAMED("list", "pool_leases", P(pool), P(NULL), N(1));
  IS_NAMED("pool", "pool_event_fd", P(NULL));
  IS_NAMED("pool", "pool_get", P(NULL));
  IS_NAMED("pool", "pool_get_for", P(NULL), N(0));
  IS_NAMED("pool", "pool_get_async", P(NULL), N(0), P(made_got), P(NULL));
  IS_NAMED("got", "pool_get_async", P(pool), N(0), P(NULL), P(NULL));
  IS_NAMED("method", "pool_call", N(lease), P(NULL), NOBODY, P(&text), P(NULL));
  IS_NAMED("method", "pool_go", N(lease), P(NULL), NOBODY, F(done), P(&code));
  IS_NAMED("done", "pool_go", N(lease), P("echo"), NOBODY, P(NULL), P(&code));
  IS_NAMED("call", "pool_call_done", P(NULL), N(0), NOBODY);
  IS_NAMED("bytes", "pool_bytes_new", N(1), P(NULL));
  IS_NAMED("pool", "pool_stats", P(NULL), P(NULL));
  IS_NAMED("stats", "pool_stats", P(pool), P(NULL));
  IS_NAMED("text", "pool_report", P(pool), N(POOL_FORMAT_TEXT), P(NULL));
  IS_NAMED("pool", "pool_health", P(NULL), N(-1), P(NULL));
  IS_NAMED("feature", "pool_supports", P(NULL));
  IS_NAMED("config", "pool_config_set", P(NULL), P("max_open"), P("1"), P(NULL));
  IS_NAMED("name", "pool_config_set", P(&config), P(NULL), P("1"), P(NULL));
  IS_NAMED("text", "pool_config_set", P(&config), P("max_open"), P(NULL), P(NULL));
  IS_NAMED("text", "pool_config_get", P(&config), P("max_open"), P(NULL), P(NULL));
  IS_NAMED("value", "pool_config_get_number", P(&config), P("max_open"), P(NULL), P(NULL));
  IS_NAMED("setting", "pool_setting", N(0), P(NULL));
  IS_NAMED("config", "pool_config_init", P(NULL), N(sizeof(pool_config_t)));
  IS_NAMED("name", "pool_driver_prepare", P(NULL), P("quiet"), P(&vtable), P(&context), P(NULL));
  IS_NAMED("address", "pool_driver_prepare", P("frozen"), P(NULL), P(&vtable), P(&context), P(NULL));
  IS_NAMED("vtable", "pool_driver_prepare", P("frozen"), P("quiet"), P(NULL), P(&context), P(NULL));
  IS_NAMED("context", "pool_driver_prepare", P("frozen"), P("quiet"), P(&vtable), P(NULL), P(NULL));
  IS_NAMED("pool", "pool_create_driver", P(NULL), P("frozen"), P("quiet"), P(NULL), P(NULL));
  IS_NAMED("url", "pool_open", P(NULL), P(&stepped), P(NULL));
  IS_NAMED("pool", "pool_open", P("frozen:quiet"), P(NULL), P(NULL));
  IS_NAMED("url", "pool_open_with", P(NULL), P(NULL), P(&stepped), P(NULL));
  IS_NAMED("pool", "pool_open_with", P(NULL), P("frozen:quiet"), P(NULL), P(NULL));
  IS_NAMED("url", "pool_url_prepare", P(NULL), P(NULL), P(&vtable), P(&context), P(NULL));
  IS_NAMED("vtable", "pool_url_prepare", P("frozen:quiet"), P(NULL), P(NULL), P(&context), P(NULL));
  IS_NAMED("context", "pool_url_prepare", P("frozen:quiet"), P(NULL), P(&vtable), P(NULL), P(NULL));
  IS_NAMED("seen", "pool_drivers", P(NULL), P(NULL));
  IS_NAMED("url", "pool_budget_open", P(NULL), P(&stepped), P(NULL));
  IS_NAMED("budget", "pool_budget_open", P("process:nobody"), P(NULL), P(NULL));
  IS_NAMED("budget", "pool_budget_stats", P(NULL), P(&stepped), P(NULL));
  IS_NAMED("budget", "pool_budget_members", P(NULL), P(&stepped), P(NULL), P(NULL));
  IS_NAMED("language", "pool_budget_language", P(NULL));
  IS_NAMED("group", "pool_group_create", P(NULL), P(NULL), P(NULL));
  IS_NAMED("group", "pool_group_get", P(NULL), P("k"), N(1), N(0));
  IS_NAMED("pool", "pool_group_pool", P(NULL), P("k"), N(1), P(NULL), P(NULL));
  IS_NAMED("group", "pool_group_stats", P(NULL), P(NULL));
  IS_NAMED("group", "pool_group_keys", P(NULL), P(NULL), P(NULL));
  IS_NAMED("group", "pool_group_close", P(NULL), N(0));
  IS_NAMED("group", "pool_group_step_create", P(NULL), N(0), P(NULL), P(NULL));
  IS_NAMED("group", "pool_group_step_pool", P(NULL), P("k"), N(1), P(NULL), P(NULL), P(NULL));
  IS_NAMED("group", "pool_group_step_next", P(NULL), P(NULL), P(NULL));
  IS_NAMED("group", "pool_group_event_fd", P(NULL));
  IS_NAMED("pool", "pool_step_create", P(NULL), N(0), P(NULL), P(NULL));
  IS_NAMED("pool", "pool_step_begin", P(NULL), N(0), N(0), P(&step));
  IS_NAMED("step", "pool_step_begin", P(stepped), N(0), N(0), P(NULL));
  IS_NAMED("step", "pool_step_cancel", N(1), P(NULL));
  IS_NAMED("step", "pool_step_end", N(1), P(NULL));
  IS_NAMED("step", "pool_step_done", N(1), P(NULL), P(NULL), P(NULL));
  IS_NAMED("step", "pool_step_next", P(stepped), P(NULL));
  IS_NAMED("step", "pool_step_idle", P(stepped), P(NULL));
  IS_NAMED("step", "pool_step_open", P(stepped), P(NULL));
  IS_NAMED("pool", "pool_step_open", P(NULL), P(&step));
  IS_NAMED("step", "pool_step_given", N(1), P(NULL));
  IS_NAMED("step", "pool_step_pass", N(1), P(NULL));
  IS_NAMED("step", "pool_step_join", N(1), P(NULL));
  IS_NAMED("step", "pool_step_taken", P(stepped), N(0), N(1), P(NULL));
  IS_NAMED("view", "pool_step_view", P(stepped), P(NULL));
  IS_NAMED("event", "pool_step_event", P(stepped), P(NULL));
  IS_NAMED("pool", "pool_step_next", P(NULL), P(&step));
  CALL("pool_free", P(stepped));
  put(lease);
  finish(pool);
}

/* ---- nothing was forgotten ---- */

static void test_ffi__every_function_was_called(void **state)
{
  (void)state;
  int count;
  struct function *functions = foreign_functions(&count);
  for (int i = 0; i < count; i++)
    if (functions[i].calls < 4) /* three times with nothing but wrong arguments */
      fail_msg("%s is never used: add a use of it", functions[i].signature->name);
}

static void test_ffi__every_error_was_seen(void **state)
{
  (void)state;
  const char *unknown = CALL("pool_strerror", N(INT64_MIN)).pointer;
  for (int error = 1; strcmp(CALL("pool_strerror", N(-error)).pointer, unknown) != 0; error++)
    /* No struct has a history that is no longer understood; sized_test.c has one of its own. */
    if (foreign_seen(error) == 0 && -error != POOL_E_OLDER)
      fail_msg("no call ended with error %d (%s): add one", -error, (char *)CALL("pool_strerror", N(-error)).pointer);
}

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ffi__the_table_is_in_the_order_of_the_list),
      cmocka_unit_test(test_ffi__get_and_put),
      cmocka_unit_test(test_ffi__control),
      cmocka_unit_test(test_ffi__calls),
      cmocka_unit_test(test_ffi__seeing),
      cmocka_unit_test(test_ffi__phases),
      cmocka_unit_test(test_ffi__drivers),
      cmocka_unit_test(test_ffi__urls),
      cmocka_unit_test(test_ffi__groups),
      cmocka_unit_test(test_ffi__groups_of_the_step_api),
      cmocka_unit_test(test_ffi__steps),
      cmocka_unit_test(test_ffi__structs_are_made_without_their_macros),
      cmocka_unit_test(test_ffi__settings),
      cmocka_unit_test(test_ffi__a_pool_is_made_without_a_macro),
      cmocka_unit_test(test_ffi__success_leaves_an_error_alone),
      cmocka_unit_test(test_ffi__errors_of_getting),
      cmocka_unit_test(test_ffi__errors_of_calls),
      cmocka_unit_test(test_ffi__errors_of_structs),
      cmocka_unit_test(test_ffi__errors_of_the_system),
      cmocka_unit_test(test_ffi__null_and_wild_numbers_everywhere),
      cmocka_unit_test(test_ffi__leases_that_are_none),
      cmocka_unit_test(test_ffi__each_wrong_argument_by_itself),
      cmocka_unit_test(test_ffi__the_message_names_what_is_null),
      cmocka_unit_test(test_ffi__every_function_was_called),
      cmocka_unit_test(test_ffi__every_error_was_seen),
  };
  if (count != 3) {
    fprintf(stderr, "usage: %s LIBPOOL SIGNATURES\n", arguments[0]);
    return 2;
  }
  const char *trouble = foreign_load(arguments[1], arguments[2]);
  if (trouble) {
    fprintf(stderr, "FAILED: not found or not understood: %s\n", trouble);
    return 1;
  }
  return cmocka_run_group_tests(tests, make_callbacks, NULL);
}
