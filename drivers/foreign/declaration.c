/* SPDX-License-Identifier: MIT */
#include "foreign/declaration.h"

#include <ctype.h>
#include <string.h>

#include "foreign/term.h"

/* ---- names ---- */

static bool is_identifier(const char *name)
{
  if (isdigit((unsigned char)*name))
    return false;
  for (; *name; name++)
    if (!isalnum((unsigned char)*name) && *name != '_')
      return false;
  return true;
}

static bool read_identifier(struct cursor *cursor, const char *what, struct token *name)
{
  *name = cursor->token;
  if (name->kind != TOKEN_WORD)
    return cursor_expected(cursor, what);
  if (!is_identifier(name->text))
    return cursor_fail(cursor, name->place, "a name is of letters, digits and '_'; '%.60s' is none", name->text);
  cursor_next(cursor);
  return true;
}

/* Words that mean something where a value stands. */
static bool is_taken(const char *name)
{
  static const char *const words[] = {"null", "or", "in", "is", "not", "when", "length"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(words[i], name) == 0)
      return true;
  return false;
}

static bool twice(struct cursor *cursor, const struct token *name, struct place first)
{
  return cursor_fail(cursor, name->place, "'%.60s' is declared twice, first in line %u", name->text, first.line);
}

/* A name for a value: a constant or a parameter. */
static bool read_value_name(struct cursor *cursor, const char *what, struct token *name)
{
  if (!read_identifier(cursor, what, name))
    return false;
  if (is_taken(name->text) || description_variable(cursor->description, name->text) >= 0)
    return cursor_fail(cursor, name->place, "'%s' means something else already", name->text);
  const struct constant *constant = description_constant(cursor->description, name->text);
  if (constant)
    return twice(cursor, name, constant->place);
  const struct parameter *parameter = description_parameter(cursor->description, name->text);
  return !parameter || twice(cursor, name, parameter->place);
}

static const struct type *read_type(struct cursor *cursor)
{
  struct token word = cursor->token;
  if (word.kind != TOKEN_WORD)
    return cursor_expected(cursor, "a type"), NULL;
  const struct type *type = type_find(word.text);
  if (!type) {
    const char *meant = type_near(word.text);
    cursor_unknown(cursor, &word, meant ? "type" : "type, as int, uint64, size, double, text and pointer are", meant);
    return NULL;
  }
  cursor_next(cursor);
  return type;
}

/* ---- libraries ---- */

/* A relative path would mean another file in each folder. */
static bool is_library_name(const char *name)
{
  return *name && (*name == '/' || !strchr(name, '/'));
}

static bool read_library_name(struct cursor *cursor, struct library *library)
{
  struct token name = cursor->token;
  if (name.kind != TOKEN_WORD && name.kind != TOKEN_TEXT)
    return cursor_expected(cursor, "the name of a library, such as libsqlite3.so.0,");
  if (!is_library_name(name.text))
    return cursor_fail(cursor, name.place, "a library is a name, such as libz.so.1, or a path that begins with '/'");
  for (const struct library *other = cursor->description->libraries; other; other = other->next)
    for (unsigned i = 0; i < other->count; i++)
      if (strcmp(other->names[i], name.text) == 0)
        return twice(cursor, &name, other->places[i]);
  if (library->count == DESCRIPTION_NAMES)
    return cursor_fail(cursor, name.place, "a library has at most %d names", DESCRIPTION_NAMES);
  library->places[library->count] = name.place;
  library->names[library->count++] = name.text;
  cursor_next(cursor);
  return true;
}

bool declaration_library(struct cursor *cursor)
{
  struct library *library = cursor_new(cursor, sizeof *library), **to = &cursor->description->libraries;
  if (!library)
    return false;
  while (*to)
    to = &(*to)->next;
  *to = library;
  do
    if (!read_library_name(cursor, library))
      return false;
  while (cursor_take(cursor, "or"));
  return true;
}

/* ---- functions ---- */

