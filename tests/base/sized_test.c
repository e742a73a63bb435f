/* SPDX-License-Identifier: MIT */
/*
 * Structs of other releases: every function with every struct that begins with its size, at every size from 0 to twice
 * its own.  Each struct lies at the end of a page behind which nothing may be touched.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <pool/api.h>

#include "abi/signature.h"
#include "base/sized.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

static const char *signatures_path;

enum { ROOM = 8192, SLACK = 0x5c };

/* No struct will ever be larger. */
#define SIZE_LIMIT 4096

/* ---- the end of a page ---- */

static unsigned char *page_end;

static int make_page(void **state)
{
  (void)state;
  unsigned char *pages = mmap(NULL, 2 * ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(pages != MAP_FAILED);
  page_end = pages + ROOM;
  return mprotect(page_end, ROOM, PROT_NONE);
}

static size_t slack_of(size_t bytes)
{
  return -bytes % sizeof(size_t);
}

/* Room for so many bytes.  A struct must be aligned, so up to seven bytes may follow: they are watched. */
static unsigned char *room_for(size_t bytes)
{
  ASAN_UNPOISON_MEMORY_REGION(page_end - ROOM, ROOM);
  memset(page_end - sizeof(size_t), SLACK, sizeof(size_t));
  ASAN_POISON_MEMORY_REGION(page_end - slack_of(bytes), slack_of(bytes));
  return page_end - slack_of(bytes) - bytes;
}

static void check_slack(size_t bytes)
{
  ASAN_UNPOISON_MEMORY_REGION(page_end - ROOM, ROOM);
  for (size_t i = 1; i <= slack_of(bytes); i++)
    assert_int_equal(page_end[-(ptrdiff_t)i], SLACK);
}

/* ---- what the functions are called with ---- */

static struct fake fake;
static pool_t *pool, *stepped;
static pool_budget_t *budget;
static pool_group_t *group;
static pool_lease_t lease;

static int make_scene(void **state)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = 1;
  config.budget = "process:sized?limit=5";
  fake_init(&fake);
  pool = fake_pool(&fake, &config, NULL);
  lease = pool_get(pool);
  assert_int_equal(pool_budget_open(config.budget, &budget, NULL), 0);
  config.budget = NULL;
  pool_vtable_t vtable = fake_vtable();
  pool_group_config_t keyed = POOL_GROUP_CONFIG_INIT;
  keyed.vtable = &vtable;
  keyed.context = &fake;
  assert_int_equal(pool_group_create(&keyed, &group, NULL), 0);
  assert_true(lease > 0);
  assert_int_equal(pool_tag(lease, "a tag that is longer than what there is room for in a lease's info"), 0);
  assert_int_equal(pool_step_create(&config, 0, &stepped, NULL), 0);
  return make_page(state);
}

static int end_scene(void **state)
{
  (void)state;
  pool_budget_close(budget);
  pool_group_free(group);
  pool_free(stepped);
  assert_int_equal(pool_put(lease), 0);
  fake_finish(&fake, pool);
  return munmap(page_end - ROOM, 2 * ROOM);
}

/* A pool was made, or there is no trace of one. */
static int made(int code, pool_t *result)
{
  if (code)
    assert_null(result);
  else
    pool_free(result);
  return code;
}

static int create_config(void *config)
{
  pool_vtable_t vtable = fake_vtable();
  pool_t *result = NULL;
  return made(pool_create(config, &vtable, &fake, &result, NULL), result);
}

static int create_vtable(void *vtable)
{
  pool_t *result = NULL;
  return made(pool_create(NULL, vtable, &fake, &result, NULL), result);
}

static int create_error(void *error)
{
  pool_t *result = NULL;
  return made(pool_create(NULL, NULL, NULL, &result, error), result);
}

static int check_config(void *config)
{
  return pool_config_check(config, NULL);
}

static int check_error(void *error)
{
  static const pool_config_t wrong = {.size = sizeof wrong, .max_open = -1};
  return pool_config_check(&wrong, error);
}

/* To what it is already. */
static int set_config(void *config)
{
  return pool_config_set(config, "max_open", "0", NULL);
}

static int set_number_config(void *config)
{
  return pool_config_set_number(config, "max_open", 0, NULL);
}

static int get_config(void *config)
{
  pool_bytes_t text = {NULL, 0};
  int code = pool_config_get(config, "queue", &text, NULL);
  if (code)
    assert_null(text.data);
  else
    assert_string_equal(text.data, "fifo");
  pool_bytes_free(&text);
  return code;
}

