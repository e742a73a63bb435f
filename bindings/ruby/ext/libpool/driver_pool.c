/* SPDX-License-Identifier: MIT */
/*
 * Libpool::DriverPool: a pool on a driver of the library, and the letters that its threads leave (inbox.h).
 *
 * What can wait is asked with a number; lib/libpool/letters.rb takes the answers.  A lease is noted in its object
 * before anything can interrupt.
 */
#include "native.h"

#include <inbox.h>
#include <ruby/ractor.h>
#include <ruby/thread.h>
#include <stdatomic.h>
#include <stdlib.h>

static ID number_name;

/* ---- inboxes ---- */

/* The inbox of a Ractor.  A letter may come after its end, so the next Ractor gets it. */
struct desk {
  struct desk *next;
  inbox_t *inbox;
  uint64_t forks;
};

static rb_ractor_local_key_t desk_key;
static struct desk *_Atomic spare_desks;

static void desk_give(struct desk *desk)
{
  desk->next = spare_desks;
  while (!atomic_compare_exchange_weak(&spare_desks, &desk->next, desk))
    ;
}

static void ractor_ended(void *data)
{
  desk_give(data);
}

static const struct rb_ractor_local_storage_type desk_type = {.free = ractor_ended};

/* All are taken at once, so nobody else changes the list of what is taken. */
static struct desk *desk_take(void)
{
  struct desk *desk = atomic_exchange(&spare_desks, NULL), *rest = desk ? desk->next : NULL;
  while (rest) {
    struct desk *next = rest->next;
    desk_give(rest);
    rest = next;
  }
  return desk ? desk : calloc(1, sizeof *desk);
}

static struct desk *desk_here(void)
{
  struct desk *desk = rb_ractor_local_storage_ptr(desk_key);
  if (desk)
    return desk;
  desk = desk_take();
  if (desk)
    rb_ractor_local_storage_ptr_set(desk_key, desk);
  return desk;
}

static inbox_t *inbox_here(void)
{
  struct desk *desk = desk_here();
  if (desk && (!desk->inbox || desk->forks != libpool_forks)) {
    desk->inbox = inbox_new();
    desk->forks = libpool_forks;
  }
  if (!desk || !desk->inbox)
    rb_memerror();
  return desk->inbox;
}

/* ---- Libpool::Letters ---- */

struct taking {
  inbox_t *inbox;
  letter_t *letter;
};

static void *take_without_gvl(void *data)
{
  struct taking *taking = data;
  taking->letter = inbox_take(taking->inbox);
  return NULL;
}

static void interrupt_taking(void *data)
{
  inbox_interrupt(((struct taking *)data)->inbox);
}

static VALUE text_of(const letter_t *letter)
{
  return letter->text.data ? rb_utf8_str_new(letter->text.data, (long)letter->text.size) : Qnil;
}

/* [number, result, text], or nil: interrupted.  No interrupt is looked at once there is a letter. */
static VALUE letters_take(VALUE module)
{
  (void)module;
  struct taking taking = {.inbox = inbox_here()};
  rb_thread_call_without_gvl2(take_without_gvl, &taking, interrupt_taking, &taking);
  if (!taking.letter) {
    rb_thread_check_ints();
    return Qnil;
  }
  VALUE answer =
      rb_ary_new_from_args(3, LL2NUM(taking.letter->number), LL2NUM(taking.letter->result), text_of(taking.letter));
  letter_free(taking.letter);
  return answer;
}

/* In which process this is, counted from the first. */
static VALUE letters_forks(VALUE module)
{
  (void)module;
  return ULL2NUM(libpool_forks);
}

/* Puts a lease back that nobody waits for any more. */
static VALUE letters_put(VALUE module, VALUE lease)
{
  (void)module;
  pool_put(NUM2LL(lease));
  return Qnil;
}

static VALUE letters_fail(VALUE module, VALUE result, VALUE text)
{
  (void)module;
  int64_t code = NUM2LL(result);
  if (NIL_P(text))
    failure_raise(code, pool_strerror((int)code));
  failure_raise_text(code, text);
}

/* ---- Libpool::DriverPool ---- */

static VALUE create_driver(VALUE object, VALUE options, VALUE driver, VALUE address)
{
  struct libpool *self = libpool_new(object);
  self->pool = settings_create_driver(self, options, StringValueCStr(driver), StringValueCStr(address));
  return Qnil;
}

static VALUE create_by_url(VALUE object, VALUE options, VALUE url)
{
  struct libpool *self = libpool_new(object);
  self->pool = settings_create_url(self, options, StringValueCStr(url));
  return Qnil;
}

/* Whether an idle one was to be had at once. */
static VALUE begin_idle(VALUE object, VALUE lease)
{
  int64_t number = inbox_look(libpool_of(object)->pool);
  if (number == 0)
    return Qfalse;
  rb_ivar_set(lease, number_name, LL2NUM(number));
  return Qtrue;
}

/* A ticket; the answer comes as a letter. */
static VALUE begin_get(VALUE object, VALUE timeout, VALUE number)
{
  struct libpool *self = libpool_of(object);
  int64_t timeout_ms = settings_timeout_ms(timeout);
  return LL2NUM(libpool_checked(inbox_get(inbox_here(), self->pool, timeout_ms, NUM2LL(number))));
}

static VALUE cancel(VALUE object, VALUE ticket)
{
  (void)object;
  pool_cancel(NUM2LL(ticket));
  return Qnil;
}

