/* SPDX-License-Identifier: MIT */
#include "foreign/parser.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "foreign/call.h"
#include "foreign/cursor.h"
#include "foreign/declaration.h"

/* ---- words that stand alone ---- */

static bool read_serial(struct cursor *cursor)
{
  cursor->description->serial = true;
  return true;
}

static bool read_sigpipe(struct cursor *cursor)
{
  cursor->description->blocks_sigpipe = true;
  return cursor_need(cursor, "blocked");
}

/* ---- all words ---- */

struct statement {
  const char *word;
  bool (*read)(struct cursor *cursor); /* NULL: calls */
  enum word calls;
  bool once;
};

static const struct statement statements[] = {
    {"library", declaration_library, WORD_COUNT, false},
    {"function", declaration_function, WORD_COUNT, false},
    {"constant", declaration_constant, WORD_COUNT, false},
    {"parameter", declaration_parameter, WORD_COUNT, false},
    {"secret", declaration_secret, WORD_COUNT, false},
    {"connect", declaration_connect, WORD_COUNT, true},
    {"serial", read_serial, WORD_COUNT, true},
    {"sigpipe", read_sigpipe, WORD_COUNT, true},
    {"start", NULL, WORD_START, false},
    {"open", NULL, WORD_OPEN, false},
    {"error", NULL, WORD_ERROR, false},
    {"check", NULL, WORD_CHECK, false},
    {"descriptor", NULL, WORD_DESCRIPTOR, true},
    {"reset", NULL, WORD_RESET, false},
    {"close", NULL, WORD_CLOSE, false},
    {"free", NULL, WORD_FREE, false},
};
#define STATEMENTS (sizeof statements / sizeof *statements)

static const struct statement *find(struct cursor *cursor)
{
  struct near near = near_begin(cursor->token.text);
  for (size_t i = 0; i < STATEMENTS; i++) {
    if (cursor_is(cursor, statements[i].word))
      return &statements[i];
    near_look(&near, statements[i].word);
  }
  if (cursor->token.kind == TOKEN_WORD)
    cursor_unknown(cursor, &cursor->token,
                   near.found ? "word that begins a line"
                              : "word that begins a line, as library, function, open, check and close do",
                   near.found);
  else
    cursor_expected(cursor, "a word such as library, function, open or close");
  return NULL;
}

/* Takes the word at the beginning of a line, or goes on with the one before. */
static const struct statement *take_word(struct cursor *cursor, const struct statement *before, unsigned *seen)
{
  struct place place = cursor->token.place;
  if (place.column > 1 && before && !before->once)
    return before;
  if (place.column > 1)
    return cursor_fail(cursor, place,
                       "a line begins with a word; one that begins with a space goes on with the word "
                       "above"),
           NULL;
  const struct statement *statement = find(cursor);
  unsigned bit = statement ? 1u << (statement - statements) : 0;
  if (statement && statement->once && *seen & bit)
    return cursor_fail(cursor, place, "'%s' stands once in a description", statement->word), NULL;
  *seen |= bit;
  if (statement)
    cursor_next(cursor);
  return statement;
}

static bool read_statement(struct cursor *cursor, const struct statement *statement)
{
  cursor->word = statement->calls;
  if (!(statement->read ? statement->read(cursor) : call_read(cursor)))
    return false;
  return cursor->token.kind == TOKEN_LINE || cursor->token.kind == TOKEN_END ||
         cursor_fail(cursor, cursor->token.place, "'%.40s' is not expected here; the line should end",
                     cursor->token.text);
}

static bool read_statements(struct cursor *cursor)
{
  const struct statement *statement = NULL;
  unsigned seen = 0;
  while (cursor->token.kind != TOKEN_END) {
    if (cursor->token.kind != TOKEN_LINE) {
      statement = take_word(cursor, statement, &seen);
      if (!statement || !read_statement(cursor, statement))
        return false;
    }
    if (cursor->token.kind == TOKEN_LINE)
      cursor_next(cursor);
  }
  return true;
}

/* ---- what each description has ---- */

static const char *missing(const struct cursor *cursor)
{
  const struct description *description = cursor->description;
  if (!description->libraries)
    return "no library is named: write 'library' and its name, such as libsqlite3.so.0";
  if (!description->calls[WORD_OPEN])
    return "nothing says how to open a connection: write 'open' and a call";
  if (!(cursor->set[WORD_OPEN] & 1u << VARIABLE_CONN))
    return "no call of 'open' sets conn, the connection: write 'conn = FUNCTION(...)', or conn for an 'out pointer'";
  if (!description->calls[WORD_CLOSE])
    return "nothing says how to close a connection: write 'close' and a call";
  return NULL;
}

int parser_read(struct description *description, pool_error_t *error)
{
  struct cursor cursor = cursor_begin(description, error);
  if (!read_statements(&cursor))
    return error->code;
  const char *problem = missing(&cursor);
  return problem ? source_fail(&description->source, (struct place){0, 0}, error, "%s", problem) : 0;
}