static int get_number_config(void *config)
{
  int64_t value = -5;
  int code = pool_config_get_number(config, "get_timeout_ms", &value, NULL);
  assert_int_equal(value, code ? -5 : 30000);
  return code;
}

static int set_error(void *error)
{
  pool_config_t config = POOL_CONFIG_INIT;
  return pool_config_set(&config, "max_open", "many", error);
}

static int set_number_error(void *error)
{
  pool_config_t config = POOL_CONFIG_INIT;
  return pool_config_set_number(&config, "max_open", -1, error);
}

static int get_error(void *error)
{
  pool_bytes_t text;
  return pool_config_get(&(pool_config_t)POOL_CONFIG_INIT, "nothing", &text, error);
}

static int get_number_error(void *error)
{
  int64_t value;
  return pool_config_get_number(&(pool_config_t)POOL_CONFIG_INIT, "name", &value, error);
}

static int setting(void *theirs)
{
  int count = pool_setting(1, theirs);
  return count > 1 ? 0 : count;
}

static int step_create_config(void *config)
{
  pool_t *result = NULL;
  return made(pool_step_create(config, 0, &result, NULL), result);
}

/* Without a descriptor there is no socket. */
static int expose_error(void *error)
{
  struct rlimit before;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  int code = pool_expose(NULL, error);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  return code;
}

static int budget_open_error(void *error)
{
  pool_budget_t *none = NULL;
  return pool_budget_open("process:nobody", &none, error);
}

static int budget_stats(void *stats)
{
  return pool_budget_stats(budget, stats, NULL);
}

static int budget_stats_error(void *error)
{
  return pool_budget_stats(NULL, NULL, error);
}

static int budget_members_error(void *error)
{
  return pool_budget_members(budget, NULL, NULL, error);
}

static int group_create(void *config)
{
  pool_group_t *made = NULL;
  int code = pool_group_create(config, &made, NULL);
  pool_group_free(made);
  return code;
}

static int group_create_error(void *error)
{
  return pool_group_create(NULL, NULL, error);
}

static int group_step_create(void *config)
{
  pool_group_t *made = NULL;
  int code = pool_group_step_create(config, 0, &made, NULL);
  pool_group_free(made);
  return code;
}

static int group_step_create_error(void *error)
{
  return pool_group_step_create(NULL, 0, NULL, error);
}

static int group_step_pool(void *config)
{
  pool_group_t *made = NULL;
  pool_t *of_key = NULL;
  assert_int_equal(pool_group_step_create(NULL, 0, &made, NULL), 0);
  int code = pool_group_step_pool(made, "k", 1, config, &of_key, NULL);
  pool_free(of_key);
  pool_group_free(made);
  return code;
}

static int group_step_pool_error(void *error)
{
  return pool_group_step_pool(NULL, "k", 1, NULL, NULL, error);
}

static int group_pool_error(void *error)
{
  return pool_group_pool(group, "k", 1, NULL, error);
}

static int group_stats(void *stats)
{
  return pool_group_stats(group, stats);
}

static int step_create_error(void *error)
{
  return pool_step_create(NULL, 0, NULL, error);
}

static int create_driver_config(void *config)
{
  pool_t *result = NULL;
  return made(pool_create_driver(config, "frozen", "quiet", &result, NULL), result);
}

static int create_driver_error(void *error)
{
  pool_t *result = NULL;
  return made(pool_create_driver(NULL, "none", "quiet", &result, error), result);
}

static int prepare_vtable(void *vtable)
{
  void *const untouched = &fake;
  void *context = untouched;
  int code = pool_driver_prepare("frozen", "quiet", vtable, &context, NULL);
  if (code)
    assert_ptr_equal(context, untouched);
  else
    free(context);
  return code;
}

static int prepare_error(void *error)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context;
  return pool_driver_prepare("none", "quiet", &vtable, &context, error);
}

static int open_error(void *error)
{
  pool_t *result = NULL;
  return made(pool_open("none:", &result, error), result);
}

static int open_with_config(void *config)
{
  pool_t *result = NULL;
  return made(pool_open_with(config, "frozen:quiet", &result, NULL), result);
}

static int open_with_error(void *error)
{
  pool_t *result = NULL;
  return made(pool_open_with(NULL, "none:", &result, error), result);
}

