/* SPDX-License-Identifier: MIT */
#include "foreign/cursor.h"

#include <stdarg.h>
#include <stdio.h>

#include "support/failure.h"

struct cursor cursor_begin(struct description *description, pool_error_t *error)
{
  struct cursor cursor = {.description = description, .error = error};
  cursor.tokens = token_begin(&description->source, &description->arena, error);
  for (enum word word = 0; word < WORD_COUNT; word++)
    cursor.set[word] = word == WORD_START || word == WORD_OPEN ? 0 : 1u << VARIABLE_CONN;
  cursor.set[WORD_ERROR] |= 1u << VARIABLE_CODE;
  cursor_next(&cursor);
  return cursor;
}

void cursor_next(struct cursor *cursor)
{
  if (cursor->token.kind != TOKEN_WRONG)
    cursor->token = token_next(&cursor->tokens);
}

bool cursor_is(const struct cursor *cursor, const char *text)
{
  return token_is(&cursor->token, text);
}

bool cursor_take(struct cursor *cursor, const char *text)
{
  bool taken = cursor_is(cursor, text);
  if (taken)
    cursor_next(cursor);
  return taken;
}

bool cursor_need(struct cursor *cursor, const char *text)
{
  char what[32];
  snprintf(what, sizeof what, "'%s'", text);
  return cursor_take(cursor, text) || cursor_expected(cursor, what);
}

void *cursor_new(struct cursor *cursor, size_t size)
{
  void *memory = arena_take(&cursor->description->arena, size);
  if (memory)
    return memory;
  failure_set(cursor->error, POOL_E_NOMEM, 0, "no memory for a description");
  cursor->token.kind = TOKEN_WRONG;
  return NULL;
}

bool cursor_fail(struct cursor *cursor, struct place place, const char *format, ...)
{
  char message[sizeof cursor->error->message];
  va_list arguments;
  if (cursor->token.kind == TOKEN_WRONG)
    return false;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  source_fail(&cursor->description->source, place, cursor->error, "%s", message);
  return false;
}

bool cursor_expected(struct cursor *cursor, const char *what)
{
  const struct token *token = &cursor->token;
  if (token->kind == TOKEN_END || token->kind == TOKEN_LINE)
    return cursor_fail(cursor, token->place, "%s is missing at the end of the %s", what,
                       token->kind == TOKEN_END ? "file" : "line");
  const char *quote = token->kind == TOKEN_TEXT ? "\"" : "'";
  return cursor_fail(cursor, token->place, "%s is missing before %s%.40s%s", what, quote, token->text, quote);
}

bool cursor_unknown(struct cursor *cursor, const struct token *word, const char *what, const char *meant)
{
  return cursor_fail(cursor, word->place, "'%.60s' is no %s%s%s%s", word->text, what, meant ? "; did you mean '" : "",
                     meant ? meant : "", meant ? "'?" : "");
}
