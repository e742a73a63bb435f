/* SPDX-License-Identifier: MIT */
#include "foreign/call.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "foreign/judgement.h"
#include "foreign/term.h"

/* ---- variables ---- */

static bool is_reserved(const struct cursor *cursor, const char *name)
{
  return strchr(name, '.') || strcmp(name, "null") == 0 || description_constant(cursor->description, name) ||
         description_parameter(cursor->description, name);
}

static int new_variable(struct cursor *cursor, const struct token *word, const struct type *type)
{
  struct description *description = cursor->description;
  if (is_reserved(cursor, word->text) || word->text[strcspn(word->text, "+-/")])
    return cursor_fail(cursor, word->place, "'%.60s' is no name for a variable", word->text), -1;
  if (description->variable_count == DESCRIPTION_VARIABLES)
    return cursor_fail(cursor, word->place, "at most %d variables", DESCRIPTION_VARIABLES - VARIABLE_FIRST), -1;
  description->variables[description->variable_count] = (struct variable){word->text, type};
  return (int)description->variable_count++;
}

/* conn is set by open, message by error, descriptor by descriptor, and the others by nothing. */
static bool may_set(struct cursor *cursor, int index, const struct token *word)
{
  static const enum word owners[VARIABLE_FIRST] = {[VARIABLE_CONN] = WORD_OPEN,
                                                   [VARIABLE_SOCKET] = WORD_COUNT,
                                                   [VARIABLE_CODE] = WORD_COUNT,
                                                   [VARIABLE_MESSAGE] = WORD_ERROR,
                                                   [VARIABLE_DESCRIPTOR] = WORD_DESCRIPTOR};
  if (index >= VARIABLE_FIRST || owners[index] == cursor->word)
    return true;
  return cursor_fail(cursor, word->place, "'%s' is not set here", word->text);
}

/* The variable that a word names, made where it is new; or -1. */
static int variable_to_set(struct cursor *cursor, const struct token *word, const struct type *type)
{
  int index = description_variable(cursor->description, word->text);
  if (index < 0)
    index = new_variable(cursor, word, type);
  if (index < 0 || !may_set(cursor, index, word))
    return -1;
  struct variable *variable = &cursor->description->variables[index];
  if (!variable->type)
    variable->type = type;
  if (variable->type != type)
    return cursor_fail(cursor, word->place, "'%s' is of type %s, and this is %s", word->text, variable->type->name,
                       type->name),
           -1;
  return index;
}

/* ---- arguments ---- */

static bool read_variable(struct cursor *cursor, struct argument *argument, const struct type *type, unsigned *set)
{
  struct token word = cursor->token;
  if (word.kind != TOKEN_WORD)
    return cursor_expected(cursor, "the name of a variable, because this argument is 'out',");
  argument->term = cursor_new(cursor, sizeof *argument->term);
  int index = argument->term ? variable_to_set(cursor, &word, type) : -1;
  if (index < 0)
    return false;
  argument->term->kind = TERM_VARIABLE;
  argument->term->index = (unsigned)index;
  argument->term->place = word.place;
  *set |= 1u << index;
  cursor_next(cursor);
  return true;
}

static bool read_length(struct cursor *cursor, struct argument *argument, const struct type *type)
{
  if (type->kind != TYPE_INTEGER)
    return cursor_fail(cursor, argument->place, "a length is an integer, and %s is wanted here", type->name);
  argument->length = true;
  if (!cursor_need(cursor, "("))
    return false;
  argument->term = term_read(cursor);
  if (!argument->term || !term_check(cursor, argument->term, type_find("text"), "length"))
    return false;
  for (const struct term *term = argument->term; term; term = term->otherwise)
    if (term->kind == TERM_VARIABLE)
      return cursor_fail(cursor, term->place, "the length of a variable is not known");
  return cursor_need(cursor, ")");
}

static bool read_argument(struct cursor *cursor, const struct function *function, struct argument *argument,
                          const struct slot *slot, unsigned *set)
{
  argument->place = cursor->token.place;
  if (slot->way != BY_VALUE && cursor_is(cursor, "null"))
    return (argument->term = term_read(cursor)) != NULL;
  if (slot->way == BY_OUT)
    return read_variable(cursor, argument, slot->type, set);
  if (cursor_take(cursor, "length"))
    return read_length(cursor, argument, slot->type);
  argument->term = term_read(cursor);
  return argument->term && term_check(cursor, argument->term, slot->type, function->name);
}

static bool count_is_wrong(struct cursor *cursor, const struct function *function)
{
  return cursor_fail(cursor, cursor->token.place, "%.60s has %u argument%s", function->name, function->count,
                     function->count == 1 ? "" : "s");
}

