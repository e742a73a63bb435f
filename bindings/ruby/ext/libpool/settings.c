/* SPDX-License-Identifier: MIT */
/* The settings from keywords: the library knows their names, and says what is wrong. */
#include "native.h"

#include <math.h>
#include <pool/driver.h>
#include <ruby/fiber/scheduler.h>
#include <string.h>

enum { DEFAULT_OPENERS = 2, TEXTS = 8 };

#define TIMEOUT_LIMIT_S 31622400.0 /* a year, as in C */

struct reading {
  struct libpool *self;
  pool_config_t config;
  VALUE texts[TEXTS]; /* on the stack, so that they stay where they are */
  int count;
};

/* POOL_SETTING_*; -1 of a name that is none. */
static int32_t type_of(const char *name)
{
  pool_setting_t setting = POOL_SETTING_INIT;
  for (int32_t i = 0; pool_setting(i, &setting) > 0; i++)
    if (strcmp(setting.name, name) == 0)
      return setting.type;
  return -1;
}

static bool is_number(VALUE value)
{
  return RTEST(rb_obj_is_kind_of(value, rb_cNumeric)) || rb_respond_to(value, rb_intern("to_int"));
}

static bool is_finite(VALUE value)
{
  return !RB_FLOAT_TYPE_P(value) || isfinite(RFLOAT_VALUE(value));
}

/* A conversion may run anything, a collection that moves names too: they are asked for afterwards. */
static int64_t whole_number(ID id, VALUE value)
{
  if (!is_number(value))
    rb_raise(rb_eTypeError, "%s is a %" PRIsVALUE "; it must be a number", rb_id2name(id), rb_obj_class(value));
  int64_t number = is_finite(value) ? NUM2LL(value) : 0;
  if (RTEST(rb_obj_is_kind_of(value, rb_cNumeric)) && !RTEST(rb_equal(value, LL2NUM(number))))
    rb_raise(rb_eArgError, "%s is %" PRIsVALUE "; it must be a whole number", rb_id2name(id), value);
  return number;
}

static int set_number(struct reading *reading, ID id, VALUE value)
{
  int64_t number = whole_number(id, value);
  return pool_config_set_number(&reading->config, rb_id2name(id), number, NULL);
}

static int set_text(struct reading *reading, ID id, VALUE value)
{
  if (reading->count == TEXTS)
    rb_raise(rb_eArgError, "too many settings that are texts");
  VALUE *kept = &reading->texts[reading->count++];
  *kept = SYMBOL_P(value) ? rb_sym2str(value) : value;
  const char *text = StringValueCStr(*kept);
  return pool_config_set(&reading->config, rb_id2name(id), text, NULL);
}

static void set(struct reading *reading, ID id, VALUE value)
{
  int32_t type = type_of(rb_id2name(id));
  if (type < 0)
    libpool_checked(pool_config_set_number(&reading->config, rb_id2name(id), 0, NULL)); /* it says so */
  if (type == POOL_SETTING_TEXT && NIL_P(value))
    return; /* the default */
  if (type == POOL_SETTING_CHOICE && (value == Qtrue || value == Qfalse))
    value = INT2FIX(value == Qtrue);
  bool is_text =
      type == POOL_SETTING_TEXT || SYMBOL_P(value) || (type == POOL_SETTING_CHOICE && RB_TYPE_P(value, T_STRING));
  libpool_checked(is_text ? set_text(reading, id, value) : set_number(reading, id, value));
}

static bool read_proc(struct libpool *self, const char *name, VALUE value)
{
  VALUE *field = strcmp(name, "close") == 0     ? &self->close
                 : strcmp(name, "check") == 0   ? &self->check
                 : strcmp(name, "reset") == 0   ? &self->reset
                 : strcmp(name, "log") == 0     ? &self->log
                 : strcmp(name, "events") == 0  ? &self->events
                 : strcmp(name, "abandon") == 0 ? &self->abandon
                                                : NULL;
  if (!field)
    return false;
  bool none = NIL_P(value) || (value == Qfalse && field == &self->abandon);
  if (!none && !rb_respond_to(value, rb_intern("call")))
    rb_raise(rb_eTypeError, "%s is a %" PRIsVALUE "; it must respond to call", name, rb_obj_class(value));
  *field = value;
  return true;
}

static int read_one(VALUE key, VALUE value, VALUE data)
{
  struct reading *reading = (struct reading *)data;
  ID id = SYM2ID(rb_to_symbol(key));
  const char *name = rb_id2name(id);
  if (strcmp(name, "timeout") == 0)
    reading->config.get_timeout_ms = settings_timeout_ms(value);
  else if (strcmp(name, "discard_on") == 0)
    reading->self->discard_on = value;
  else if (!read_proc(reading->self, name, value))
    set(reading, id, value);
  return ST_CONTINUE;
}

int64_t settings_timeout_ms(VALUE seconds)
{
  if (NIL_P(seconds))
    return -1;
  double value = NUM2DBL(seconds);
  if (!(value >= 0 && value <= TIMEOUT_LIMIT_S))
    rb_raise(rb_eArgError, "timeout is %" PRIsVALUE "; it must be 0 to a year in seconds, or nil for ever", seconds);
  return (int64_t)ceil(value * 1000);
}

/* The texts are used until here. */
static void finish(struct libpool *self, struct reading *reading)
{
  for (int i = 0; i < reading->count; i++)
    RB_GC_GUARD(reading->texts[i]);
  self->get_timeout_ms = reading->config.get_timeout_ms;
}