static bool slot_is_good(struct cursor *cursor, const struct function *function, const struct slot *slot,
                         struct place place)
{
  enum type_kind kind = slot->type->kind;
  if (kind == TYPE_VOID)
    return cursor_fail(cursor, place, "void is no type of an argument; a function without arguments is written NAME()");
  if (kind == TYPE_TIMEVAL && slot->way != BY_VALUE)
    return cursor_fail(cursor, place, "timeval is the address of one already, without 'out' or 'ref'");
  bool promoted = slot->type->ffi == &ffi_type_float || (kind == TYPE_INTEGER && slot->type->size < sizeof(int));
  if (function->variadic && slot->way == BY_VALUE && promoted)
    return cursor_fail(cursor, place, "behind '...' C passes %s as %s", slot->type->name,
                       kind == TYPE_REAL ? "double" : "int");
  return true;
}

static bool read_slot(struct cursor *cursor, struct function *function)
{
  struct place place = cursor->token.place;
  struct slot *slot = &function->slots[function->count];
  if (function->count == DESCRIPTION_ARGUMENTS)
    return cursor_fail(cursor, place, "a function has at most %d arguments here", DESCRIPTION_ARGUMENTS);
  slot->way = cursor_take(cursor, "out") ? BY_OUT : cursor_take(cursor, "ref") ? BY_REFERENCE : BY_VALUE;
  slot->type = read_type(cursor);
  if (!slot->type || !slot_is_good(cursor, function, slot, place))
    return false;
  function->count++;
  function->fixed += !function->variadic;
  return true;
}

static bool read_dots_or_slot(struct cursor *cursor, struct function *function)
{
  if (!cursor_is(cursor, "..."))
    return read_slot(cursor, function);
  if (function->variadic || function->count == 0)
    return cursor_fail(cursor, cursor->token.place, "'...' stands once, behind the arguments that are always there");
  function->variadic = true;
  cursor_next(cursor);
  return true;
}

static bool read_slots(struct cursor *cursor, struct function *function)
{
  if (!cursor_need(cursor, "("))
    return false;
  if (cursor_take(cursor, ")"))
    return true;
  do
    if (!read_dots_or_slot(cursor, function))
      return false;
  while (cursor_take(cursor, ","));
  return cursor_is(cursor, ")") ? cursor_take(cursor, ")") : cursor_expected(cursor, "',' or ')'");
}

static bool read_result(struct cursor *cursor, struct function *function)
{
  if (!cursor_need(cursor, "->"))
    return false;
  struct place place = cursor->token.place;
  function->result = read_type(cursor);
  if (function->result && function->result->kind == TYPE_TIMEVAL)
    return cursor_fail(cursor, place, "timeval is a type of arguments; a result is a pointer");
  return function->result != NULL;
}

static bool read_alias(struct cursor *cursor, struct token *name)
{
  return !cursor_take(cursor, "as") || read_identifier(cursor, "a name", name);
}

bool declaration_function(struct cursor *cursor)
{
  struct function *function = cursor_new(cursor, sizeof *function), **to = &cursor->description->functions;
  struct token name;
  if (!function || !read_identifier(cursor, "the name of a function", &name))
    return false;
  function->symbol = name.text;
  function->place = name.place;
  if (!read_slots(cursor, function) || !read_result(cursor, function) || !read_alias(cursor, &name))
    return false;
  const struct function *first = description_function(cursor->description, name.text);
  if (first)
    return twice(cursor, &name, first->place);
  function->name = name.text;
  while (*to)
    to = &(*to)->next;
  *to = function;
  return true;
}

/* ---- constants ---- */

bool declaration_constant(struct cursor *cursor)
{
  struct constant *constant = cursor_new(cursor, sizeof *constant);
  struct token name;
  if (!constant || !read_value_name(cursor, "the name of a constant", &name) || !cursor_need(cursor, "="))
    return false;
  struct place place = cursor->token.place;
  constant->name = name.text;
  constant->place = name.place;
  constant->value = term_read(cursor);
  if (!constant->value)
    return false;
  if (constant->value->kind > TERM_TEXT || constant->value->next || constant->value->otherwise)
    return cursor_fail(cursor, place, "a constant is one number or text");
  constant->next = cursor->description->constants;
  cursor->description->constants = constant;
  return true;
}

/* ---- parameters ---- */

static bool read_default(struct cursor *cursor, struct parameter *parameter)
{
  if (!cursor_take(cursor, "="))
    return true;
  struct place place = cursor->token.place;
  parameter->value = term_read(cursor);
  if (!parameter->value)
    return false;
  if (parameter->value->kind != TERM_NULL && !term_check(cursor, parameter->value, parameter->type, parameter->name))
    return false;
  if (parameter->value->kind > TERM_NULL || parameter->value->next || parameter->value->otherwise)
    return cursor_fail(cursor, place, "a default is one number or text, or null");
  parameter->optional = parameter->value->kind == TERM_NULL;
  return true;
}

