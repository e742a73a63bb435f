/* SPDX-License-Identifier: MIT */
/* Libpool::Pool: the object, its life and its methods. */
#include "native.h"

#include "bell.h"

#include <pool/budget.h>
#include <pthread.h>

static ID begin_keeping, leave_to_parent, timeout_name;

/* The thread that waits for poolctl looks whether there is still a pool. */
static void ring(struct libpool *self)
{
  if (self->listens && !self->keyed && self->forks == libpool_forks)
    bell_ring(self->pool);
}

/* ---- life ---- */

static void object_mark(void *data)
{
  struct libpool *self = data;
  rb_gc_mark(self->open);
  rb_gc_mark(self->close);
  rb_gc_mark(self->check);
  rb_gc_mark(self->reset);
  rb_gc_mark(self->abandon);
  rb_gc_mark(self->discard_on);
  rb_gc_mark(self->log);
  rb_gc_mark(self->events);
  rb_gc_mark(self->failure);
  shelf_mark(self);
  if (self->forks == libpool_forks)
    sleeper_mark(self); /* in a child the stacks of the parent's threads are gone */
}

static void object_compact(void *data)
{
  shelf_compact(data);
}

/* A lease keeps its pool, so those that are out were forgotten with it, and the library would wait for them. */
static void forget_leases(pool_t *pool)
{
  pool_lease_info_t out = POOL_LEASE_INFO_INIT;
  pool_step_t step = POOL_STEP_INIT;
  pool_close(pool, 0);
  while (pool_leases(pool, &out, 1) > 0 && pool_step_end(out.lease, &step) == 0)
    if (step.work == POOL_WORK_CLOSE)
      pool_step_done(step.claim, NULL, NULL, &step);
}

static void object_free(void *data)
{
  struct libpool *self = data;
  lease_forget_all(self);
  if (self->pool && !self->keyed && self->forks == libpool_forks)
    forget_leases(self->pool);
  shelf_clear(self, Qnil);
  ring(self);
  pool_free(self->pool);
  if (self->forks == libpool_forks)
    alarm_detach(self); /* its keeper ends */
  ruby_xfree(self);
}

static size_t object_size(const void *data)
{
  (void)data;
  return sizeof(struct libpool);
}

/* The end of a pool runs no Ruby code, so it may come in the middle of a sweep. */
static const rb_data_type_t object_type = {
    .wrap_struct_name = "Libpool::Pool",
    .function = {.dmark = object_mark, .dfree = object_free, .dsize = object_size, .dcompact = object_compact},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY};

VALUE object_allocate(VALUE class)
{
  struct libpool *self;
  VALUE object = TypedData_Make_Struct(class, struct libpool, &object_type, self);
  self->open = self->close = self->check = self->reset = self->abandon = Qnil;
  self->discard_on = self->log = self->events = self->failure = Qnil;
  self->first = NOBODY;
  self->forks = libpool_forks;
  return object;
}

/* ---- fork ---- */

/* The first use in a child: the library has emptied the pool.  Mostly the connections were left to the parent when the
   child was born (lib/libpool/fork.rb). */
static void inherit(VALUE object, struct libpool *self)
{
  self->first_sleeper = self->last_sleeper = NULL;
  self->alarm = NULL; /* the parent's, whose lock a thread may have had */
  self->busy = 0;
  self->listens = self->deaf = self->unkept = false;
  lease_forget_all(self);
  if (self->first != NOBODY)
    rb_funcall(object, leave_to_parent, 0);
  if (self->forks == libpool_forks)
    return; /* what abandons them has used the pool already */
  self->forks = libpool_forks;
  rb_funcall(object, begin_keeping, 0);
}

/* In a child, before its first use of the pool: the parent's connections, and they are the pool's no longer. */
static VALUE take_inherited(VALUE object)
{
  struct libpool *self = rb_check_typeddata(object, &object_type);
  VALUE connections = rb_ary_new();
  if (self->forks != libpool_forks)
    shelf_clear(self, connections);
  return connections;
}

struct libpool *libpool_of(VALUE object)
{
  struct libpool *self = rb_check_typeddata(object, &object_type);
  if (!self->pool)
    rb_raise(rb_eArgError, "this pool was not initialized");
  if (self->forks != libpool_forks)
    inherit(object, self);
  return self;
}