static int url_prepare(void *config, void *vtable)
{
  void *const untouched = &fake;
  void *context = untouched;
  int code = pool_url_prepare("frozen:quiet", config, vtable, &context, NULL);
  if (code)
    assert_ptr_equal(context, untouched);
  else
    free(context);
  return code;
}

/* What it sets is what was set already. */
static int url_prepare_config(void *config)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  return url_prepare(config, &vtable);
}

static int url_prepare_vtable(void *vtable)
{
  return url_prepare(NULL, vtable);
}

static int url_prepare_error(void *error)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context;
  return pool_url_prepare("none:", NULL, &vtable, &context, error);
}

static int call_error(void *error)
{
  return pool_call(lease, "method", (pool_bytes_t){NULL, 0}, NULL, error);
}

static int failure_error(void *error)
{
  pool_put(-1);
  return pool_failure(error);
}

static int stats(void *counts)
{
  return pool_stats(pool, counts);
}

static int leases(void *list)
{
  int64_t count = pool_leases(pool, list, 1);
  return count == 1 ? 0 : (int)count;
}

/* A lease of the pool without callbacks, or work to open one, as it comes first: `begun` says what is to be undone. */
static pool_lease_t begin_well(void)
{
  pool_step_t step = POOL_STEP_INIT;
  pool_lease_t result = pool_step_begin(stepped, -1, 0, &step);
  if (step.work == POOL_WORK_OPEN)
    result = pool_step_done(step.claim, NULL, &fake, &step);
  assert_true(result > 0);
  return result;
}

static void end_well(pool_lease_t begun)
{
  pool_step_t step = POOL_STEP_INIT;
  assert_int_equal(pool_step_end(begun, &step), 0);
}

static int step_begin(void *step)
{
  end_well(begin_well());
  pool_lease_t begun = pool_step_begin(stepped, -1, 0, step);
  if (begun > 0)
    end_well(begun);
  else
    end_well(begin_well());
  return begun > 0 ? 0 : (int)begun;
}

static int step_end(void *step)
{
  pool_lease_t begun = begin_well();
  int code = pool_step_end(begun, step);
  if (code)
    end_well(begun);
  return code;
}

static int step_cancel(void *step)
{
  pool_step_t good = POOL_STEP_INIT;
  pool_lease_t begun = begin_well();
  assert_int_equal(pool_step_begin(stepped, -1, 0, &good), 0);
  int64_t ticket = good.ticket;
  int code = (int)pool_step_cancel(ticket, step);
  assert_int_equal(pool_step_cancel(ticket, &good), code ? 0 : POOL_E_STALE);
  end_well(begun);
  return code;
}

/* Closes the only connection. */
static void make_room(void)
{
  pool_step_t good = POOL_STEP_INIT;
  pool_lease_t begun = begin_well();
  assert_int_equal(pool_mark_unusable(begun), 0);
  assert_int_equal(pool_step_end(begun, &good), 0);
  assert_int_equal(good.work, POOL_WORK_CLOSE);
  assert_int_equal(pool_step_done(good.claim, NULL, NULL, &good), 0);
}

/* Work to open a connection, ended with what is tried. */
static int done(const pool_error_t *failure, pool_step_t *step)
{
  pool_step_t good = POOL_STEP_INIT;
  make_room();
  assert_int_equal(pool_step_begin(stepped, -1, 0, &good), 0);
  assert_int_equal(good.work, POOL_WORK_OPEN);
  pool_lease_t claim = good.claim;
  int code = (int)pool_step_done(claim, failure, NULL, step ? step : &good);
  code = code == POOL_E_OPEN ? 0 : code; /* the open that failed was reported */
  pool_lease_t again = pool_step_done(claim, &failed_work, NULL, &good);
  assert_int_equal(again, code ? POOL_E_OPEN : POOL_E_STALE);
  return code;
}

static int step_done(void *step)
{
  return done(&failed_work, step);
}

static int step_done_failure(void *failure)
{
  return done(failure, NULL);
}

static int step_idle(void *step)
{
  end_well(begin_well());
  pool_lease_t begun = pool_step_idle(stepped, step);
  if (begun > 0)
    end_well(begun);
  return begun < 0 ? (int)begun : 0;
}

static int step_view(void *view)
{
  return pool_step_view(stepped, view);
}

static int step_taken(void *step)
{
  pool_lease_t got = begin_well();
  pool_lease_t kept = pool_step_taken(stepped, 0, got, step);
  end_well(kept > 0 ? kept : got);
  return kept < 0 ? (int)kept : 0;
}

