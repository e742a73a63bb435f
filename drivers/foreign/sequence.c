/* SPDX-License-Identifier: MIT */
#include "foreign/sequence.h"

#include <inttypes.h>
#include <string.h>

#include "foreign/filler.h"
#include "foreign/judgement.h"
#include "support/deadline.h"
#include "support/failure.h"

void sequence_begin(struct frame *frame, const struct description *description, void *conn, int socket,
                    int64_t deadline_ns)
{
  memset(frame->variables, 0, description->variable_count * sizeof *frame->variables);
  frame->deadline_ns = deadline_ns;
  frame->variables[VARIABLE_CONN].pointer = conn;
  frame->variables[VARIABLE_SOCKET].int32 = socket;
}

/* ---- what a call came to ---- */

static bool passes(const struct description *description, const struct call *call, const union value *result)
{
  return judgement_passes(&call->judgement, description_result(description, call), result);
}

static bool is_wanted(const struct call *call, struct frame *frame, const struct description *description)
{
  union value result;
  if (call->dropped || !call->when)
    return !call->dropped;
  performer_call(call->when->call, frame, description, &result);
  return passes(description, call->when->call, &result) != call->when->negated;
}

/* ---- what is wrong ---- */

/* An address or text that is NULL cannot be asked about. */
static bool has_arguments(const struct call *call, const struct frame *frame, const struct description *description,
                          bool has_code)
{
  for (unsigned i = 0; i < call->function->count; i++) {
    const struct term *term = call->arguments[i].term;
    if (term->kind != TERM_VARIABLE || call->function->slots[i].way == BY_OUT)
      continue;
    bool is_code = term->index == VARIABLE_CODE;
    bool is_number = description->variables[term->index].type->kind == TYPE_INTEGER;
    if (is_code ? !has_code : !is_number && !frame->variables[term->index].pointer)
      return false;
  }
  return true;
}

static bool can_be_asked(const struct call *call, const struct frame *frame, const struct description *description,
                         bool has_code)
{
  return has_arguments(call, frame, description, has_code) &&
         (!call->when || has_arguments(call->when->call, frame, description, has_code));
}

/* The library's own text for what went wrong, or NULL. */
static const char *library_text(const struct description *description, struct frame *frame, bool has_code)
{
  for (const struct call *call = description->calls[WORD_ERROR]; call; call = call->next) {
    union value result;
    if (!can_be_asked(call, frame, description, has_code) || !is_wanted(call, frame, description))
      continue;
    performer_call(call, frame, description, &result);
    const char *text =
        call->function->result->kind == TYPE_TEXT ? result.text : frame->variables[VARIABLE_MESSAGE].text;
    if (text && *text)
      return text;
  }
  return NULL;
}

static int say_result(const struct description *description, const struct call *call, const union value *result,
                      int code, pool_error_t *error)
{
  const struct type *type = description_result(description, call);
  const char *name = description_call(description, call);
  const char *verb = call->function ? "returned" : "is";
  char number[INTEGER_ROOM];
  if (type->kind == TYPE_REAL)
    return failure_set(error, code, 0, "%s %s %g where the description says '%s'", name, verb, type_real(type, result),
                       call->judgement.words);
  bool is_address = type->kind != TYPE_INTEGER;
  return failure_set(error, code, 0, "%s %s %s where the description says '%s'", name, verb,
                     is_address ? (result->pointer ? "an address" : "null")
                                : integer_text(type_integer(type, result), number),
                     call->judgement.words);
}

/* Libraries count in milliseconds, or coarser, so one that was given a timeout may end a little before the deadline. */
static bool is_late(const struct frame *frame)
{
  return frame->deadline_ns != POOL_NO_DEADLINE && deadline_left(frame->deadline_ns) < 2000000;
}

/* Says why a call failed: in the words of the library, where it has some. */
static int say_failed(const struct description *description, const struct call *call, struct frame *frame,
                      const union value *result, int code, pool_error_t *error)
{
  const struct type *type = description_result(description, call);
  bool has_code = type->kind == TYPE_INTEGER;
  int native = has_code ? (int)integer_bits(type_integer(type, result)) : 0;
  if (is_late(frame))
    code = POOL_E_TIMEOUT;
  frame->variables[VARIABLE_CODE].int32 = native;
  const char *text = call->judgement.reason;
  if (!text)
    text = library_text(description, frame, has_code);
  if (text && filler_has_secret(description, text))
    text = "the library's message has a password in it and is not shown";
  if (text)
    failure_set(error, code, native, "%s: %s", description_call(description, call), text);
  else
    say_result(description, call, result, code, error);
  error->native = native;
  return code;
}