struct libpool *libpool_new(VALUE object)
{
  struct libpool *self = rb_check_typeddata(object, &object_type);
  if (self->pool)
    rb_raise(rb_eArgError, "this pool was initialized already");
  return self;
}

/* ---- methods ---- */

/* Creates the pool, and returns how many connections it begins with. */
static VALUE create(VALUE object, VALUE options, VALUE open)
{
  struct libpool *self = libpool_new(object);
  Check_Type(options, T_HASH);
  self->open = open;
  int32_t initial;
  self->pool = settings_create(self, options, &initial);
  return INT2NUM(initial);
}

/* The same for the pool of a key.  Returns by which number its group knows it. */
static VALUE attach(VALUE object, VALUE group, VALUE key, VALUE options, VALUE open)
{
  return group_attach(object, group, key, options, open);
}

static VALUE fill(VALUE object, VALUE initial)
{
  lending_fill(object, libpool_of(object), NUM2INT(initial));
  return Qnil;
}

static int64_t timeout_of(struct libpool *self, int argc, VALUE *argv)
{
  VALUE options, timeout = Qundef;
  if (argc == 0)
    return self->get_timeout_ms;
  rb_scan_args(argc, argv, ":", &options);
  if (!NIL_P(options))
    rb_get_kwargs(options, &timeout_name, 0, 1, &timeout);
  return timeout == Qundef ? self->get_timeout_ms : settings_timeout_ms(timeout);
}

struct use {
  struct ending ending; /* first */
  VALUE object;
  struct libpool *self;
  pool_lease_t lease;
  uint64_t forks;
  ID local; /* of the fiber, and holds the connection meanwhile; 0: none */
  VALUE thread, connection;
};

static VALUE use_body(VALUE data)
{
  return rb_yield(shelf_get(((struct use *)data)->lease));
}

static void use_end(struct ending *ending)
{
  struct use *use = (struct use *)ending;
  if (use->forks != libpool_forks || !shelf_keeps(use->lease))
    return;
  if (ending->spoiled)
    pool_mark_unusable(use->lease);
  lending_end(use->object, use->self, use->lease);
}

/*
 * call-seq: with(timeout: seconds) { |connection| ... } -> what the block returns
 *
 * Lends a connection to the block.  One that was left by a throw, a kill or an exception of discard_on is closed.
 */
static VALUE with(int argc, VALUE *argv, VALUE object)
{
  rb_need_block();
  struct libpool *self = libpool_of(object);
  struct use use = {.ending.end = use_end, .object = object, .self = self};
  use.lease = lending_begin(object, self, timeout_of(self, argc, argv));
  use.forks = libpool_forks;
  return leaving_ensure(object, self, use_body, &use.ending);
}

static VALUE use_local_body(VALUE data)
{
  struct use *use = (struct use *)data;
  rb_thread_local_aset(use->thread, use->local, use->connection);
  return rb_yield(use->connection);
}

static void use_local_end(struct ending *ending)
{
  struct use *use = (struct use *)ending;
  bool mine = use->forks != libpool_forks || shelf_keeps(use->lease);
  if (mine && rb_thread_local_aref(use->thread, use->local) == use->connection)
    rb_thread_local_aset(use->thread, use->local, Qnil);
  use_end(ending);
}

/* As with, and the fiber-local variable of that name holds the connection for so long: no interrupt comes between. */
static VALUE with_local(VALUE object, VALUE name, VALUE timeout)
{
  rb_need_block();
  struct libpool *self = libpool_of(object);
  struct use use = {.ending.end = use_local_end,
                    .object = object,
                    .self = self,
                    .local = rb_sym2id(name),
                    .thread = rb_thread_current()};
  use.lease = lending_begin(object, self, settings_timeout_ms(timeout));
  use.forks = libpool_forks;
  use.connection = shelf_get(use.lease);
  return leaving_ensure(object, self, use_local_body, &use.ending);
}

struct watched {
  struct ending ending; /* first */
  VALUE spoil;
};

static VALUE watched_body(VALUE data)
{
  (void)data;
  return rb_yield_values(0);
}

static void watched_end(struct ending *ending)
{
  if (ending->spoiled)
    rb_funcall(((struct watched *)ending)->spoil, rb_intern("call"), 0);
}

