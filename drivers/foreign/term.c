/* SPDX-License-Identifier: MIT */
#include "foreign/term.h"

#include <string.h>

#include "base/near.h"

/* ---- words ---- */

static const char *nearest(const struct cursor *cursor, const char *word)
{
  const struct description *description = cursor->description;
  struct near near = near_begin(word);
  for (size_t i = 0; i < PART_COUNT; i++)
    near_look(&near, description_parts[i]);
  for (size_t i = 0; i < UNIT_COUNT; i++)
    near_look(&near, description_units[i]);
  for (const struct constant *constant = description->constants; constant; constant = constant->next)
    near_look(&near, constant->name);
  for (const struct parameter *parameter = description->parameters; parameter; parameter = parameter->next)
    near_look(&near, parameter->name);
  for (unsigned i = 0; i < description->variable_count; i++)
    if (cursor->set[cursor->word] & 1u << i)
      near_look(&near, description->variables[i].name);
  return near.found;
}

static bool find_named(const char *const *names, size_t count, const char *name, unsigned *index)
{
  for (unsigned i = 0; i < count; i++)
    if (strcmp(names[i], name) == 0) {
      *index = i;
      return true;
    }
  return false;
}

static bool take_variable(struct cursor *cursor, struct term *term, const struct token *word)
{
  int index = description_variable(cursor->description, word->text);
  if (index < 0)
    return cursor_unknown(cursor, word, "constant, parameter, variable or part of the URL",
                          nearest(cursor, word->text));
  if (!(cursor->set[cursor->word] & 1u << index))
    return cursor_fail(cursor, word->place, "'%s' has no value here: no call before this one sets it", word->text);
  term->kind = TERM_VARIABLE;
  term->index = (unsigned)index;
  return true;
}

static bool take_word(struct cursor *cursor, struct term *term, const struct token *word)
{
  struct constant *constant = description_constant(cursor->description, word->text);
  if (constant) {
    struct place place = term->place;
    *term = *constant->value;
    term->place = place;
    return true;
  }
  if (strcmp(word->text, "null") == 0) {
    term->kind = TERM_NULL;
    return true;
  }
  if (find_named(description_parts, PART_COUNT, word->text, &term->index)) {
    term->kind = TERM_PART;
    cursor->description->parts |= 1u << term->index;
    return true;
  }
  if (find_named(description_units, UNIT_COUNT, word->text, &term->index)) {
    term->kind = TERM_DEADLINE;
    return true;
  }
  term->kind = TERM_PARAMETER;
  term->parameter = description_parameter(cursor->description, word->text);
  return term->parameter || take_variable(cursor, term, word);
}

/* ---- pieces ---- */

static bool read_piece_into(struct cursor *cursor, struct term *term)
{
  struct token token = cursor->token;
  term->place = token.place;
  term->integer = token.integer;
  term->real = token.real;
  term->text = token.text;
  switch (token.kind) {
  case TOKEN_TEXT:
    term->kind = TERM_TEXT;
    break;
  case TOKEN_INTEGER:
    term->kind = TERM_INTEGER;
    break;
  case TOKEN_REAL:
    term->kind = TERM_REAL;
    break;
  case TOKEN_WORD:
    if (!take_word(cursor, term, &token))
      return false;
    break;
  default:
    return cursor_expected(cursor, "a value");
  }
  cursor_next(cursor);
  return true;
}

static struct term *read_piece(struct cursor *cursor)
{
  struct term *term = cursor_new(cursor, sizeof *term);
  return term && read_piece_into(cursor, term) ? term : NULL;
}

bool term_read_integer(struct cursor *cursor, struct integer *integer)
{
  struct term term = {0};
  struct place place = cursor->token.place;
  if (cursor->token.kind != TOKEN_INTEGER && cursor->token.kind != TOKEN_WORD)
    return cursor_expected(cursor, "an integer");
  if (!read_piece_into(cursor, &term))
    return false;
  *integer = term.integer;
  return term.kind == TERM_INTEGER || cursor_fail(cursor, place, "an integer, or a constant that is one, stands here");
}

/* Reads what is joined to an integer by '|'. */
static bool read_joined(struct cursor *cursor, struct term *term)
{
  while (cursor_is(cursor, "|")) {
    struct integer other = {0}; /* for the compiler, which does not know that cursor_fail() is false */
    if (term->kind != TERM_INTEGER || term->integer.negative)
      return cursor_fail(cursor, cursor->token.place, "'|' stands between integers from 0");
    cursor_next(cursor);
    struct place place = cursor->token.place;
    if (!term_read_integer(cursor, &other))
      return false;
    if (other.negative)
      return cursor_fail(cursor, place, "'|' stands between integers from 0");
    term->integer.magnitude |= other.magnitude;
  }
  return true;
}

static bool is_textual(const struct term *term)
{
  return term->kind == TERM_TEXT || term->kind == TERM_PART || term->kind == TERM_PARAMETER;
}

