/* SPDX-License-Identifier: MIT */
/*
 * JSON that is being written.
 *
 * A text that has a problem takes nothing more; what it took is of no use then.  Not thread-safe: one thread at a time
 * uses a text.
 */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <pool/pool.h>

enum json_text_problem { JSON_TEXT_GOOD, JSON_TEXT_TOO_LARGE, JSON_TEXT_NO_MEMORY };

/* All 0 but for the limit is an empty one. */
struct json_text {
  char *data;
  size_t size;
  size_t capacity;
  size_t limit; /* of the size */
  enum json_text_problem problem;
};

/* Adds bytes as they are. */
void json_text_add(struct json_text *text, const char *bytes, size_t size);
void json_text_say(struct json_text *text, const char *bytes);

/* Adds a string with its quotes.  Each byte that is not UTF-8 becomes U+FFFD. */
void json_text_string(struct json_text *text, const char *bytes, size_t size);

/* Whether all bytes are UTF-8. */
bool json_text_is_utf8(const char *bytes, size_t size);

/* Adds a number or another value if the bytes are one JSON value; else a string. */
void json_text_value(struct json_text *text, const char *bytes, size_t size);

/* Hands the bytes over.  False without memory, or if there was a problem. */
bool json_text_take(struct json_text *text, pool_bytes_t *bytes);

void json_text_free(struct json_text *text);

#endif