/* Runs the block, and calls `spoil` where it was left as one of `with` that spoils its connection. */
static VALUE watch(VALUE object, VALUE spoil)
{
  struct watched watched = {.ending.end = watched_end, .spoil = spoil};
  return leaving_ensure(object, libpool_of(object), watched_body, &watched.ending);
}

/*
 * call-seq: checkout(timeout: seconds) -> Libpool::Lease
 *
 * Lends a connection until its lease is checked in.  An interrupt between this and the begin of what ensures the
 * checkin loses the lease; with cannot lose it.
 */
static VALUE checkout(int argc, VALUE *argv, VALUE object)
{
  struct libpool *self = libpool_of(object);
  int64_t timeout_ms = timeout_of(self, argc, argv);
  VALUE lease = lease_new(object);
  lease_set(lease, lending_begin(object, self, timeout_ms));
  return lease;
}

/* call-seq: checkin(lease) -> nil */
static VALUE checkin(VALUE object, VALUE lease)
{
  libpool_of(object); /* or it raises */
  lease_of_pool(lease, object);
  libpool_checked(lease_end(lease));
  return Qnil;
}

/* A lease of an idle connection, or nil: nothing is opened and nobody waits. */
static VALUE checkout_idle(VALUE object)
{
  struct libpool *self = libpool_of(object);
  VALUE lease = lease_new(object);
  pool_lease_t number = lending_begin_idle(object, self);
  if (number <= 0)
    return Qnil;
  lease_set(lease, number);
  return lease;
}

/* Makes a lease of what `with` has lent, which the end of `with` then leaves alone. */
static VALUE detach(VALUE object, VALUE connection)
{
  struct libpool *self = libpool_of(object);
  VALUE lease = lease_new(object);
  uint32_t slot;
  if (!shelf_find(self, connection, &slot) || !pool_conn(shelf_noted(slot)))
    failure_raise(POOL_E_STALE, pool_strerror(POOL_E_STALE));
  lease_set(lease, shelf_noted(slot));
  shelf_detach(shelf_noted(slot));
  return lease;
}

/* Ends a lease that nobody can give back any more, and its connection is closed.  Whether it was out. */
static VALUE end_lost(VALUE object, VALUE number)
{
  pool_lease_t lease = NUM2LL(number);
  lease_forget_lost(libpool_of(object), lease);
  if (pool_mark_unusable(lease) < 0)
    return Qfalse;
  return lending_end(object, libpool_of(object), lease) == 0 ? Qtrue : Qfalse;
}

static pool_lease_t lease_of_connection(VALUE object, VALUE connection)
{
  struct libpool *self = libpool_of(object);
  uint32_t slot;
  if (!shelf_find(self, connection, &slot))
    rb_raise(rb_eArgError, "this connection is not of this pool");
  return shelf_noted(slot);
}

/* Marks a connection that is lent, so that it is closed when it comes back. */
static VALUE mark_unusable(VALUE object, VALUE connection)
{
  libpool_checked(pool_mark_unusable(lease_of_connection(object, connection)));
  return Qnil;
}

/* The same, and throws suspicion on the others. */
static VALUE mark_broken(VALUE object, VALUE connection)
{
  libpool_checked(pool_mark_broken(lease_of_connection(object, connection)));
  lending_attend(object, libpool_of(object));
  return Qnil;
}

static VALUE tag_connection(VALUE object, VALUE connection, VALUE text)
{
  libpool_checked(pool_tag(lease_of_connection(object, connection), NIL_P(text) ? NULL : StringValueCStr(text)));
  return Qnil;
}

/* ---- time and events ---- */

static VALUE seconds_of(int64_t ns)
{
  return ns == POOL_NO_DEADLINE ? Qnil : DBL2NUM((double)ns / 1e9);
}

/* Does what waits for anybody to do it. */
static VALUE tidy(VALUE object)
{
  struct libpool *self = libpool_of(object);
  if (lending_tidy(object, self) == 0)
    alarm_ring(self); /* it has to look at the time */
  return Qnil;
}

/* Does what is due.  In how many seconds to look again, or nil. */
static VALUE look(VALUE object)
{
  struct libpool *self = libpool_of(object);
  libpool_checked(pool_maintain(self->pool));
  return seconds_of(lending_tidy(object, self));
}

