/* SPDX-License-Identifier: MIT */
/* The elements of a JSON array, whose text has passed a check (json_check.h) and has a 0 behind it. */
#ifndef JSON_ARRAY_H
#define JSON_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a text of JSON is an array. */
bool json_array_is_one(const char *text);

/* The first element of an array, or the one behind the end of another.  NULL: there is none. */
const char *json_array_next(const char *at);

/* The end of an element. */
const char *json_array_end(const char *element);

#endif
