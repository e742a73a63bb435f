/* SPDX-License-Identifier: MIT */
/* What an operation says when it fails: a code, the system's number and a message. */
#ifndef FAILURE_H
#define FAILURE_H

#include <stdbool.h>
#include <stddef.h>

#include <pool/pool.h>

/* Fills in *error and returns the code. */
int failure_set(pool_error_t *error, int code, int native, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same of a call that was sent, so that the server may have carried it out, and whose reply there is no memory for.
 */
int failure_no_room(pool_error_t *error, int code);

/* How many bytes of a text of `size` bytes to show, at most `most`, so that no UTF-8 character is cut. */
int failure_whole_characters(const char *text, size_t size, size_t most);

/* Whether a text has a secret in it, or its beginning: a server or library that quotes may cut what is long.  NULL and
   "" are none. */
bool failure_quotes(const char *text, size_t size, const char *secret);

/* Copies a text as one line: each run of white space becomes one space, and no UTF-8 character is cut.  Returns how
   many bytes were written, below `size`; a 0 is behind them. */
size_t failure_line(char *to, size_t size, const char *text);

/* The same, and in place of the password, or the beginning of a long one, are stars, for a server may repeat it.  NULL
   or "": there is none. */
size_t failure_line_without(const char *password, char *to, size_t size, const char *text);

#endif
