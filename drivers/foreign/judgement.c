/* SPDX-License-Identifier: MIT */
#include "foreign/judgement.h"

#include "foreign/term.h"

static const char *const comparisons[] = {">=", ">", "<=", "<"};

/* -1: none is next. */
static int comparison_next(const struct cursor *cursor)
{
  for (int i = 0; i < 4; i++)
    if (cursor_is(cursor, comparisons[i]))
      return i;
  return -1;
}

bool judgement_is_next(const struct cursor *cursor)
{
  return cursor_is(cursor, "is") || cursor_is(cursor, "ignored") || comparison_next(cursor) >= 0;
}

static bool is_address(const struct type *type)
{
  return type->kind == TYPE_TEXT || type->kind == TYPE_POINTER;
}

/* ---- reading ---- */

static bool take_null(struct cursor *cursor, struct judgement *judgement, const struct type *type)
{
  if (!is_address(type))
    return cursor_fail(cursor, cursor->token.place, "a result of type %s is never null: compare it with a number",
                       type->name);
  cursor_next(cursor);
  judgement->count = 1; /* the range is from 0 to 0 */
  return true;
}

static bool take_truth(struct cursor *cursor, struct judgement *judgement, const struct type *type)
{
  if (type->kind != TYPE_INTEGER)
    return cursor_fail(cursor, cursor->token.place, "only integers are true or false; this result is of type %s",
                       type->name);
  judgement->negated ^= cursor_is(cursor, "true");
  cursor_next(cursor);
  judgement->count = 1;
  return true;
}

static bool take_range(struct cursor *cursor, struct range *range)
{
  struct place place = cursor->token.place;
  if (!term_read_integer(cursor, &range->least))
    return false;
  range->most = range->least;
  if (!cursor_take(cursor, ".."))
    return true;
  return term_read_integer(cursor, &range->most) &&
         (integer_compare(range->least, range->most) <= 0 ||
          cursor_fail(cursor, place, "a range is from the smaller to the larger number"));
}

static bool take_ranges(struct cursor *cursor, struct judgement *judgement, const struct type *type)
{
  if (is_address(type))
    return cursor_fail(cursor, cursor->token.place, "a result of type %s is judged by 'is null' or 'is not null'",
                       type->name);
  do {
    if (judgement->count == DESCRIPTION_NAMES)
      return cursor_fail(cursor, cursor->token.place, "at most %d values or ranges", DESCRIPTION_NAMES);
    if (!take_range(cursor, &judgement->ranges[judgement->count++]))
      return false;
  } while (cursor_take(cursor, "or"));
  return true;
}

static bool take_is(struct cursor *cursor, struct judgement *judgement, const struct type *type)
{
  cursor_next(cursor);
  judgement->negated = cursor_take(cursor, "not");
  if (cursor_is(cursor, "null"))
    return take_null(cursor, judgement, type);
  if (cursor_is(cursor, "true") || cursor_is(cursor, "false"))
    return take_truth(cursor, judgement, type);
  return take_ranges(cursor, judgement, type);
}

/* All but `x` and what is on one side of it: > is not <=, and < is not >=. */
static bool take_comparison(struct cursor *cursor, struct judgement *judgement, const struct type *type, int which)
{
  struct integer integer;
  cursor_next(cursor);
  if (is_address(type))
    return cursor_fail(cursor, judgement->place, "a result of type %s is judged by 'is null' or 'is not null'",
                       type->name);
  if (!term_read_integer(cursor, &integer))
    return false;
  bool upward = which == 0 || which == 3;
  judgement->negated = which == 1 || which == 3;
  judgement->ranges[0] = upward ? (struct range){integer, INTEGER_MOST} : (struct range){INTEGER_LEAST, integer};
  judgement->count = 1;
  return true;
}

/* The words of the source from the beginning up to the next token. */
static const char *words(struct cursor *cursor, size_t begin)
{
  const char *text = cursor->description->source.text;
  size_t end = cursor->token.begin > begin ? cursor->token.begin : cursor->description->source.size;
  for (size_t i = begin; i < end; i++)
    if (text[i] == '#' || text[i] == '\n')
      end = i;
  while (end > begin && (text[end - 1] == ' ' || text[end - 1] == '\t' || text[end - 1] == '\r'))
    end--;
  char *copy = cursor_new(cursor, end - begin + 1);
  for (size_t i = begin; copy && i < end; i++)
    copy[i - begin] = text[i];
  return copy;
}

static bool read_reason(struct cursor *cursor, struct judgement *judgement)
{
  if (!cursor_take(cursor, "else"))
    return true;
  if (cursor->token.kind != TOKEN_TEXT)
    return cursor_expected(cursor, "a text for the message");
  judgement->reason = cursor->token.text;
  cursor_next(cursor);
  return true;
}

bool judgement_read(struct cursor *cursor, struct judgement *judgement, const struct type *type)
{
  size_t begin = cursor->token.begin;
  int which = comparison_next(cursor);
  judgement->place = cursor->token.place;
  if (cursor_take(cursor, "ignored")) {
    judgement->ignored = true;
    return true;
  }
  if (!(which >= 0 ? take_comparison(cursor, judgement, type, which) : take_is(cursor, judgement, type)))
    return false;
  judgement->words = words(cursor, begin);
  return judgement->words && read_reason(cursor, judgement);
}

/* ---- judging ---- */

static bool holds(const struct range *range, const struct type *type, const union value *value)
{
  if (type->kind == TYPE_REAL) {
    double real = type_real(type, value);
    return real >= integer_real(range->least) && real <= integer_real(range->most);
  }
  struct integer integer = type_integer(type, value);
  return integer_compare(integer, range->least) >= 0 && integer_compare(integer, range->most) <= 0;
}

bool judgement_passes(const struct judgement *judgement, const struct type *type, const union value *value)
{
  bool found = false;
  for (unsigned i = 0; i < judgement->count; i++)
    found |= holds(&judgement->ranges[i], type, value);
  return judgement->count == 0 || found != judgement->negated;
}