/* Whether a text goes on with the next token. */
static bool goes_on(const struct cursor *cursor)
{
  return cursor->token.kind == TOKEN_TEXT ||
         (cursor->token.kind == TOKEN_WORD && !cursor_is(cursor, "or") && !cursor_is(cursor, "in"));
}

static bool read_rest(struct cursor *cursor, struct term *term)
{
  while (goes_on(cursor)) {
    if (!is_textual(term))
      return cursor_expected(cursor, "',' or ')'");
    term->next = read_piece(cursor);
    if (!term->next)
      return false;
    term = term->next;
    if (!is_textual(term))
      return cursor_fail(cursor, term->place, "a text is made of texts, parts of the URL and parameters");
  }
  return true;
}

struct term *term_read(struct cursor *cursor)
{
  struct term *first = NULL, **to = &first;
  do {
    struct term *term = *to = read_piece(cursor);
    if (!term || !read_joined(cursor, term) || !read_rest(cursor, term))
      return NULL;
    to = &term->otherwise;
  } while (cursor_take(cursor, "or"));
  return first;
}

/* ---- types ---- */

static const char *const kinds[] = {"an integer", "a number", "a text", "null", "a part of the URL"};

static const char *kind_of(const struct cursor *cursor, const struct term *term)
{
  if (term->next)
    return "a text";
  if (term->kind == TERM_PARAMETER)
    return term->parameter->type->name;
  if (term->kind == TERM_VARIABLE)
    return cursor->description->variables[term->index].type->name;
  return term->kind == TERM_DEADLINE ? description_units[term->index] : kinds[term->kind];
}

static bool is_textual_type(const struct type *type)
{
  return type->kind == TYPE_TEXT || type->kind == TYPE_POINTER;
}

static bool is_within(struct range range, const struct type *type)
{
  return integer_compare(range.least, type_least(type)) >= 0 && integer_compare(range.most, type_most(type)) <= 0;
}

/* Whether each integer of a range, or a value of another type, can be of this type. */
static bool value_fits(const struct type *have, struct range range, const struct type *type)
{
  if (have->kind == TYPE_INTEGER && type->kind == TYPE_INTEGER)
    return is_within(range, type);
  if (have->kind == TYPE_TEXT)
    return is_textual_type(type);
  return have->kind == type->kind || (have->kind == TYPE_INTEGER && type->kind == TYPE_TIMEVAL);
}

static struct range range_of(const struct type *type)
{
  return (struct range){type_least(type), type_most(type)};
}

static bool parameter_fits(const struct parameter *parameter, const struct type *type)
{
  struct range range = parameter->ranged ? parameter->range : range_of(parameter->type);
  return value_fits(parameter->type, range, type);
}

static bool variable_fits(const struct type *have, const struct type *type)
{
  return value_fits(have, range_of(have), type);
}

static bool is_of_kind(const struct cursor *cursor, const struct term *term, const struct type *type)
{
  if (term->next)
    return is_textual_type(type);
  switch (term->kind) {
  case TERM_INTEGER:
    return type->kind == TYPE_INTEGER || type->kind == TYPE_REAL || type->kind == TYPE_TIMEVAL;
  case TERM_REAL:
    return type->kind == TYPE_REAL;
  case TERM_NULL:
    return is_textual_type(type) || type->kind == TYPE_TIMEVAL;
  case TERM_PART:
    return is_textual_type(type) || (term->index == PART_PORT && type->kind == TYPE_INTEGER && type->size > 1);
  case TERM_PARAMETER:
    return parameter_fits(term->parameter, type);
  case TERM_VARIABLE:
    return variable_fits(cursor->description->variables[term->index].type, type);
  case TERM_DEADLINE:
    return term->index == UNIT_TIMEVAL ? type->kind == TYPE_TIMEVAL : type->kind == TYPE_INTEGER && type->size >= 4;
  default:
    return is_textual_type(type);
  }
}

static bool check_integer(struct cursor *cursor, const struct term *term, const struct type *type)
{
  char least[INTEGER_ROOM], most[INTEGER_ROOM];
  if (term->kind != TERM_INTEGER || type->kind != TYPE_INTEGER)
    return true;
  if (integer_compare(term->integer, type_least(type)) >= 0 && integer_compare(term->integer, type_most(type)) <= 0)
    return true;
  return cursor_fail(cursor, term->place, "this does not fit %s, which is from %s to %s", type->name,
                     integer_text(type_least(type), least), integer_text(type_most(type), most));
}

bool term_check(struct cursor *cursor, const struct term *term, const struct type *type, const char *where)
{
  for (; term; term = term->otherwise) {
    if (!is_of_kind(cursor, term, type))
      return cursor_fail(cursor, term->place, "%.60s wants %s here; this is %s", where, type->name,
                         kind_of(cursor, term));
    if (!check_integer(cursor, term, type))
      return false;
    if (term->kind == TERM_DEADLINE && !term->otherwise)
      return cursor_fail(cursor, term->place, "some callers have no deadline: write what they get, '%s or %s'",
                         description_units[term->index], term->index == UNIT_TIMEVAL ? "null" : "30000");
  }
  return true;
}
