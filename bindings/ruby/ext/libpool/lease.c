/* SPDX-License-Identifier: MIT */
/* Libpool::Lease: the right to use one connection until it is given back. */
#include "native.h"

#include <string.h>

struct lease {
  VALUE pool;
  VALUE thread; /* that is to give it back; nil: any may do it, and none is missed */
  pool_lease_t number;
  uint64_t forks;
  struct libpool *self; /* whose list it is in, or NULL */
  struct lease *next, *previous;
};

static VALUE lease_class;

static void lease_mark(void *data)
{
  struct lease *lease = data;
  rb_gc_mark(lease->pool);
  rb_gc_mark(lease->thread);
}

/* ---- the leases that are out, and those that nobody can give back any more ---- */

static void enlist(struct lease *lease, struct libpool *self)
{
  lease->self = self;
  lease->previous = NULL;
  lease->next = self->first_lease;
  if (lease->next)
    lease->next->previous = lease;
  self->first_lease = lease;
}

static void unlist(struct lease *lease)
{
  if (!lease->self)
    return;
  *(lease->previous ? &lease->previous->next : &lease->self->first_lease) = lease->next;
  if (lease->next)
    lease->next->previous = lease->previous;
  lease->self = NULL;
}

/* In the middle of a collection: what is lost is noted, and the keeper ends it. */
static void lease_free(void *data)
{
  struct lease *lease = data;
  struct libpool *self = lease->self;
  unlist(lease);
  if (!self || lease->forks != libpool_forks || !pool_conn(lease->number)) {
    ruby_xfree(lease);
    return;
  }
  lease->next = self->first_lost;
  self->first_lost = lease;
  alarm_ring(self);
}

void lease_forget_all(struct libpool *self)
{
  while (self->first_lease)
    unlist(self->first_lease);
  while (self->first_lost) {
    struct lease *lost = self->first_lost;
    self->first_lost = lost->next;
    ruby_xfree(lost);
  }
}

struct holder {
  VALUE thread;
  pool_lease_t number;
};

static long list_holders(const struct libpool *self, struct holder *holders, long room)
{
  long count = 0;
  for (const struct lease *lease = self->first_lease; lease; lease = lease->next, count++)
    if (count < room)
      holders[count] = (struct holder){lease->thread, lease->number};
  return count;
}

static bool is_dead(VALUE thread)
{
  return !NIL_P(thread) && thread != rb_thread_current() && !RTEST(rb_funcall(thread, rb_intern("alive?"), 0));
}

/* How many leases are those of threads that have ended; their numbers are added to the array, if there is one.  They
   are looked at in a copy, for a collection may change the list. */
static long find_dead(const struct libpool *self, VALUE numbers)
{
  VALUE memory;
  long dead = 0, room = list_holders(self, NULL, 0);
  struct holder *holders = rb_alloc_tmp_buffer2(&memory, room + 1, sizeof *holders);
  memset(holders, 0, (size_t)(room + 1) * sizeof *holders);
  long count = list_holders(self, holders, room);
  for (long i = 0; i < count && i < room; i++)
    if (is_dead(holders[i].thread) && ++dead && !NIL_P(numbers))
      rb_ary_push(numbers, LL2NUM(holders[i].number));
  rb_free_tmp_buffer(&memory);
  return dead;
}

bool lease_any_lost(struct libpool *self)
{
  enum { OFTEN_NS = 100000000 };
  if (self->first_lost)
    return true;
  int64_t now = sleeper_now();
  if (!self->first_lease || now < self->next_search_ns)
    return false;
  self->next_search_ns = now + OFTEN_NS;
  return find_dead(self, Qnil) > 0;
}

/* Where all threads wait nothing is allocated, and so nothing is collected by itself. */
void lease_collect(struct libpool *self)
{
  static const int64_t seldom_ns = INT64_C(10000000000);
  int64_t now = sleeper_now();
  if (!self->first_lease || now < self->next_collection_ns)
    return;
  self->next_collection_ns = now + seldom_ns;
  rb_gc_start();
}

/* The numbers of leases whose objects were collected, and of those whose threads have ended. */
VALUE lease_list_lost(VALUE pool)
{
  struct libpool *self = libpool_of(pool);
  VALUE collected = rb_ary_new(), dead = rb_ary_new();
  for (const struct lease *lost = self->first_lost; lost; lost = lost->next)
    rb_ary_push(collected, LL2NUM(lost->number));
  if (self->first_lease)
    find_dead(self, dead);
  return rb_assoc_new(collected, dead);
}

void lease_forget_lost(struct libpool *self, pool_lease_t number)
{
  struct lease **link = &self->first_lost;
  while (*link && (*link)->number != number)
    link = &(*link)->next;
  struct lease *lost = *link;
  if (!lost)
    return;
  *link = lost->next;
  ruby_xfree(lost);
}

static const rb_data_type_t lease_type = {.wrap_struct_name = "Libpool::Lease",
                                          .function = {.dmark = lease_mark, .dfree = lease_free},
                                          .flags = RUBY_TYPED_FREE_IMMEDIATELY};

static struct lease *lease_get(VALUE object)
{
  return rb_check_typeddata(object, &lease_type);
}

VALUE lease_new(VALUE pool)
{
  struct lease *lease;
  VALUE object = TypedData_Make_Struct(lease_class, struct lease, &lease_type, lease);
  lease->pool = pool;
  lease->thread = Qnil;
  return object;
}