/* Nothing is being opened: it is stale where the size is right. */
static int step_join(void *step)
{
  int code = pool_step_join(1, step);
  return code == POOL_E_STALE ? 0 : code;
}

static int step_given(void *step)
{
  pool_lease_t ended = begin_well();
  end_well(ended);
  return pool_step_given(ended, step);
}

static int step_pass(void *step)
{
  pool_lease_t begun = begin_well();
  int code = pool_step_pass(begun, step);
  if (code)
    end_well(begun);
  return code;
}

static int step_open(void *step)
{
  pool_step_t good = POOL_STEP_INIT;
  make_room();
  int code = pool_step_open(stepped, step);
  if (code)
    assert_int_equal(pool_step_open(stepped, &good), 0); /* nothing was begun */
  else
    good.claim = ((pool_step_t *)step)->claim;
  assert_int_equal(pool_step_done(good.claim, NULL, NULL, &good), 0);
  return code;
}

static int step_end_unused(void *step)
{
  pool_lease_t begun = begin_well();
  int code = pool_step_end_unused(begun, step);
  if (code)
    end_well(begun);
  return code;
}

static int step_event(void *event)
{
  return pool_step_event(stepped, event) < 0 ? pool_failure(NULL) : 0;
}

static int step_next(void *step)
{
  return pool_step_next(stepped, step);
}

/* ---- every function with every struct ---- */

static const pool_config_t good_config = POOL_CONFIG_INIT;
static const pool_vtable_t good_vtable = {
    .size = sizeof good_vtable, .open = fake_open, .close = fake_close, .check = fake_check, .reset = fake_reset};

static const pool_group_config_t good_group = {
    .size = sizeof good_group, .vtable = &good_vtable, .key_idle_ms = -1, .max_keys = 1};
static const pool_group_config_t good_step_group = {.size = sizeof good_step_group, .key_idle_ms = -1, .max_keys = 1};

