/* SPDX-License-Identifier: MIT */
#include "foreign/token.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "foreign/type.h"
#include "support/failure.h"

struct tokens token_begin(const struct source *source, struct arena *arena, pool_error_t *error)
{
  return (struct tokens){.source = source, .arena = arena, .error = error, .line = 1};
}

bool token_is(const struct token *token, const char *text)
{
  return (token->kind == TOKEN_WORD || token->kind == TOKEN_SIGN) && strcmp(token->text, text) == 0;
}

static char byte_at(const struct tokens *tokens, size_t at)
{
  return at < tokens->source->size ? tokens->source->text[at] : 0;
}

static struct place place_of(const struct tokens *tokens, size_t at)
{
  return (struct place){tokens->line, (unsigned)(at - tokens->line_at) + 1};
}

static struct token wrong(struct tokens *tokens, size_t at, const char *problem)
{
  source_fail(tokens->source, place_of(tokens, at), tokens->error, "%s", problem);
  return (struct token){.kind = TOKEN_WRONG, .text = ""};
}

/* The token from `at` up to `end`, and its text. */
static struct token make(struct tokens *tokens, enum token_kind kind, size_t end)
{
  struct token token = {.kind = kind, .place = place_of(tokens, tokens->at), .begin = tokens->at, .end = end};
  token.text = arena_text(tokens->arena, tokens->source->text + tokens->at, end - tokens->at);
  if (!token.text) {
    failure_set(tokens->error, POOL_E_NOMEM, 0, "no memory for a description");
    token = (struct token){.kind = TOKEN_WRONG, .text = ""};
  }
  tokens->at = end;
  return token;
}

/* ---- words and numbers ---- */

static struct token read_word(struct tokens *tokens)
{
  size_t end = tokens->at;
  for (char c; (c = byte_at(tokens, end)) != 0; end++)
    if (!isalnum((unsigned char)c) && !strchr("._+-/", c))
      break;
    else if (c == '-' && byte_at(tokens, end + 1) == '>')
      break;
  return make(tokens, TOKEN_WORD, end);
}

static size_t skip_digits(const struct tokens *tokens, size_t at)
{
  while (isalnum((unsigned char)byte_at(tokens, at)))
    at++;
  return at;
}

static struct token read_number(struct tokens *tokens)
{
  size_t begin = tokens->at, end = skip_digits(tokens, begin + 1);
  bool real = byte_at(tokens, end) == '.' && isdigit((unsigned char)byte_at(tokens, end + 1));
  if (real)
    end = skip_digits(tokens, end + 1);
  struct token token = make(tokens, real ? TOKEN_REAL : TOKEN_INTEGER, end);
  bool good = token.kind == TOKEN_REAL      ? type_read_real(&token.real, token.text)
              : token.kind == TOKEN_INTEGER ? integer_read(&token.integer, token.text)
                                            : true; /* there was no memory */
  if (!good)
    return wrong(tokens, begin, "this is no number; numbers are 12, -1, 0x1f or 0.5, of at most 64 bits");
  return token;
}

/* ---- texts ---- */

/* 0: there is no such escape. */
static char escaped(char c)
{
  return c == 'n' ? '\n' : c == 't' ? '\t' : c == '"' || c == '\\' ? c : 0;
}

/* Stores the text between quotes, which is never longer than its source.  Returns where it ends, or 0. */
static size_t unquote(struct tokens *tokens, char *to)
{
  size_t at = tokens->at + 1;
  for (char c; (c = byte_at(tokens, at)) != '"'; at++) {
    if ((unsigned char)c < ' ')
      return wrong(tokens, tokens->at, "a text ends with '\"' on the same line"), 0;
    if (c == '\\') {
      c = escaped(byte_at(tokens, ++at));
      if (!c)
        return wrong(tokens, at - 1, "in a text '\\' is followed by '\"', '\\', 'n' or 't'"), 0;
    }
    *to++ = c;
  }
  *to = 0;
  return at + 1;
}

static struct token read_text(struct tokens *tokens)
{
  size_t rest = strcspn(tokens->source->text + tokens->at, "\n");
  char *text = arena_take(tokens->arena, rest + 1);
  size_t end = text ? unquote(tokens, text) : 0;
  if (!end) {
    if (!text)
      failure_set(tokens->error, POOL_E_NOMEM, 0, "no memory for a description");
    return (struct token){.kind = TOKEN_WRONG, .text = ""};
  }
  struct token token = make(tokens, TOKEN_TEXT, end);
  token.text = text;
  return token;
}

/* ---- signs and space ---- */

static struct token read_sign(struct tokens *tokens)
{
  static const char *const signs[] = {"...", "..", "->", "<=", ">=", "<", ">", "(", ")", ",", "=", "|"};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
    size_t length = strlen(signs[i]);
    if (strncmp(tokens->source->text + tokens->at, signs[i], length) != 0)
      continue;
    if (*signs[i] == '(')
      tokens->depth++;
    if (*signs[i] == ')' && tokens->depth > 0)
      tokens->depth--;
    return make(tokens, TOKEN_SIGN, tokens->at + length);
  }
  return wrong(tokens, tokens->at, "this character means nothing here; a comment begins with '#', a text with '\"'");
}

/* Skips blanks and comments; and ends of lines, inside brackets. */
static void skip_space(struct tokens *tokens)
{
  for (char c; (c = byte_at(tokens, tokens->at)) != 0;) {
    if (c == '#')
      tokens->at += strcspn(tokens->source->text + tokens->at, "\n");
    else if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && tokens->depth > 0))
      tokens->at++;
    else
      return;
    if (c == '\n') {
      tokens->line++;
      tokens->line_at = tokens->at;
    }
  }
}

static struct token read_line_end(struct tokens *tokens)
{
  struct token token = make(tokens, TOKEN_LINE, tokens->at + 1);
  tokens->line++;
  tokens->line_at = tokens->at;
  return token;
}

struct token token_next(struct tokens *tokens)
{
  skip_space(tokens);
  char c = byte_at(tokens, tokens->at), next = byte_at(tokens, tokens->at + 1);
  if (tokens->at >= tokens->source->size)
    return (struct token){.kind = TOKEN_END, .place = place_of(tokens, tokens->at), .text = ""};
  if (c == '\n')
    return read_line_end(tokens);
  if (isalpha((unsigned char)c) || c == '_' || c == '/')
    return read_word(tokens);
  if (isdigit((unsigned char)c) || (c == '-' && isdigit((unsigned char)next)))
    return read_number(tokens);
  return c == '"' ? read_text(tokens) : read_sign(tokens);
}
