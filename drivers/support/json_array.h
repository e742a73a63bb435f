/* SPDX-License-Identifier: MIT */
/* The elements of a JSON array, whose text has passed a check (json_check.h) and has a 0 behind it. */
#ifndef JSON_ARRAY_H
#define JSON_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#include <pool/pool.h>

/* Whether a text of JSON is an array. */
bool json_array_is_one(const char *text);

/* The first element of an array, or the one behind the end of another.  NULL: there is none. */
const char *json_array_next(const char *at);

/* The end of an element. */
const char *json_array_end(const char *element);

/* Copies the arguments of a call, which must be one array of JSON, and ends them with a 0.  Returns 0, or a code that
 *error explains; then there is no text. */
int json_array_copy(char **text, pool_bytes_t args, pool_error_t *error);

/* Wipes and frees such a text. */
void json_array_free(char *text);

#endif