/* What the functions do with a struct, and how much of it the first release had. */
static const struct attempt {
  const char *function, *type;
  int (*call)(void *theirs);
  size_t first, own;
  const void *input;     /* of what is read: something good.  NULL: it is written */
  int code;              /* what the function returns when the struct is right */
  bool lenient;          /* a wrong struct is left alone, and the function does what it does otherwise */
  size_t text, text_end; /* where a text stands that must end however it is cut */
  bool for_one_member;   /* what else there is, known or not, is no concern of the function */
} attempts[] = {
#define UP_TO(type, last) offsetof(type, last) + sizeof((type *)0)->last
#define READ(function, type, last, call, good)                                                                         \
  {                                                                                                                    \
    function, #type, call, UP_TO(type, last), sizeof(type), &good, 0, false, 0, 0, false                               \
  }
#define WRITTEN(function, type, last, call)                                                                            \
  {                                                                                                                    \
    function, #type, call, UP_TO(type, last), sizeof(type), NULL, 0, false, 0, 0, false                                \
  }
#define ERROR(function, call, code)                                                                                    \
  {                                                                                                                    \
    function, "pool_error_t", call, 17, sizeof(pool_error_t), NULL, code, true, offsetof(pool_error_t, message),       \
        sizeof(pool_error_t), false                                                                                    \
  }
#define ONE_SETTING(function, call)                                                                                    \
  {                                                                                                                    \
    function, "pool_config_t", call, UP_TO(pool_config_t, user), sizeof(pool_config_t), &good_config, 0, false, 0, 0,  \
        true                                                                                                           \
  }
    READ("pool_create", pool_config_t, user, create_config, good_config),
    READ("pool_create", pool_vtable_t, reserved, create_vtable, good_vtable),
    ERROR("pool_create", create_error, POOL_E_VTABLE),
    READ("pool_step_create", pool_config_t, user, step_create_config, good_config),
    ERROR("pool_step_create", step_create_error, POOL_E_INVALID),
    READ("pool_create_driver", pool_config_t, user, create_driver_config, good_config),
    ERROR("pool_create_driver", create_driver_error, POOL_E_DRIVER),
    WRITTEN("pool_driver_prepare", pool_vtable_t, reserved, prepare_vtable),
    ERROR("pool_driver_prepare", prepare_error, POOL_E_DRIVER),
    ERROR("pool_open", open_error, POOL_E_DRIVER),
    READ("pool_open_with", pool_config_t, user, open_with_config, good_config),
    ERROR("pool_open_with", open_with_error, POOL_E_DRIVER),
    READ("pool_url_prepare", pool_config_t, user, url_prepare_config, good_config),
    WRITTEN("pool_url_prepare", pool_vtable_t, reserved, url_prepare_vtable),
    ERROR("pool_url_prepare", url_prepare_error, POOL_E_DRIVER),
    ERROR("pool_expose", expose_error, POOL_E_SYSTEM),
    ERROR("pool_budget_open", budget_open_error, POOL_E_OPEN),
    WRITTEN("pool_budget_stats", pool_budget_stats_t, members, budget_stats),
    ERROR("pool_budget_stats", budget_stats_error, POOL_E_INVALID),
    ERROR("pool_budget_members", budget_members_error, POOL_E_INVALID),
    READ("pool_group_create", pool_group_config_t, reserved, group_create, good_group),
    ERROR("pool_group_create", group_create_error, POOL_E_INVALID),
    ERROR("pool_group_pool", group_pool_error, POOL_E_INVALID),
    READ("pool_group_step_create", pool_group_config_t, reserved, group_step_create, good_step_group),
    ERROR("pool_group_step_create", group_step_create_error, POOL_E_INVALID),
    READ("pool_group_step_pool", pool_config_t, user, group_step_pool, good_config),
    ERROR("pool_group_step_pool", group_step_pool_error, POOL_E_INVALID),
    WRITTEN("pool_group_stats", pool_group_stats_t, waiting, group_stats),
    ERROR("pool_call", call_error, POOL_E_UNSUPPORTED),
    ERROR("pool_failure", failure_error, POOL_E_STALE),
    {"pool_stats", "pool_stats_t", stats, 16, sizeof(pool_stats_t), NULL, 0, false, 0, 0, false},
    {"pool_leases", "pool_lease_info_t", leases, 32, sizeof(pool_lease_info_t), NULL, 0, false,
     offsetof(pool_lease_info_t, tag), offsetof(pool_lease_info_t, connection), false},
    READ("pool_config_check", pool_config_t, user, check_config, good_config),
    ERROR("pool_config_check", check_error, POOL_E_INVALID),
    ONE_SETTING("pool_config_set", set_config),
    ERROR("pool_config_set", set_error, POOL_E_INVALID),
    ONE_SETTING("pool_config_set_number", set_number_config),
    ERROR("pool_config_set_number", set_number_error, POOL_E_INVALID),
    ONE_SETTING("pool_config_get", get_config),
    ERROR("pool_config_get", get_error, POOL_E_INVALID),
    ONE_SETTING("pool_config_get_number", get_number_config),
    ERROR("pool_config_get_number", get_number_error, POOL_E_INVALID),
    WRITTEN("pool_setting", pool_setting_t, reserved, setting),
    WRITTEN("pool_step_begin", pool_step_t, look_again_ns, step_begin),
    WRITTEN("pool_step_cancel", pool_step_t, look_again_ns, step_cancel),
    WRITTEN("pool_step_end", pool_step_t, look_again_ns, step_end),
    WRITTEN("pool_step_done", pool_step_t, look_again_ns, step_done),
    READ("pool_step_done", pool_error_t, message[239], step_done_failure, failed_work),
    WRITTEN("pool_step_idle", pool_step_t, look_again_ns, step_idle),
    WRITTEN("pool_step_view", pool_view_t, put_asks, step_view),
    WRITTEN("pool_step_taken", pool_step_t, look_again_ns, step_taken),
    WRITTEN("pool_step_given", pool_step_t, look_again_ns, step_given),
    WRITTEN("pool_step_pass", pool_step_t, look_again_ns, step_pass),
    WRITTEN("pool_step_join", pool_step_t, look_again_ns, step_join),
    WRITTEN("pool_step_open", pool_step_t, look_again_ns, step_open),
    WRITTEN("pool_step_end_unused", pool_step_t, look_again_ns, step_end_unused),
    WRITTEN("pool_step_next", pool_step_t, look_again_ns, step_next),
    WRITTEN("pool_step_event", pool_step_event_t, line, step_event),
};
enum { ATTEMPTS = sizeof attempts / sizeof *attempts };

/* The function is called with a struct that says `size` and has `bytes`, all of them `filled` but for the size and what
   it needs to be good; afterwards they are in `after`. */
