/* SPDX-License-Identifier: MIT */
/*
 * Libpool::Group: pools by key.  The library's group says which pool a key has and which key is let go of; an object of
 * Pool belongs to each (lib/libpool/group.rb).
 */
#include "native.h"

#include "bell.h"

struct group {
  pool_group_t *group; /* NULL: not initialised */
  int32_t abilities;
  uint64_t forks; /* in which process a thread listens */
  bool listens;
  bool closing;
};

static void group_free(void *data)
{
  struct group *self = data;
  if (self->group && self->listens && self->forks == libpool_forks)
    bell_ring_group(self->group); /* its listener ends */
  pool_group_free(self->group);
  ruby_xfree(self);
}

static size_t group_size(const void *data)
{
  (void)data;
  return sizeof(struct group);
}

/* Runs no Ruby code, as the end of a pool. */
static const rb_data_type_t group_type = {.wrap_struct_name = "Libpool::Group",
                                          .function = {.dfree = group_free, .dsize = group_size},
                                          .flags = RUBY_TYPED_FREE_IMMEDIATELY};

static VALUE group_allocate(VALUE class)
{
  struct group *self;
  return TypedData_Make_Struct(class, struct group, &group_type, self);
}

static struct group *group_of(VALUE object)
{
  struct group *self = rb_check_typeddata(object, &group_type);
  if (!self->group)
    rb_raise(rb_eArgError, "this group was not initialized");
  return self;
}

static VALUE create(VALUE object, VALUE options)
{
  struct group *self = rb_check_typeddata(object, &group_type);
  if (self->group)
    rb_raise(rb_eArgError, "this group was initialized already");
  Check_Type(options, T_HASH);
  self->group = settings_create_group(options, &self->abilities);
  return Qnil;
}

static VALUE number_of(pool_t *pool)
{
  return ULL2NUM((uintptr_t)pool);
}

VALUE group_attach(VALUE pool, VALUE object, VALUE key, VALUE options, VALUE open)
{
  struct libpool *self = libpool_new(pool);
  const struct group *group = group_of(object);
  Check_Type(options, T_HASH);
  StringValue(key);
  self->open = open;
  self->keyed = true;
  self->pool = settings_create_keyed(self, options, group->group, group->abilities, key);
  RB_GC_GUARD(key);
  return number_of(self->pool);
}

/* [whether a key was let go of, the number of its pool], where there is something to do for a pool; else in how many
   seconds to ask again, or nil. */
static VALUE next_news(VALUE object)
{
  pool_t *pool = NULL;
  int64_t due_ns;
  int news = (int)libpool_checked(pool_group_step_next(group_of(object)->group, &pool, &due_ns));
  if (news == 0)
    return due_ns == POOL_NO_DEADLINE ? Qnil : DBL2NUM((double)due_ns / 1e9);
  pool_free(pool); /* its object has a reference */
  return rb_assoc_new(news == POOL_GROUP_GONE ? Qtrue : Qfalse, number_of(pool));
}

/* The bell, for the thread that listens; nil where there is one already. False: no descriptor can be had, and the thread is
   to try again. */
static VALUE bell(VALUE object)
{
  struct group *self = group_of(object);
  if (self->closing || (self->listens && self->forks == libpool_forks))
    return Qnil;
  int bell = bell_of_group(self->group);
  self->forks = libpool_forks;
  self->listens = true;
  return bell < 0 ? Qfalse : INT2NUM(bell);
}

/* There was no thread to be had for what bell() returned: the next listen tries again. */
static VALUE is_deaf(VALUE object)
{
  group_of(object)->listens = false;
  return Qnil;
}

static VALUE bell_again(VALUE object)
{
  int bell = bell_of_group(group_of(object)->group);
  return bell < 0 ? Qnil : INT2NUM(bell);
}

/* From now on no pool is made, and none lends. */
static VALUE close_all(VALUE object)
{
  struct group *self = group_of(object);
  self->closing = true;
  libpool_checked(pool_group_close(self->group, 0));
  bell_ring_group(self->group);
  return Qnil;
}

static VALUE is_closed(VALUE object)
{
  return group_of(object)->closing ? Qtrue : Qfalse;
}

/* In the order of Libpool::Group::Stats. */
static VALUE counts(VALUE object)
{
  pool_group_stats_t stats = POOL_GROUP_STATS_INIT;
  libpool_checked(pool_group_stats(group_of(object)->group, &stats));
  VALUE values[] = {LL2NUM(stats.keys), LL2NUM(stats.made), LL2NUM(stats.let_go), LL2NUM(stats.refused),
                    LL2NUM(stats.open), LL2NUM(stats.idle), LL2NUM(stats.leased), LL2NUM(stats.waiting)};
  return rb_ary_new_from_values(sizeof values / sizeof *values, values);
}

void group_init(VALUE module)
{
  VALUE class = rb_define_class_under(module, "Group", rb_cObject);
  rb_define_alloc_func(class, group_allocate);
  rb_define_method(class, "closed?", is_closed, 0);
  rb_define_private_method(class, "create", create, 1);
  rb_define_private_method(class, "next_news", next_news, 0);
  rb_define_private_method(class, "bell", bell, 0);
  rb_define_private_method(class, "bell_again", bell_again, 0);
  rb_define_private_method(class, "is_deaf", is_deaf, 0);
  rb_define_private_method(class, "close_all", close_all, 0);
  rb_define_private_method(class, "counts", counts, 0);
}
