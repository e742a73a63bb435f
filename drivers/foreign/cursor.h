/* SPDX-License-Identifier: MIT */
/*
 * Where the parser is: the token that is next, and what it has read so far.
 *
 * A function that returns false or NULL has filled in the error.
 */
#ifndef CURSOR_H
#define CURSOR_H

#include <stdbool.h>

#include "foreign/description.h"
#include "foreign/token.h"

struct cursor {
  struct tokens tokens;
  struct token token; /* the next one */
  struct description *description;
  pool_error_t *error;
  bool has_conn;                /* a call without a condition sets conn */
  enum word word;               /* whose calls are read; WORD_COUNT: of none, so no variable has a value */
  unsigned set[WORD_COUNT + 1]; /* the variables that its calls have set: a bit for each */
};

struct cursor cursor_begin(struct description *description, pool_error_t *error);

/* Goes on to the next token. */
void cursor_next(struct cursor *cursor);

/* Whether this word or sign is next. */
bool cursor_is(const struct cursor *cursor, const char *text);

/* The same, and then goes on. */
bool cursor_take(struct cursor *cursor, const char *text);

/* The same, but it must be there. */
bool cursor_need(struct cursor *cursor, const char *text);

/* Memory of the description, or NULL. */
void *cursor_new(struct cursor *cursor, size_t size);

/* Says what is wrong at a place; a wrong token has said so itself.  Returns false. */
bool cursor_fail(struct cursor *cursor, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Says that the next token should be something else.  Returns false. */
bool cursor_expected(struct cursor *cursor, const char *what);

/* Says that a word is no such thing, and which was meant, unless NULL.  Returns false. */
bool cursor_unknown(struct cursor *cursor, const struct token *word, const char *what, const char *meant);

#endif