static VALUE default_timeout(VALUE object)
{
  int64_t timeout_ms = libpool_of(object)->get_timeout_ms;
  return timeout_ms < 0 ? Qnil : DBL2NUM((double)timeout_ms / 1000);
}

/* nil: without limit. */
static VALUE milliseconds(VALUE object, VALUE seconds)
{
  (void)object;
  int64_t timeout_ms = settings_timeout_ms(seconds);
  return timeout_ms < 0 ? Qnil : LL2NUM(timeout_ms);
}

struct closing {
  pool_t *pool;
  int64_t drain_ms;
  int left;
};

static void *close_without_gvl(void *data)
{
  struct closing *closing = data;
  closing->left = pool_close(closing->pool, closing->drain_ms);
  return NULL;
}

/* How many are left after so many milliseconds, in which nothing interrupts. */
static VALUE close_for(VALUE object, VALUE drain_ms)
{
  struct libpool *self = libpool_of(object);
  struct closing closing = {.pool = self->pool, .drain_ms = NUM2LL(drain_ms)};
  self->closing = true;
  rb_thread_call_without_gvl(close_without_gvl, &closing, NULL, NULL);
  RB_GC_GUARD(object);
  return INT2NUM((int)libpool_checked(closing.left));
}

static VALUE is_closed(VALUE object)
{
  return libpool_of(object)->closing ? Qtrue : Qfalse;
}

/* ---- Libpool::DriverLease ---- */

static pool_lease_t number_of(VALUE lease)
{
  VALUE number = rb_attr_get(lease, number_name);
  return NIL_P(number) ? 0 : NUM2LL(number);
}

/* Ends it; false if it has ended already. */
static VALUE lease_put(VALUE lease)
{
  int code = pool_put(number_of(lease));
  if (code != POOL_E_STALE)
    libpool_checked(code);
  return code == 0 ? Qtrue : Qfalse;
}

static VALUE lease_mark_broken(VALUE lease)
{
  libpool_checked(pool_mark_broken(number_of(lease)));
  return Qnil;
}

static VALUE lease_mark_unusable(VALUE lease)
{
  libpool_checked(pool_mark_unusable(number_of(lease)));
  return Qnil;
}

static VALUE lease_is_ended(VALUE lease)
{
  pool_lease_t number = number_of(lease);
  return number <= 0 || !pool_conn(number) ? Qtrue : Qfalse;
}

struct calling {
  inbox_t *inbox;
  pool_lease_t lease;
  const char *method;
  pool_bytes_t arguments;
  int64_t number;
  int code;
};

static void *call_without_gvl(void *data)
{
  struct calling *calling = data;
  calling->code = inbox_call(calling->inbox, calling->lease, calling->method, calling->arguments, calling->number);
  return NULL;
}

/* The answer comes as a letter. */
static VALUE lease_begin_call(VALUE lease, VALUE method, VALUE arguments, VALUE number)
{
  VALUE name = rb_str_new_frozen(StringValue(method)), text = rb_str_new_frozen(StringValue(arguments));
  struct calling calling = {.inbox = inbox_here(),
                            .lease = number_of(lease),
                            .method = StringValueCStr(name),
                            .arguments = {RSTRING_PTR(text), (size_t)RSTRING_LEN(text)},
                            .number = NUM2LL(number)};
  rb_thread_call_without_gvl(call_without_gvl, &calling, NULL, NULL);
  RB_GC_GUARD(name);
  RB_GC_GUARD(text);
  libpool_checked(calling.code);
  return Qnil;
}

void driver_init(VALUE module)
{
  number_name = rb_intern("@number");
  desk_key = rb_ractor_local_storage_ptr_newkey(&desk_type);
  VALUE letters = rb_define_module_under(module, "Letters");
  rb_define_singleton_method(letters, "take", letters_take, 0);
  rb_define_singleton_method(letters, "forks", letters_forks, 0);
  rb_define_singleton_method(letters, "put", letters_put, 1);
  rb_define_singleton_method(letters, "fail", letters_fail, 2);
  VALUE pool = rb_define_class_under(module, "DriverPool", rb_cObject);
  rb_define_alloc_func(pool, object_allocate);
  rb_define_private_method(pool, "lease_list", lease_list, 0);
  rb_define_method(pool, "closed?", is_closed, 0);
  rb_define_private_method(pool, "create_driver", create_driver, 3);
  rb_define_private_method(pool, "create_by_url", create_by_url, 2);
  rb_define_private_method(pool, "begin_idle", begin_idle, 1);
  rb_define_private_method(pool, "begin_get", begin_get, 2);
  rb_define_private_method(pool, "cancel", cancel, 1);
  rb_define_private_method(pool, "milliseconds", milliseconds, 1);
  rb_define_private_method(pool, "close_for", close_for, 1);
  rb_define_private_method(pool, "default_timeout", default_timeout, 0);
  VALUE lease = rb_define_class_under(module, "DriverLease", rb_cObject);
  rb_define_method(lease, "ended?", lease_is_ended, 0);
  rb_define_private_method(lease, "put", lease_put, 0);
  rb_define_private_method(lease, "mark_unusable", lease_mark_unusable, 0);
  rb_define_private_method(lease, "mark_broken", lease_mark_broken, 0);
  rb_define_private_method(lease, "begin_call", lease_begin_call, 3);
}