void lease_set(VALUE object, pool_lease_t number)
{
  struct lease *lease = lease_get(object);
  lease->number = number;
  lease->forks = libpool_forks;
  lease->thread = rb_thread_current();
  enlist(lease, libpool_of(lease->pool));
}

int lease_end(VALUE object)
{
  struct lease *lease = lease_get(object);
  pool_lease_t number = libpool_lease(object);
  unlist(lease);
  return lending_end(lease->pool, libpool_of(lease->pool), number);
}

pool_lease_t libpool_lease(VALUE object)
{
  if (!rb_typeddata_is_kind_of(object, &lease_type))
    rb_raise(rb_eTypeError, "a Libpool::Lease is needed, not %" PRIsVALUE, rb_obj_class(object));
  const struct lease *lease = lease_get(object);
  return lease->forks == libpool_forks ? lease->number : 0; /* the parent's leases are nobody's in a child */
}

pool_lease_t lease_of_pool(VALUE object, VALUE pool)
{
  pool_lease_t number = libpool_lease(object);
  if (lease_get(object)->pool != pool)
    rb_raise(rb_eArgError, "this lease is of another pool");
  return number;
}

static void must_be_valid(pool_lease_t number)
{
  if (number <= 0 || !pool_conn(number))
    failure_raise(POOL_E_STALE, pool_strerror(POOL_E_STALE));
}

/* call-seq: connection -> object
   The connection; StaleError once the lease has ended. */
static VALUE lease_connection(VALUE object)
{
  pool_lease_t number = libpool_lease(object);
  must_be_valid(number);
  struct lease *lease = lease_get(object);
  if (!NIL_P(lease->thread))
    lease->thread = rb_thread_current(); /* which has it now */
  return shelf_get(number);
}

/* call-seq: checkin -> nil
   Gives the connection back; StaleError if that was done already. */
static VALUE lease_checkin(VALUE object)
{
  libpool_checked(lease_end(object));
  return Qnil;
}

/* call-seq: discard -> nil
   Gives the connection back to be closed. */
static VALUE lease_discard(VALUE object)
{
  libpool_checked(pool_mark_unusable(libpool_lease(object)));
  return lease_checkin(object);
}

/* call-seq: discard_broken -> nil
   The same, and the others are under suspicion: those that are idle are checked. */
static VALUE lease_discard_broken(VALUE object)
{
  libpool_checked(pool_mark_broken(libpool_lease(object)));
  lease_checkin(object);
  lending_attend(lease_get(object)->pool, libpool_of(lease_get(object)->pool));
  return Qnil;
}

/* call-seq: hand_over -> self
   The lease is on its way to another thread: the end of this one ends it no longer. */
static VALUE lease_hand_over(VALUE object)
{
  lease_get(object)->thread = Qnil;
  return object;
}

/* call-seq: ended? -> true or false */
static VALUE lease_is_ended(VALUE object)
{
  pool_lease_t number = libpool_lease(object);
  return number <= 0 || !pool_conn(number) ? Qtrue : Qfalse;
}

/* call-seq: pool -> Libpool::Pool */
static VALUE lease_pool(VALUE object)
{
  return lease_get(object)->pool;
}

/* call-seq: tag = text
   Notes what the lease is used for; it is shown where leases are. */
static VALUE lease_tag(VALUE object, VALUE text)
{
  libpool_checked(pool_tag(libpool_lease(object), NIL_P(text) ? NULL : StringValueCStr(text)));
  return text;
}

static VALUE describe(const pool_lease_info_t *info)
{
  VALUE values[] = {LL2NUM(info->lease), LL2NUM(info->connection), LL2NUM(info->thread),
                    DBL2NUM((double)info->held_ns / 1e9), rb_utf8_str_new_cstr(info->tag)};
  return rb_ary_new_from_values(5, values);
}

VALUE lease_list(VALUE pool)
{
  static const pool_lease_info_t initial = POOL_LEASE_INFO_INIT;
  struct libpool *self = libpool_of(pool);
  long room = (long)libpool_checked(pool_leases(self->pool, NULL, 0)) + 16; /* other threads go on meanwhile */
  VALUE memory, list = rb_ary_new();
  pool_lease_info_t *infos = rb_alloc_tmp_buffer2(&memory, room, sizeof *infos);
  infos[0] = initial;
  long count = (long)libpool_checked(pool_leases(self->pool, infos, (size_t)room));
  for (long i = 0; i < count && i < room; i++)
    rb_ary_push(list, describe(&infos[i]));
  rb_free_tmp_buffer(&memory);
  return list;
}

void lease_init(VALUE module)
{
  lease_class = rb_define_class_under(module, "Lease", rb_cObject);
  rb_gc_register_mark_object(lease_class);
  rb_undef_alloc_func(lease_class);
  rb_undef_method(CLASS_OF(lease_class), "new");
  rb_define_method(lease_class, "connection", lease_connection, 0);
  rb_define_method(lease_class, "checkin", lease_checkin, 0);
  rb_define_method(lease_class, "discard", lease_discard, 0);
  rb_define_method(lease_class, "discard_broken", lease_discard_broken, 0);
  rb_define_method(lease_class, "hand_over", lease_hand_over, 0);
  rb_define_method(lease_class, "ended?", lease_is_ended, 0);
  rb_define_method(lease_class, "pool", lease_pool, 0);
  rb_define_method(lease_class, "tag=", lease_tag, 1);
}