/* Whether a keeper has anything to wait for at this moment. */
static VALUE needs_keeper(VALUE object)
{
  struct libpool *self = libpool_of(object);
  return self->keeps_time && !self->closing && pool_maintain(self->pool) != POOL_NO_DEADLINE ? Qtrue : Qfalse;
}

/* The bell of a pool that is exposed or has a budget, for the thread that waits there; nil where there is one already,
   or none is needed. False: no descriptor can be had, and the thread is to try again. A program that keeps the time itself
   asks for event_fd. */
static VALUE bell(VALUE object)
{
  struct libpool *self = rb_check_typeddata(object, &object_type);
  if (!self->pool)
    return Qnil;
  self = libpool_of(object);
  bool needed = self->keeps_time && !self->closing && !self->listens && !self->keyed;
  if (!needed)
    return Qnil;
  int bell = bell_of(self->pool);
  self->deaf = false;
  self->listens = bell >= 0 || self->shares;
  return bell >= 0 ? INT2NUM(bell) : self->shares ? Qfalse : Qnil;
}

/* There was no thread to be had for what bell() returned. */
static VALUE is_deaf(VALUE object)
{
  struct libpool *self = libpool_of(object);
  self->listens = false;
  self->deaf = true;
  return Qnil;
}

static VALUE bell_again(VALUE object)
{
  int bell = bell_of(libpool_of(object)->pool);
  return bell < 0 ? Qnil : INT2NUM(bell);
}

/* Somebody else has steered the pool, or the budget allows more or less. */
static VALUE attend(VALUE object)
{
  lending_heed_others(object, libpool_of(object));
  return Qnil;
}

/*
 * call-seq: event_fd -> Integer
 *
 * For a pool with keeper: :manual that is exposed or has a budget: a descriptor that becomes readable when poolctl has
 * steered the pool, or the budget allows more or less, and maintain has to be called.
 */
static VALUE event_fd(VALUE object)
{
  return INT2NUM((int)libpool_checked(pool_event_fd(libpool_of(object)->pool)));
}

static VALUE new_alarm(VALUE object)
{
  return alarm_new(libpool_of(object));
}

/* The next event or line of the log, or nil. */
static VALUE next_event(VALUE object)
{
  struct libpool *self = libpool_of(object);
  pool_step_event_t event = POOL_STEP_EVENT_INIT;
  if (libpool_checked(pool_step_event(self->pool, &event)) == 0)
    return Qnil;
  VALUE values[] = {INT2NUM(event.event),
                    INT2NUM(event.reason),
                    INT2NUM(event.code),
                    LL2NUM(event.lease),
                    LL2NUM(event.connection),
                    LL2NUM(event.thread),
                    LL2NUM(event.duration_ns),
                    rb_utf8_str_new_cstr(event.tag),
                    rb_utf8_str_new_cstr(event.message),
                    LL2NUM(event.lost),
                    INT2NUM(event.level),
                    rb_utf8_str_new_cstr(event.line)};
  return rb_ary_new_from_values(12, values);
}

/* Has a connection that was not opened for the pool; one that has no room is closed. */
static VALUE adopt(VALUE object, VALUE connection)
{
  struct libpool *self = libpool_of(object);
  if (!lending_adopt(object, self, connection) && !NIL_P(self->close))
    rb_funcall(self->close, rb_intern("call"), 1, connection);
  return Qnil;
}

/* How it lets go of the parent's connections in a child; nil: in its own way, false: not at all. */
static VALUE abandon_of(VALUE object)
{
  return ((struct libpool *)rb_check_typeddata(object, &object_type))->abandon;
}

static VALUE log_of(VALUE object)
{
  return libpool_of(object)->log;
}

static VALUE events_of(VALUE object)
{
  return libpool_of(object)->events;
}

/* ---- close ---- */

struct drain {
  VALUE object;
  struct libpool *self;
  int64_t deadline_ns;
  struct sleeper sleeper;
  uint64_t forks;
  int open;
};

static VALUE drain_body(VALUE data)
{
  struct drain *drain = (struct drain *)data;
  while (drain->forks == libpool_forks && (drain->open = pool_close(drain->self->pool, 0)) > 0 &&
         sleeper_now() < drain->deadline_ns) {
    drain->sleeper.woken = false;
    sleeper_sleep(drain->object, &drain->sleeper, drain->deadline_ns);
  }
  return Qnil;
}