static int try(const struct attempt *attempt, size_t size, size_t bytes, int filled, unsigned char *after)
{
  unsigned char *theirs = room_for(bytes);
  memset(theirs, filled, bytes);
  if (attempt->input)
    memcpy(theirs, attempt->input, bytes < attempt->own ? bytes : attempt->own);
  memcpy(theirs, &size, sizeof size);
  int code = attempt->call(theirs);
  check_slack(bytes);
  memcpy(after, theirs, bytes);
  return code;
}

static void expect(const struct attempt *attempt, size_t size, int code, int expected)
{
  if (code != expected)
    fail_msg("%s with a %s of %zu bytes returns %d, not %d", attempt->function, attempt->type, size, code, expected);
}

static void expect_unchanged(const struct attempt *attempt, size_t size, const unsigned char *after, size_t from,
                             size_t to, int filled)
{
  for (size_t i = from; i < to; i++)
    if (after[i] != filled)
      fail_msg("%s with a %s of %zu bytes writes to byte %zu", attempt->function, attempt->type, size, i);
}

static int refusal(const struct attempt *attempt, size_t size)
{
  return attempt->lenient ? attempt->code : size > SIZE_LIMIT ? POOL_E_WILD : POOL_E_SIZE;
}

static void try_reading(const struct attempt *attempt, size_t size)
{
  static unsigned char before[ROOM], after[ROOM];
  size_t bytes = size < sizeof size ? sizeof size : size;
  size_t known = bytes < attempt->own ? bytes : attempt->own;
  memset(before, 0, bytes);
  memcpy(before, attempt->input, known);
  memcpy(before, &size, sizeof size);
  int code = try(attempt, size, bytes, 0, after);
  expect(attempt, size, code, size < attempt->first ? POOL_E_SIZE : attempt->code);
  assert_memory_equal(before, after, bytes);
  if (size <= attempt->own)
    return;
  expect(attempt, size, try(attempt, size, bytes, 1, after), attempt->for_one_member ? 0 : POOL_E_NEWER);
}

/* What is written may by chance be what was there: a time is.  Hardly so, with both fillings, again and again. */
static bool is_left_alone(const struct attempt *attempt, size_t size, size_t bytes, size_t i)
{
  static unsigned char first[ROOM], second[ROOM];
  for (int again = 0; again < 3; again++) {
    try(attempt, size, bytes, 0xaa, first);
    try(attempt, size, bytes, 0x55, second);
    if (first[i] != 0xaa || second[i] != 0x55)
      return false;
  }
  return true;
}

static void try_writing(const struct attempt *attempt, size_t size)
{
  static unsigned char first[ROOM], second[ROOM];
  size_t bytes = size < sizeof size ? sizeof size : size;
  bool right = size >= attempt->first && size <= SIZE_LIMIT;
  size_t end = !right ? sizeof size : size < attempt->own ? size : attempt->own;
  int expected = right ? attempt->code : refusal(attempt, size);
  expect(attempt, size, try(attempt, size, bytes, 0xaa, first), expected);
  expect(attempt, size, try(attempt, size, bytes, 0x55, second), expected);
  assert_memory_equal(first, &size, sizeof size);
  expect_unchanged(attempt, size, first, end, bytes, 0xaa);
  expect_unchanged(attempt, size, second, end, bytes, 0x55);
  for (size_t i = sizeof size; i < end; i++)
    if (first[i] == 0xaa && second[i] == 0x55 && is_left_alone(attempt, size, bytes, i))
      fail_msg("%s with a %s of %zu bytes does not write byte %zu", attempt->function, attempt->type, size, i);
  if (right && end > attempt->text && end <= attempt->text_end)
    assert_int_equal(first[end - 1], 0);
}

static void try_size(const struct attempt *attempt, size_t size)
{
  if (attempt->input)
    try_reading(attempt, size);
  else
    try_writing(attempt, size);
}

static void test_sized__every_size(void **state)
{
  (void)state;
  for (const struct attempt *attempt = attempts; attempt < attempts + ATTEMPTS; attempt++) {
    for (size_t size = 0; size <= 2 * attempt->own; size++)
      try_size(attempt, size);
    try_size(attempt, SIZE_LIMIT);
  }
}

