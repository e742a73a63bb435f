/* SPDX-License-Identifier: MIT */
/*
 * How a block is left that has a connection: by its end, break or return; or so that the state of the connection is not
 * known, for whoever threw, killed or raised may have done it in the middle of an answer.
 *
 * A throw cannot be told from a break by anything but the state of rb_protect, whose numbers are Ruby's own: that of a
 * throw is measured when the extension is loaded.
 */
#include "native.h"

static int throw_state;

static VALUE throw_tag(VALUE tag)
{
  rb_throw_obj(tag, Qnil);
}

static VALUE measure(RB_BLOCK_CALL_FUNC_ARGLIST(tag, unused))
{
  (void)unused, (void)argc, (void)argv, (void)blockarg;
  VALUE before = rb_errinfo();
  rb_protect(throw_tag, tag, &throw_state);
  rb_set_errinfo(before);
  return Qnil;
}

void leaving_init(void)
{
  rb_catch_obj(rb_obj_alloc(rb_cObject), measure, Qnil);
}

struct leaving {
  VALUE object;
  struct libpool *self;
  VALUE error; /* or nil */
  struct ending *ending;
};

/* Whoever interrupts this leaves it at that. */
static VALUE judge(VALUE data)
{
  struct leaving *leaving = (struct leaving *)data;
  if (NIL_P(leaving->error))
    return Qnil;
  leaving->ending->spoiled = true;
  VALUE arguments[] = {leaving->self->discard_on, leaving->error};
  leaving->ending->spoiled = RTEST(rb_funcallv(leaving->object, rb_intern("spoiled?"), 2, arguments));
  return Qnil;
}

static VALUE end(VALUE data)
{
  struct ending *ending = ((struct leaving *)data)->ending;
  ending->end(ending);
  return Qnil;
}

/* rb_ensure keeps what is under way, whatever it is, while `end` runs. */
static void leave(VALUE object, struct libpool *self, struct ending *ending, int state)
{
  VALUE error = rb_errinfo();
  struct leaving leaving = {.object = object, .self = self, .error = Qnil, .ending = ending};
  bool killed = RB_SPECIAL_CONST_P(error);
  ending->spoiled = RTEST(self->discard_on) && (killed || state == throw_state);
  if (RTEST(self->discard_on) && failure_is_exception(error))
    leaving.error = error;
  rb_ensure(judge, (VALUE)&leaving, end, (VALUE)&leaving);
  rb_jump_tag(state);
}

VALUE leaving_ensure(VALUE object, struct libpool *self, VALUE (*body)(VALUE), struct ending *ending)
{
  int state = 0;
  VALUE result = rb_protect(body, (VALUE)ending, &state);
  if (state)
    leave(object, self, ending, state);
  ending->end(ending);
  return result;
}
