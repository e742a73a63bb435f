/* SPDX-License-Identifier: MIT */
/*
 * A description as tokens.
 *
 *   word     letters, digits, and . _ + - / in it:  sqlite3_open_v2  url.path  libldap-2.5.so.0
 *   number   12  -1  0x1f  0.5
 *   text     "...", with \" \\ \n and \t
 *   sign     ( ) , = | -> ... .. < <= > >=
 *   line     the end of a line, outside of brackets
 *
 * A comment is '#' and the rest of its line.
 */
#ifndef TOKEN_H
#define TOKEN_H

#include <stdbool.h>

#include "foreign/arena.h"
#include "foreign/integer.h"
#include "foreign/source.h"

enum token_kind { TOKEN_END, TOKEN_LINE, TOKEN_WORD, TOKEN_INTEGER, TOKEN_REAL, TOKEN_TEXT, TOKEN_SIGN, TOKEN_WRONG };

struct token {
  enum token_kind kind;
  struct place place;
  size_t begin, end; /* in the source */
  const char *text;  /* the word, sign or text; of a number its digits */
  struct integer integer;
  double real;
};

/* Where the reading of tokens is. */
struct tokens {
  const struct source *source;
  struct arena *arena;
  pool_error_t *error;
  size_t at, line_at; /* the next byte, and the first of its line */
  unsigned line;
  unsigned depth; /* of brackets */
};

struct tokens token_begin(const struct source *source, struct arena *arena, pool_error_t *error);

/* The next token.  TOKEN_WRONG: it is none, and the error says why. */
struct token token_next(struct tokens *tokens);

/* Whether a token is this word or sign. */
bool token_is(const struct token *token, const char *text);

#endif
