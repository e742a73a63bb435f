/* SPDX-License-Identifier: MIT */
/*
 * What a pool's keeper sleeps on (lib/libpool/keeper.rb).  It rings when a step says that there is more to do than was
 * known, and when the pool is collected; so the keeper of a pool in which nothing happens does not wake at all.
 *
 * Shared: `rung` under the lock, for a ring may come from the middle of a collection.  The pool and the keeper have a
 * reference each; a collector that runs in another Ractor may give them up.  A child of fork makes a new one.
 */
#include "native.h"

#include <ruby/thread.h>
#include <stdatomic.h>

struct alarm {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool rung;
  atomic_bool left; /* the keeper has ended */
  int64_t until_ns;
  atomic_int references;
};

static VALUE alarm_class;

static struct alarm *make(void)
{
  pthread_condattr_t attributes;
  struct alarm *alarm = ruby_xcalloc(1, sizeof *alarm);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&alarm->lock, NULL);
  pthread_cond_init(&alarm->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  return alarm;
}

static void drop(void *data)
{
  struct alarm *alarm = data;
  if (!alarm || atomic_fetch_sub(&alarm->references, 1) > 1)
    return;
  pthread_cond_destroy(&alarm->changed);
  pthread_mutex_destroy(&alarm->lock);
  ruby_xfree(alarm);
}

static const rb_data_type_t alarm_type = {
    .wrap_struct_name = "Libpool::Alarm", .function = {.dfree = drop}, .flags = RUBY_TYPED_FREE_IMMEDIATELY};

VALUE alarm_new(struct libpool *self)
{
  VALUE object = TypedData_Wrap_Struct(alarm_class, &alarm_type, NULL);
  struct alarm *alarm = make();
  DATA_PTR(object) = alarm;
  alarm->references = 2;
  alarm_detach(self);
  self->alarm = alarm;
  return object;
}

static void ring(void *data)
{
  struct alarm *alarm = data;
  pthread_mutex_lock(&alarm->lock);
  alarm->rung = true;
  pthread_cond_signal(&alarm->changed);
  pthread_mutex_unlock(&alarm->lock);
}

bool alarm_ring(struct libpool *self)
{
  if (!self->alarm || self->alarm->left)
    return false;
  ring(self->alarm);
  return true;
}

void alarm_detach(struct libpool *self)
{
  alarm_ring(self);
  drop(self->alarm);
  self->alarm = NULL;
}

static void *sleep_without_gvl(void *data)
{
  struct alarm *alarm = data;
  struct timespec until = {.tv_sec = (time_t)(alarm->until_ns / 1000000000),
                           .tv_nsec = (long)(alarm->until_ns % 1000000000)};
  pthread_mutex_lock(&alarm->lock);
  int code = 0;
  while (!alarm->rung && code == 0)
    code = alarm->until_ns == POOL_NO_DEADLINE ? pthread_cond_wait(&alarm->changed, &alarm->lock)
                                               : pthread_cond_timedwait(&alarm->changed, &alarm->lock, &until);
  alarm->rung = false;
  pthread_mutex_unlock(&alarm->lock);
  return NULL;
}

static struct alarm *alarm_of(VALUE object)
{
  return rb_check_typeddata(object, &alarm_type);
}

/* Sleeps until it rings, or for so many seconds; nil: without limit. */
static VALUE alarm_wait(VALUE object, VALUE seconds)
{
  struct alarm *alarm = alarm_of(object);
  alarm->until_ns = NIL_P(seconds) ? POOL_NO_DEADLINE : sleeper_now() + (int64_t)(NUM2DBL(seconds) * 1e9);
  rb_thread_call_without_gvl(sleep_without_gvl, alarm, ring, alarm);
  RB_GC_GUARD(object);
  return Qnil;
}

/* The same where nothing has rung since it slept last; else it goes on. */
static VALUE alarm_leave_if_quiet(VALUE object)
{
  struct alarm *alarm = alarm_of(object);
  pthread_mutex_lock(&alarm->lock);
  alarm->left = !alarm->rung;
  bool left = alarm->left;
  pthread_mutex_unlock(&alarm->lock);
  return left ? Qtrue : Qfalse;
}

/* The keeper ends. */
static VALUE alarm_leave(VALUE object)
{
  alarm_of(object)->left = true;
  return Qnil;
}

void alarm_init(VALUE module)
{
  alarm_class = rb_define_class_under(module, "Alarm", rb_cObject);
  rb_gc_register_mark_object(alarm_class);
  rb_undef_alloc_func(alarm_class);
  rb_undef_method(CLASS_OF(alarm_class), "new");
  rb_define_method(alarm_class, "wait", alarm_wait, 1);
  rb_define_method(alarm_class, "leave", alarm_leave, 0);
  rb_define_method(alarm_class, "leave_if_quiet", alarm_leave_if_quiet, 0);
  rb_funcall(module, rb_intern("private_constant"), 1, ID2SYM(rb_intern("Alarm")));
}