/* Nobody looks for the bytes that such a size promises. */
static void test_sized__wild_sizes(void **state)
{
  (void)state;
  static const size_t wild[] = {SIZE_LIMIT + 1, UINT32_MAX, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX - 7, SIZE_MAX};
  static unsigned char after[ROOM];
  for (const struct attempt *attempt = attempts; attempt < attempts + ATTEMPTS; attempt++)
    for (size_t i = 0; i < sizeof wild / sizeof *wild; i++) {
      expect(attempt, wild[i], try(attempt, wild[i], attempt->own, 0xaa, after), refusal(attempt, wild[i]));
      if (attempt->input)
        assert_memory_equal(after + sizeof(size_t), (const char *)attempt->input + sizeof(size_t),
                            attempt->own - sizeof(size_t));
      else
        expect_unchanged(attempt, wild[i], after, sizeof(size_t), attempt->own, 0xaa);
    }
}

/* Each byte that this library does not know is looked at. */
static void test_sized__any_unknown_byte_is_refused(void **state)
{
  (void)state;
  for (const struct attempt *attempt = attempts; attempt < attempts + ATTEMPTS; attempt++)
    for (size_t at = attempt->own; attempt->input && at < 2 * attempt->own; at++) {
      size_t size = 2 * attempt->own;
      unsigned char *theirs = room_for(size);
      memset(theirs, 0, size);
      memcpy(theirs, attempt->input, attempt->own);
      memcpy(theirs, &size, sizeof size);
      theirs[at] = 0x80;
      expect(attempt, size, attempt->call(theirs), attempt->for_one_member ? 0 : POOL_E_NEWER);
    }
}

static void test_sized__a_vtable_needs_open_and_close(void **state)
{
  (void)state;
  for (int has = 0; has < 4; has++) {
    pool_vtable_t *vtable = (void *)room_for(sizeof *vtable);
    *vtable = good_vtable;
    vtable->open = has & 1 ? fake_open : NULL;
    vtable->close = has & 2 ? fake_close : NULL;
    assert_int_equal(create_vtable(vtable), has == 3 ? 0 : POOL_E_VTABLE);
    if (has == 3)
      continue;
    pool_error_t error = POOL_ERROR_INIT;
    assert_int_equal(pool_failure(&error), POOL_E_VTABLE);
    assert_non_null(strstr(error.message, has & 1 ? "no close" : "no open"));
  }
  assert_int_equal(create_vtable(NULL), POOL_E_VTABLE);
}

static void test_sized__unknown_flags_are_refused(void **state)
{
  (void)state;
  for (int bit = 0; bit < 32; bit++) {
    pool_vtable_t vtable = good_vtable;
    vtable.flags = 1u << bit;
    assert_int_equal(create_vtable(&vtable), vtable.flags == POOL_VTABLE_MULTIPLEXED ? 0 : POOL_E_NEWER);
    vtable = good_vtable;
    vtable.reserved = 1u << bit;
    assert_int_equal(create_vtable(&vtable), POOL_E_NEWER);
  }
}

/* An array is read and written in steps of its first element's size. */
static void test_sized__leases_of_any_release(void **state)
{
  (void)state;
  pool_t *many = fake_pool(&fake, NULL, NULL);
  enum { COUNT = 3 };
  pool_lease_t held[COUNT];
  for (int i = 0; i < COUNT; i++)
    held[i] = pool_get(many);
  for (size_t size = 32; size <= 2 * sizeof(pool_lease_info_t); size += 8) {
    unsigned char *list = room_for(COUNT * size);
    memset(list, 0xaa, COUNT * size);
    memcpy(list, &size, sizeof size);
    assert_int_equal(pool_leases(many, (void *)list, COUNT), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
      size_t written;
      pool_lease_t found;
      memcpy(&written, list + i * size, sizeof written);
      memcpy(&found, list + i * size + offsetof(pool_lease_info_t, lease), sizeof found);
      assert_int_equal(written, size);
      assert_int_equal(found, held[i]);
    }
  }
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(pool_put(held[i]), 0);
  assert_int_equal(pool_close(many, 0), 0);
  pool_free(many);
}