static VALUE drain_end(VALUE data)
{
  struct drain *drain = (struct drain *)data;
  sleeper_end(drain->self, &drain->sleeper);
  return Qnil;
}

/* Closes the pool and waits for the leases that are out; how many connections are still open. */
static VALUE close_within(VALUE object, VALUE timeout)
{
  struct libpool *self = libpool_of(object);
  int64_t timeout_ms = settings_timeout_ms(timeout);
  struct drain drain = {.object = object, .self = self, .forks = libpool_forks};
  drain.deadline_ns = timeout_ms < 0 ? POOL_NO_DEADLINE : sleeper_now() + timeout_ms * INT64_C(1000000);
  self->closing = true;
  drain.open = (int)libpool_checked(pool_close(self->pool, 0));
  alarm_ring(self); /* the keeper ends */
  ring(self);
  lending_tidy(object, self);
  if (drain.forks == libpool_forks) {
    sleeper_begin(self, &drain.sleeper);
    rb_ensure(drain_body, (VALUE)&drain, drain_end, (VALUE)&drain);
  }
  return INT2NUM(drain.open);
}

static VALUE is_closed(VALUE object)
{
  return libpool_of(object)->closing ? Qtrue : Qfalse;
}

void object_init(VALUE module)
{
  begin_keeping = rb_intern("begin_keeping");
  timeout_name = rb_intern("timeout");
  leave_to_parent = rb_intern("leave_to_parent");
  VALUE class = rb_define_class_under(module, "Pool", rb_cObject);
  rb_define_alloc_func(class, object_allocate);
  rb_define_method(class, "with", with, -1);
  rb_define_method(class, "checkout", checkout, -1);
  rb_define_method(class, "checkin", checkin, 1);
  rb_define_method(class, "closed?", is_closed, 0);
  rb_define_method(class, "event_fd", event_fd, 0);
  /* public in ConnectionPool::Places, see lib/libpool/connection_pool/entry.rb */
  rb_define_private_method(class, "with_local", with_local, 2);
  rb_define_private_method(class, "checkout_idle", checkout_idle, 0);
  rb_define_private_method(class, "detach", detach, 1);
  rb_define_private_method(class, "watch", watch, 1);
  rb_define_private_method(class, "create", create, 2);
  rb_define_private_method(class, "attach", attach, 4);
  rb_define_private_method(class, "fill", fill, 1);
  rb_define_private_method(class, "look", look, 0);
  rb_define_private_method(class, "needs_keeper?", needs_keeper, 0);
  rb_define_private_method(class, "bell", bell, 0);
  rb_define_private_method(class, "bell_again", bell_again, 0);
  rb_define_private_method(class, "is_deaf", is_deaf, 0);
  rb_define_private_method(class, "attend", attend, 0);
  rb_define_private_method(class, "new_alarm", new_alarm, 0);
  rb_define_private_method(class, "next_event", next_event, 0);
  rb_define_private_method(class, "list_lost", lease_list_lost, 0);
  rb_define_private_method(class, "end_lost", end_lost, 1);
  rb_define_private_method(class, "take_inherited", take_inherited, 0);
  rb_define_private_method(class, "adopt", adopt, 1);
  rb_define_private_method(class, "abandon", abandon_of, 0);
  rb_define_private_method(class, "log", log_of, 0);
  rb_define_private_method(class, "events", events_of, 0);
  rb_define_private_method(class, "lease_list", lease_list, 0);
  rb_define_private_method(class, "tag_connection", tag_connection, 2);
  rb_define_private_method(class, "mark_unusable", mark_unusable, 1);
  rb_define_private_method(class, "mark_broken", mark_broken, 1);
  rb_define_private_method(class, "tidy", tidy, 0);
  rb_define_private_method(class, "close_within", close_within, 1);
}

/* Called when the extension is loaded. */
void libpool_init(void)
{
  rb_ext_ractor_safe(true);
  pool_budget_language("ruby");
  VALUE module = rb_define_module("Libpool");
  failure_init(module);
  leaving_init();
  fork_init(module);
  lease_init(module);
  alarm_init(module);
  object_init(module);
  driver_init(module);
  group_init(module);
}