static bool read_arguments(struct cursor *cursor, struct call *call, unsigned *set)
{
  const struct function *function = call->function;
  if (!cursor_need(cursor, "("))
    return false;
  for (unsigned i = 0; i < function->count; i++) {
    if (cursor_is(cursor, ")"))
      return count_is_wrong(cursor, function);
    if (!read_argument(cursor, function, &call->arguments[i], &function->slots[i], set))
      return false;
    if (i + 1 < function->count && !cursor_is(cursor, ")") && !cursor_need(cursor, ","))
      return false;
  }
  if (cursor_is(cursor, ",") || (function->count == 0 && !cursor_is(cursor, ")")))
    return count_is_wrong(cursor, function);
  return cursor_need(cursor, ")");
}

/* ---- the function ---- */

static bool unknown_function(struct cursor *cursor, const struct token *word)
{
  struct near near = near_begin(word->text);
  for (const struct function *function = cursor->description->functions; function; function = function->next)
    near_look(&near, function->name);
  return cursor_unknown(cursor, word, "function that is declared above", near.found);
}

static bool read_function(struct cursor *cursor, struct call *call, const struct token *word)
{
  call->place = word->place;
  call->function = description_function(cursor->description, word->text);
  return call->function || unknown_function(cursor, word);
}

/* A call without what stands around it. */
static bool read_bare(struct cursor *cursor, struct call *call, const struct token *word, unsigned *set)
{
  return read_function(cursor, call, word) && read_arguments(cursor, call, set);
}

/* ---- what comes of it ---- */

static bool needs_none(const struct cursor *cursor, const struct call *call, unsigned set)
{
  enum type_kind kind = call->function->result->kind;
  if (cursor->word == WORD_ERROR)
    return kind == TYPE_TEXT || set & 1u << VARIABLE_MESSAGE;
  return cursor->word == WORD_DESCRIPTOR && kind == TYPE_INTEGER && !(set & 1u << VARIABLE_DESCRIPTOR);
}

static bool read_judgement(struct cursor *cursor, struct call *call, unsigned set)
{
  const struct type *result = call->function->result;
  bool next = judgement_is_next(cursor);
  if (result->kind == TYPE_VOID)
    return !next || cursor_fail(cursor, cursor->token.place, "%.60s returns void, so there is nothing to judge",
                                call->function->name);
  if (next)
    return judgement_read(cursor, &call->judgement, result);
  return needs_none(cursor, call, set) ||
         cursor_fail(cursor, call->place,
                     "the result of %.60s (%s) is judged by nothing: write '%s' behind it, for example, or 'ignored'",
                     call->function->name, result->name,
                     result->kind == TYPE_TEXT || result->kind == TYPE_POINTER ? "is not null" : "is 0");
}

/* ---- conditions ---- */

static bool read_given(struct cursor *cursor, struct condition *condition)
{
  condition->given = term_read(cursor);
  if (!condition->given)
    return false;
  const struct term *given = condition->given;
  bool decides = given->kind == TERM_PART || (given->kind == TERM_PARAMETER && given->parameter->optional);
  return (decides && !given->next && !given->otherwise) ||
         cursor_fail(cursor, condition->place,
                     "a condition is a call with a judgement, a part of the URL, or a parameter whose default is null");
}

static bool read_condition(struct cursor *cursor, struct call *call)
{
  struct condition *condition = cursor_new(cursor, sizeof *condition);
  unsigned set = 0;
  call->when = condition;
  if (!condition)
    return false;
  condition->negated = cursor_take(cursor, "not");
  struct token word = cursor->token;
  condition->place = word.place;
  if (word.kind != TOKEN_WORD || !description_function(cursor->description, word.text))
    return read_given(cursor, condition);
  condition->call = cursor_new(cursor, sizeof *condition->call);
  if (!condition->call)
    return false;
  condition->call->target = -1;
  cursor_next(cursor);
  return read_bare(cursor, condition->call, &word, &set) &&
         (set == 0 || cursor_fail(cursor, word.place, "a condition sets no variable")) &&
         (judgement_is_next(cursor) || cursor_expected(cursor, "'is', with what the result should be,")) &&
         judgement_read(cursor, &condition->call->judgement, condition->call->function->result);
}

/* ---- what each word wants of its calls ---- */

static bool has_variable(const struct call *call, int least)
{
  for (unsigned i = 0; i < call->function->count; i++)
    if (call->arguments[i].term->kind == TERM_VARIABLE && (int)call->arguments[i].term->index >= least)
      return true;
  return false;
}