static void read_for_driver(struct libpool *self, struct reading *reading, VALUE options)
{
  reading->config.openers = DEFAULT_OPENERS; /* nobody who holds the GVL opens */
  rb_hash_foreach(options, read_one, (VALUE)reading);
  if (!NIL_P(self->check) || !NIL_P(self->close) || !NIL_P(self->abandon) || !NIL_P(self->reset) || !NIL_P(self->log) ||
      !NIL_P(self->events) || !NIL_P(self->discard_on))
    rb_raise(rb_eArgError, "a driver needs no blocks");
}

static void need_threads(const pool_config_t *config)
{
  if (config->openers < 1)
    rb_raise(rb_eArgError, "openers is %d; it must be at least 1", (int)config->openers);
  if (config->keeper != POOL_KEEPER_THREAD)
    rb_raise(rb_eArgError, "keeper is manual; of a pool of a driver it must be thread");
}

pool_t *settings_create_driver(struct libpool *self, VALUE options, const char *driver, const char *address)
{
  struct reading reading = {.self = self, .config = POOL_CONFIG_INIT};
  pool_t *pool = NULL;
  read_for_driver(self, &reading, options);
  need_threads(&reading.config);
  libpool_checked(pool_create_driver(&reading.config, driver, address, &pool, NULL));
  finish(self, &reading);
  return pool;
}

/* What the URL sets has to be known before there is a pool. */
static void set_by_url(pool_config_t *config, const char *url)
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context = NULL;
  libpool_checked(pool_url_prepare(url, config, &vtable, &context, NULL));
  if (vtable.release)
    vtable.release(context);
  need_threads(config);
}

pool_t *settings_create_url(struct libpool *self, VALUE options, const char *url)
{
  struct reading reading = {.self = self, .config = POOL_CONFIG_INIT};
  pool_t *pool = NULL;
  read_for_driver(self, &reading, options);
  set_by_url(&reading.config, url);
  libpool_checked(pool_open_with(&reading.config, url, &pool, NULL));
  finish(self, &reading);
  return pool;
}

/* What the pool is able to do.  A fiber that waits does not block its thread. */
static int32_t abilities(const struct libpool *self)
{
  return (NIL_P(self->check) ? 0 : POOL_STEP_CHECKS) | (NIL_P(self->reset) ? 0 : POOL_STEP_RESETS) |
         (NIL_P(self->events) ? 0 : POOL_STEP_EVENTS) | (NIL_P(self->log) ? 0 : POOL_STEP_LOG) |
         (NIL_P(rb_fiber_scheduler_get()) ? POOL_STEP_THREADS : 0);
}

static void note_duties(struct libpool *self, const pool_config_t *config)
{
  self->keeps_time = config->keeper == POOL_KEEPER_THREAD;
  self->shares = config->budget && *config->budget;
}

pool_t *settings_create(struct libpool *self, VALUE options, int32_t *initial)
{
  struct reading reading = {.self = self, .config = POOL_CONFIG_INIT};
  rb_hash_foreach(options, read_one, (VALUE)&reading);
  pool_t *pool = NULL;
  libpool_checked(pool_step_create(&reading.config, abilities(self), &pool, NULL));
  *initial = reading.config.initial;
  note_duties(self, &reading.config);
  finish(self, &reading);
  return pool;
}

/* ---- groups ---- */

/* Takes a number of the group's own out of the options. */
static int64_t take_number(VALUE options, const char *name, int64_t initial)
{
  VALUE value = rb_hash_delete(options, ID2SYM(rb_intern(name)));
  return NIL_P(value) ? initial : whole_number(rb_intern(name), value);
}

static int32_t at_most_int(int64_t number)
{
  return number > INT32_MAX ? INT32_MAX : number < INT32_MIN ? INT32_MIN : (int32_t)number;
}

static void read_keyed(struct reading *reading, VALUE options)
{
  rb_hash_foreach(options, read_one, (VALUE)reading);
  if (reading->config.keeper != POOL_KEEPER_THREAD)
    rb_raise(rb_eArgError, "keeper is manual; of the pools of a group it must be thread");
}

/* What the blocks are is only looked at: each pool has them itself. */
pool_group_t *settings_create_group(VALUE options, int32_t *able)
{
  struct libpool blocks = {.open = Qnil,
                           .close = Qnil,
                           .check = Qnil,
                           .reset = Qnil,
                           .abandon = Qnil,
                           .discard_on = Qnil,
                           .log = Qnil,
                           .events = Qnil};
  struct reading reading = {.self = &blocks, .config = POOL_CONFIG_INIT};
  pool_group_config_t config = POOL_GROUP_CONFIG_INIT;
  pool_group_t *group = NULL;
  options = rb_hash_dup(options);
  config.key_idle_ms = take_number(options, "key_idle_ms", config.key_idle_ms);
  config.max_keys = at_most_int(take_number(options, "max_keys", config.max_keys));
  read_keyed(&reading, options);
  config.settings = &reading.config;
  *able = abilities(&blocks);
  libpool_checked(pool_group_step_create(&config, *able, &group, NULL));
  finish(&blocks, &reading);
  RB_GC_GUARD(options);
  return group;
}

pool_t *settings_create_keyed(struct libpool *self, VALUE options, pool_group_t *group, int32_t able, VALUE key)
{
  struct reading reading = {.self = self, .config = POOL_CONFIG_INIT};
  pool_t *pool = NULL;
  read_keyed(&reading, options);
  if ((abilities(self) ^ able) & ~POOL_STEP_THREADS)
    rb_raise(rb_eArgError, "prepare sets check, reset, log or events where the group has none, or nil; set it for the group");
  libpool_checked(
      pool_group_step_pool(group, RSTRING_PTR(key), (size_t)RSTRING_LEN(key), &reading.config, &pool, NULL));
  note_duties(self, &reading.config);
  finish(self, &reading);
  return pool;
}
