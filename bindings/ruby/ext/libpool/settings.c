/* SPDX-License-Identifier: MIT */
/* The settings, named as in C, from keywords. */
#include "native.h"

#include <math.h>
#include <pool/driver.h>
#include <stddef.h>
#include <string.h>

enum { DEFAULT_OPENERS = 2 };

#define TIMEOUT_LIMIT_S 31622400.0 /* a year, as in C */

static const struct setting {
  const char *name;
  size_t offset;
  bool wide; /* int64_t */
} settings[] = {
#define SMALL(name)                                                                                                    \
  {                                                                                                                    \
#name, offsetof(pool_config_t, name), false                                                                        \
  }
#define WIDE(name)                                                                                                     \
  {                                                                                                                    \
#name, offsetof(pool_config_t, name), true                                                                         \
  }
    SMALL(min_idle),       SMALL(min_open),       SMALL(max_idle),         SMALL(max_open),       SMALL(max_opening),
    SMALL(max_waiters),    SMALL(fairness_us),    SMALL(retire_percent),   SMALL(breaker_after),  WIDE(get_timeout_ms),
    WIDE(idle_timeout_ms), WIDE(max_lifetime_ms), WIDE(check_after_ms),    WIDE(keepalive_ms),    WIDE(leak_after_ms),
    WIDE(retry_min_ms),    WIDE(retry_max_ms),    WIDE(overload_after_ms), WIDE(call_timeout_ms), SMALL(openers),
    WIDE(check_timeout_ms)};

struct reading {
  struct libpool *self;
  pool_config_t config;
  VALUE name; /* on the stack, so that its text stays where it is */
};

static bool read_number(pool_config_t *config, const char *name, VALUE value)
{
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    if (strcmp(settings[i].name, name) != 0)
      continue;
    char *field = (char *)config + settings[i].offset;
    if (settings[i].wide)
      *(int64_t *)field = NUM2LL(value);
    else
      *(int32_t *)field = NUM2INT(value);
    return true;
  }
  return false;
}

static int32_t read_queue(VALUE value)
{
  const char *names[] = {"fifo", "lifo", "shed"};
  for (int32_t i = 0; i < 3; i++)
    if (SYMBOL_P(value) && SYM2ID(value) == rb_intern(names[i]))
      return i;
  rb_raise(rb_eArgError, "queue is %+" PRIsVALUE "; it must be :fifo, :lifo or :shed", value);
}

static bool read_proc(struct libpool *self, const char *name, VALUE value)
{
  VALUE *field = strcmp(name, "close") == 0     ? &self->close
                 : strcmp(name, "check") == 0   ? &self->check
                 : strcmp(name, "abandon") == 0 ? &self->abandon
                                                : NULL;
  if (!field)
    return false;
  if (!NIL_P(value) && !rb_respond_to(value, rb_intern("call")))
    rb_raise(rb_eTypeError, "%s is a %" PRIsVALUE "; it must respond to call", name, rb_obj_class(value));
  *field = value;
  return true;
}

static int read_one(VALUE key, VALUE value, VALUE data)
{
  struct reading *reading = (struct reading *)data;
  const char *name = rb_id2name(SYM2ID(rb_to_symbol(key)));
  if (strcmp(name, "timeout") == 0)
    reading->config.get_timeout_ms = settings_timeout_ms(value);
  else if (strcmp(name, "name") == 0)
    reading->config.name = NIL_P(reading->name = value) ? NULL : StringValueCStr(reading->name);
  else if (strcmp(name, "queue") == 0)
    reading->config.queue = read_queue(value);
  else if (strcmp(name, "paused") == 0)
    reading->config.paused = RTEST(value);
  else if (!read_proc(reading->self, name, value) && !read_number(&reading->config, name, value))
    rb_raise(rb_eArgError, "unknown keyword: :%s", name);
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

pool_t *settings_create_driver(struct libpool *self, VALUE options, const char *driver, const char *address)
{
  struct reading reading = {self, POOL_CONFIG_INIT, Qnil};
  reading.config.openers = DEFAULT_OPENERS; /* nobody who holds the GVL opens */
  rb_hash_foreach(options, read_one, (VALUE)&reading);
  if (!NIL_P(self->check) || !NIL_P(self->close) || !NIL_P(self->abandon))
    rb_raise(rb_eArgError, "a driver needs no blocks");
  if (reading.config.openers < 1)
    rb_raise(rb_eArgError, "openers is %d; it must be at least 1", (int)reading.config.openers);
  pool_t *pool = NULL;
  libpool_checked(pool_create_driver(&reading.config, driver, address, &pool, NULL));
  RB_GC_GUARD(reading.name);
  self->get_timeout_ms = reading.config.get_timeout_ms;
  return pool;
}

pool_t *settings_create(struct libpool *self, VALUE options)
{
  struct reading reading = {self, POOL_CONFIG_INIT, Qnil};
  reading.config.keeper = POOL_KEEPER_MANUAL;
  rb_hash_foreach(options, read_one, (VALUE)&reading);
  bool checks = reading.config.check_after_ms >= 0 || reading.config.keepalive_ms > 0;
  if (checks && NIL_P(self->check))
    rb_raise(rb_eArgError, "%s is set, but there is no check",
             reading.config.check_after_ms >= 0 ? "check_after_ms" : "keepalive_ms");
  pool_t *pool = NULL;
  libpool_checked(pool_step_create(&reading.config, NIL_P(self->check) ? 0 : POOL_STEP_CHECKS, &pool, NULL));
  RB_GC_GUARD(reading.name);
  self->get_timeout_ms = reading.config.get_timeout_ms;
  self->check_timeout_ms = reading.config.check_timeout_ms;
  return pool;
}