/* Whether such a parameter is tried above, or needs no trying. */
static bool is_attempted(const char *function, const char *parameter)
{
  static const char *const without_size[] = {"pool_t *",
                                             "pool_t **",
                                             "pool_call_t *",
                                             "pool_bytes_t",
                                             "pool_got_fn *",
                                             "pool_done_fn *",
                                             "pool_bytes_t *",
                                             "pool_lease_t",
                                             "pool_driver_seen_fn *",
                                             "pool_phase_fn *",
                                             "pool_budget_t *",
                                             "pool_budget_t **",
                                             "pool_budget_seen_fn *",
                                             "pool_group_t *",
                                             "pool_group_t **",
                                             "pool_group_seen_fn *"};
  const char *type = strncmp(parameter, "const ", 6) == 0 ? parameter + 6 : parameter;
  if (strncmp(type, "pool_", 5) != 0 || strcmp(function + strlen(function) - 5, "_init") == 0)
    return true; /* those are told the size beside the struct: ffi_test.c */
  for (size_t i = 0; i < sizeof without_size / sizeof *without_size; i++)
    if (strcmp(type, without_size[i]) == 0)
      return true;
  for (size_t i = 0; i < ATTEMPTS; i++) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "%s *", attempts[i].type);
    if (strcmp(function, attempts[i].function) == 0 && strcmp(type, pointer) == 0)
      return true;
  }
  return false;
}

static void test_sized__no_function_is_forgotten(void **state)
{
  (void)state;
  static struct signature signatures[SIGNATURE_LIMIT];
  int count = signatures_read(signatures_path, signatures);
  assert_true(count > 0);
  for (int i = 0; i < count; i++)
    for (unsigned j = 0; j < signatures[i].count; j++)
      if (!is_attempted(signatures[i].name, signatures[i].parameters[j]))
        fail_msg("%s takes a %s: add an attempt for it", signatures[i].name, signatures[i].parameters[j]);
}

/* ---- the checker itself, with the sizes of a struct that has a history ---- */

struct grown {
  size_t size;
  int32_t first[2], oldest[2], newest[2];
};
static const struct sizes grown_sizes = {16, 24, 32};
static const struct grown defaults = {sizeof defaults, {1, 2}, {3, 4}, {5, 6}};

static int expected_code(size_t size)
{
  return size > SIZE_LIMIT ? POOL_E_WILD : size < 16 ? POOL_E_SIZE : size < 24 ? POOL_E_OLDER : 0;
}

static void test_sized__read_knows_too_small_from_too_old(void **state)
{
  (void)state;
  for (size_t size = 0; size <= 2 * sizeof(struct grown); size++) {
    size_t bytes = size < sizeof size ? sizeof size : size;
    unsigned char *theirs = room_for(bytes);
    struct grown expected = defaults, copy = defaults;
    memset(theirs, 0, bytes);
    memset(theirs, 7, bytes < sizeof copy ? bytes : sizeof copy);
    memcpy(theirs, &size, sizeof size);
    int code = sized_read(&copy, theirs, grown_sizes);
    assert_int_equal(code, expected_code(size));
    if (code == 0) {
      memcpy(&expected, theirs, size < sizeof expected ? size : sizeof expected);
      expected.size = sizeof expected;
    }
    assert_memory_equal(&copy, &expected, sizeof copy);
  }
}

static void test_sized__write_knows_too_small_from_too_old(void **state)
{
  (void)state;
  for (size_t size = 0; size <= 2 * sizeof(struct grown); size++) {
    unsigned char expected[2 * sizeof(struct grown)];
    size_t bytes = size < sizeof size ? sizeof size : size;
    unsigned char *theirs = room_for(bytes);
    memset(theirs, 7, bytes);
    memcpy(theirs, &size, sizeof size);
    memcpy(expected, theirs, bytes);
    int code = sized_write(theirs, &defaults, grown_sizes);
    assert_int_equal(code, expected_code(size));
    if (code == 0)
      memcpy(expected + sizeof size, (const char *)&defaults + sizeof size,
             (size < sizeof defaults ? size : sizeof defaults) - sizeof size);
    assert_memory_equal(theirs, expected, bytes);
    check_slack(bytes);
  }
}

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sized__every_size),
      cmocka_unit_test(test_sized__wild_sizes),
      cmocka_unit_test(test_sized__any_unknown_byte_is_refused),
      cmocka_unit_test(test_sized__a_vtable_needs_open_and_close),
      cmocka_unit_test(test_sized__unknown_flags_are_refused),
      cmocka_unit_test(test_sized__leases_of_any_release),
      cmocka_unit_test(test_sized__no_function_is_forgotten),
      cmocka_unit_test(test_sized__read_knows_too_small_from_too_old),
      cmocka_unit_test(test_sized__write_knows_too_small_from_too_old),
  };
  if (count != 2) {
    fprintf(stderr, "usage: %s SIGNATURES\n", arguments[0]);
    return 2;
  }
  signatures_path = arguments[1];
  return cmocka_run_group_tests(tests, make_scene, end_scene);
}
