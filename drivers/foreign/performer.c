/* SPDX-License-Identifier: MIT */
#include "foreign/performer.h"

#include "support/deadline.h"

/* ---- deadlines ---- */

/* What is left, in ns: at least a millisecond, for to libraries 0 is no limit. */
static uint64_t left_of(int64_t deadline_ns)
{
  int64_t left = deadline_left(deadline_ns);
  return left > 1000000 ? (uint64_t)left : 1000000;
}

static void store_deadline(const struct type *type, union value *value, unsigned unit, int64_t deadline_ns)
{
  static const uint64_t unit_ns[UNIT_COUNT] = {[UNIT_S] = 1000000000, [UNIT_MS] = 1000000, [UNIT_US] = 1000};
  uint64_t left = left_of(deadline_ns);
  if (unit == UNIT_TIMEVAL) {
    uint64_t microseconds = (left - 1) / 1000 + 1;
    value->timeval.tv_sec = (time_t)(microseconds / 1000000);
    value->timeval.tv_usec = (suseconds_t)(microseconds % 1000000);
    return;
  }
  struct integer integer = integer_unsigned((left - 1) / unit_ns[unit] + 1), most = type_most(type);
  type_store(type, value, integer_compare(integer, most) < 0 ? integer : most);
}

/* ---- arguments ---- */

/* An integer is of seconds. */
static void store_seconds(union value *value, struct integer seconds)
{
  uint64_t number = seconds.negative ? 0 : seconds.magnitude;
  value->timeval = (struct timeval){.tv_sec = (time_t)(number < INT32_MAX ? number : INT32_MAX)};
}

/* Copies a variable into an argument, of a type in which it fits. */
static void store_variable(const struct type *type, union value *value, const struct type *have,
                           const union value *variable)
{
  if (type->kind == TYPE_TIMEVAL)
    store_seconds(value, type_integer(have, variable));
  else if (have->kind == TYPE_INTEGER)
    type_store(type, value, type_integer(have, variable));
  else if (have->kind == TYPE_REAL)
    type_store_real(type, value, type_real(have, variable));
  else
    *value = *variable;
}

/* The value of an argument.  False: it is null. */
static bool take_value(const struct argument *argument, const struct type *type, const struct frame *frame,
                       const struct description *description, union value *value)
{
  bool timed = argument->term->kind == TERM_DEADLINE && frame->deadline_ns != POOL_NO_DEADLINE;
  const struct term *term = timed || !argument->without ? argument->term : argument->without;
  if (term->kind == TERM_VARIABLE) {
    store_variable(type, value, description->variables[term->index].type, &frame->variables[term->index]);
    return true;
  }
  *value = argument->value;
  if (!timed)
    return !argument->is_null;
  store_deadline(type, value, term->index, frame->deadline_ns);
  return true;
}

/* Room for an argument: libffi reads it from where `at` points. */
struct room {
  union value value;
  void *address;
};

static void *place(const struct call *call, unsigned i, struct frame *frame, const struct description *description,
                   struct room *room)
{
  const struct argument *argument = &call->arguments[i];
  const struct slot *slot = &call->function->slots[i];
  if (slot->way == BY_OUT) {
    room->address = argument->is_null ? NULL : &frame->variables[argument->term->index];
    return &room->address;
  }
  bool there = take_value(argument, slot->type, frame, description, &room->value);
  room->address = there ? &room->value : NULL;
  return slot->way == BY_REFERENCE || slot->type->kind == TYPE_TIMEVAL ? (void *)&room->address : &room->value;
}

void performer_call(const struct call *call, struct frame *frame, const struct description *description,
                    union value *result)
{
  const struct function *function = call->function;
  if (!function) {
    *result = frame->variables[call->variable];
    return;
  }
  struct room rooms[DESCRIPTION_ARGUMENTS];
  void *values[DESCRIPTION_ARGUMENTS];
  for (unsigned i = 0; i < function->count; i++)
    values[i] = place(call, i, frame, description, &rooms[i]);
  *result = (union value){0};
  ffi_call((ffi_cif *)&function->cif, FFI_FN(function->address), result, values);
  type_narrow(function->result, result);
  if (call->target >= 0)
    frame->variables[call->target] = *result;
}
