/* SPDX-License-Identifier: MIT */
/* Libpool::Lease: the right to use one connection until it is given back. */
#include "native.h"

struct lease {
  VALUE pool;
  pool_lease_t number;
  uint64_t forks;
};

static VALUE lease_class;

static void lease_mark(void *data)
{
  rb_gc_mark(((struct lease *)data)->pool);
}

static const rb_data_type_t lease_type = {.wrap_struct_name = "Libpool::Lease",
                                          .function = {.dmark = lease_mark, .dfree = RUBY_TYPED_DEFAULT_FREE},
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
  return object;
}

void lease_set(VALUE object, pool_lease_t number)
{
  struct lease *lease = lease_get(object);
  lease->number = number;
  lease->forks = libpool_forks;
}

pool_lease_t libpool_lease(VALUE object)
{
  if (!rb_typeddata_is_kind_of(object, &lease_type))
    rb_raise(rb_eTypeError, "a Libpool::Lease is needed, not %" PRIsVALUE, rb_obj_class(object));
  struct lease *lease = lease_get(object);
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
  return shelf_get(number);
}

/* call-seq: checkin -> nil
   Gives the connection back; StaleError if that was done already. */
static VALUE lease_checkin(VALUE object)
{
  pool_lease_t number = libpool_lease(object);
  VALUE pool = lease_get(object)->pool;
  libpool_checked(lending_end(pool, libpool_of(pool), number));
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
  rb_define_method(lease_class, "ended?", lease_is_ended, 0);
  rb_define_method(lease_class, "pool", lease_pool, 0);
  rb_define_method(lease_class, "tag=", lease_tag, 1);
}