/* ---- what is freed ---- */

/* The variable that a call of `free` is for: the first that it takes. */
static unsigned freed_by(const struct call *call)
{
  unsigned i = 0;
  while (call->arguments[i].term->kind != TERM_VARIABLE || call->arguments[i].term->index < VARIABLE_FIRST)
    i++;
  return call->arguments[i].term->index;
}

/* A close may follow with the same frame, so a variable that was freed is none any more. */
static void free_all(const struct description *description, struct frame *frame)
{
  union value result;
  for (const struct call *call = description->calls[WORD_FREE]; call; call = call->next) {
    union value *variable = &frame->variables[freed_by(call)];
    const struct type *type = description->variables[freed_by(call)].type;
    if (type_integer(type, variable).magnitude == 0 || !is_wanted(call, frame, description))
      continue;
    performer_call(call, frame, description, &result);
    *variable = (union value){0};
  }
}

/* ---- sequences ---- */

static int run_calls(const struct description *description, enum word word, struct frame *frame, int code,
                     pool_error_t *error)
{
  for (const struct call *call = description->calls[word]; call; call = call->next) {
    union value result;
    if (deadline_is_past(frame->deadline_ns))
      return failure_set(error, POOL_E_TIMEOUT, 0, "the deadline passed before the call of %s",
                         description_call(description, call));
    if (!is_wanted(call, frame, description))
      continue;
    if (word == WORD_OPEN)
      pool_phase(description_call(description, call), NULL);
    performer_call(call, frame, description, &result);
    if (!passes(description, call, &result))
      return say_failed(description, call, frame, &result, code, error);
  }
  return 0;
}

int sequence_run(const struct description *description, enum word word, struct frame *frame, int code,
                 pool_error_t *error)
{
  int result = run_calls(description, word, frame, code, error);
  free_all(description, frame);
  return result;
}

/* A library may free a connection whose close fails, so it is not asked about it. */
static int say_close_failed(const struct description *description, const struct call *call, struct frame *frame,
                            const union value *result, pool_error_t *error)
{
  void *conn = frame->variables[VARIABLE_CONN].pointer;
  frame->variables[VARIABLE_CONN].pointer = NULL;
  int code = say_failed(description, call, frame, result, POOL_E_BROKEN, error);
  frame->variables[VARIABLE_CONN].pointer = conn;
  return code;
}

int sequence_close(const struct description *description, struct frame *frame, pool_error_t *error)
{
  int code = 0;
  for (const struct call *call = description->calls[WORD_CLOSE]; call; call = call->next) {
    union value result;
    if (!is_wanted(call, frame, description))
      continue;
    performer_call(call, frame, description, &result);
    if (!passes(description, call, &result) && code == 0)
      code = say_close_failed(description, call, frame, &result, error);
  }
  free_all(description, frame);
  return code;
}

int sequence_descriptor(const struct description *description, struct frame *frame, int *descriptor,
                        pool_error_t *error)
{
  const struct call *call = description->calls[WORD_DESCRIPTOR];
  union value result;
  if (!call->function) {
    *descriptor =
        (int)integer_bits(type_integer(description_result(description, call), &frame->variables[call->variable]));
    return 0;
  }
  *descriptor = -1;
  if (!is_wanted(call, frame, description))
    return 0;
  performer_call(call, frame, description, &result);
  if (!passes(description, call, &result))
    return say_failed(description, call, frame, &result, POOL_E_BROKEN, error);
  const struct variable *variable = &description->variables[VARIABLE_DESCRIPTOR];
  struct integer found = variable->type ? type_integer(variable->type, &frame->variables[VARIABLE_DESCRIPTOR])
                                        : type_integer(call->function->result, &result);
  *descriptor = found.negative ? -1 : (int)integer_bits(found);
  free_all(description, frame);
  return 0;
}