static bool read_choices(struct cursor *cursor, struct parameter *parameter)
{
  do {
    if (cursor->token.kind != TOKEN_TEXT)
      return cursor_expected(cursor, "a text that the parameter may be");
    if (parameter->choice_count == DESCRIPTION_NAMES)
      return cursor_fail(cursor, cursor->token.place, "at most %d texts to choose from", DESCRIPTION_NAMES);
    parameter->choices[parameter->choice_count++] = cursor->token.text;
    cursor_next(cursor);
  } while (cursor_take(cursor, "or"));
  return true;
}

static bool read_range(struct cursor *cursor, struct parameter *parameter)
{
  struct place place = cursor->token.place;
  if (parameter->type->kind != TYPE_INTEGER)
    return cursor_fail(cursor, place, "a range is for integers, and texts to choose from are for text");
  parameter->ranged = true;
  if (!term_read_integer(cursor, &parameter->range.least) || !cursor_need(cursor, "..") ||
      !term_read_integer(cursor, &parameter->range.most))
    return false;
  return integer_compare(parameter->range.least, parameter->range.most) <= 0 ||
         cursor_fail(cursor, place, "a range is from the smaller to the larger number");
}

static bool default_is_in_range(const struct parameter *parameter)
{
  const struct term *value = parameter->value;
  if (!value || value->kind == TERM_NULL)
    return true;
  if (parameter->ranged)
    return integer_compare(value->integer, parameter->range.least) >= 0 &&
           integer_compare(value->integer, parameter->range.most) <= 0;
  for (unsigned i = 0; i < parameter->choice_count; i++)
    if (strcmp(parameter->choices[i], value->text) == 0)
      return true;
  return parameter->choice_count == 0;
}

static bool read_limits(struct cursor *cursor, struct parameter *parameter)
{
  if (!cursor_take(cursor, "in"))
    return true;
  bool good = parameter->type->kind == TYPE_TEXT ? read_choices(cursor, parameter) : read_range(cursor, parameter);
  return good && (default_is_in_range(parameter) ||
                  cursor_fail(cursor, parameter->value->place, "the default is none of the values that are allowed"));
}

static bool read_parameter(struct cursor *cursor, struct parameter *parameter)
{
  struct token name;
  if (!read_value_name(cursor, "the name of a parameter", &name))
    return false;
  if (strcmp(name.text, "description") == 0)
    return cursor_fail(cursor, name.place, "the parameter 'description' names the file of a description");
  parameter->name = name.text;
  parameter->place = name.place;
  struct place place = cursor->token.place;
  parameter->type = read_type(cursor);
  if (!parameter->type)
    return false;
  enum type_kind kind = parameter->type->kind;
  if (kind != TYPE_INTEGER && kind != TYPE_REAL && kind != TYPE_TEXT)
    return cursor_fail(cursor, place, "a parameter is an integer, a double or a text");
  return read_default(cursor, parameter) && read_limits(cursor, parameter);
}

static bool add_parameter(struct cursor *cursor, bool secret)
{
  struct parameter *parameter = cursor_new(cursor, sizeof *parameter);
  if (!parameter || !read_parameter(cursor, parameter))
    return false;
  parameter->secret = secret;
  parameter->next = cursor->description->parameters;
  cursor->description->parameters = parameter;
  return true;
}

bool declaration_parameter(struct cursor *cursor)
{
  return add_parameter(cursor, false);
}

bool declaration_secret(struct cursor *cursor)
{
  return add_parameter(cursor, true);
}

/* ---- connect ---- */

bool declaration_connect(struct cursor *cursor)
{
  struct description *description = cursor->description;
  description->host = term_read(cursor);
  if (!description->host || !term_check(cursor, description->host, type_find("text"), "connect") ||
      !cursor_need(cursor, ","))
    return false;
  description->port = term_read(cursor);
  if (!description->port || !term_check(cursor, description->port, type_find("uint16"), "connect"))
    return false;
  for (enum word word = WORD_OPEN; word < WORD_COUNT; word++)
    cursor->set[word] |= 1u << VARIABLE_SOCKET;
  return true;
}