static bool suits_word(struct cursor *cursor, const struct call *call, unsigned set)
{
  enum type_kind result = call->function->result->kind;
  switch (cursor->word) {
  case WORD_ERROR:
    return result == TYPE_TEXT || set & 1u << VARIABLE_MESSAGE ||
           cursor_fail(cursor, call->place,
                       "the text of an error is a result of type text, or an 'out text' called message");
  case WORD_DESCRIPTOR:
    return result == TYPE_INTEGER || set & 1u << VARIABLE_DESCRIPTOR ||
           cursor_fail(cursor, call->place,
                       "a descriptor is a result that is an integer, or an 'out int' called descriptor");
  case WORD_FREE:
    return has_variable(call, VARIABLE_FIRST) ||
           cursor_fail(cursor, call->place, "'free' is for a variable that another call has set");
  default:
    return true;
  }
}

/* ---- the whole ---- */

static bool read_target(struct cursor *cursor, struct call *call, const struct token *target, unsigned *set)
{
  if (call->function->result->kind == TYPE_VOID)
    return cursor_fail(cursor, target->place, "%.60s returns void, so '%.60s' gets nothing", call->function->name,
                       target->text);
  call->target = variable_to_set(cursor, target, call->function->result);
  if (call->target >= 0)
    *set |= 1u << call->target;
  return call->target >= 0;
}

static bool read_call(struct cursor *cursor, struct call *call)
{
  unsigned set = 0;
  struct token word = cursor->token, target = {0};
  if (word.kind != TOKEN_WORD)
    return cursor_expected(cursor, "a call");
  cursor_next(cursor);
  if (cursor_take(cursor, "=")) {
    target = word;
    word = cursor->token;
    if (word.kind != TOKEN_WORD)
      return cursor_expected(cursor, "a call");
    cursor_next(cursor);
  }
  if (!read_bare(cursor, call, &word, &set) || (target.text && !read_target(cursor, call, &target, &set)) ||
      !read_judgement(cursor, call, set) || !suits_word(cursor, call, set))
    return false;
  cursor->set[cursor->word] |= set;
  cursor->set[WORD_FREE] |= set;
  return true;
}

/* A variable in place of a call: the one that is judged, or the descriptor. */
static bool is_variable(struct cursor *cursor, struct call *call)
{
  int index = cursor->token.kind == TOKEN_WORD ? description_variable(cursor->description, cursor->token.text) : -1;
  if (index < 0 || !(cursor->set[cursor->word] & 1u << index))
    return false;
  call->variable = (unsigned)index;
  return true;
}

static bool read_variable_judged(struct cursor *cursor, struct call *call)
{
  const struct type *type = description_result(cursor->description, call);
  if (cursor->word == WORD_DESCRIPTOR && type->kind == TYPE_INTEGER)
    return true;
  if (cursor->word == WORD_ERROR || cursor->word == WORD_DESCRIPTOR || cursor->word == WORD_FREE)
    return cursor_fail(cursor, call->place, "a call of a function stands here");
  return judgement_is_next(cursor) ? judgement_read(cursor, &call->judgement, type)
                                   : cursor_expected(cursor, "'is', with what the variable should be,");
}

static bool read_either(struct cursor *cursor, struct call *call)
{
  struct tokens before = cursor->tokens;
  struct token word = cursor->token;
  if (is_variable(cursor, call)) {
    cursor_next(cursor);
    if (!cursor_is(cursor, "=") && !cursor_is(cursor, "("))
      return read_variable_judged(cursor, call);
    cursor->tokens = before;
    cursor->token = word;
  }
  return read_call(cursor, call);
}

static bool sets_conn(const struct call *call)
{
  if (call->target == VARIABLE_CONN)
    return true;
  for (unsigned i = 0; call->function && i < call->function->count; i++)
    if (call->function->slots[i].way == BY_OUT && call->arguments[i].term->kind == TERM_VARIABLE &&
        call->arguments[i].term->index == VARIABLE_CONN)
      return true;
  return false;
}

/* What conn held before would be closed by nobody. */
static bool keeps_conn(struct cursor *cursor, const struct call *call)
{
  if (!sets_conn(call))
    return true;
  if (cursor->has_conn)
    return cursor_fail(cursor, call->place, "a call above has set conn already, and its connection would be lost");
  cursor->has_conn = !call->when;
  return true;
}

bool call_read(struct cursor *cursor)
{
  struct call *call = cursor_new(cursor, sizeof *call);
  if (!call)
    return false;
  call->target = -1;
  call->place = cursor->token.place;
  if (!read_either(cursor, call))
    return false;
  call->silent = cursor->word == WORD_DESCRIPTOR && cursor_take(cursor, "silent");
  if (cursor_take(cursor, "when") && !read_condition(cursor, call))
    return false;
  if (!keeps_conn(cursor, call))
    return false;
  struct call **to = &cursor->description->calls[cursor->word];
  while (*to)
    to = &(*to)->next;
  *to = call;
  return true;
}
