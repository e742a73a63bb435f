/* SPDX-License-Identifier: MIT */
/*
 * Decides whether bytes are the text of one JSON value, as RFC 8259 defines it, while they come in.
 *
 * Nothing is built and nothing is allocated: a check has a fixed size, and each byte is looked at once.  So a text
 * costs time in proportion to its bytes, and the caller may do something else, such as looking at the clock, between
 * any two pieces.  Strings must be UTF-8, and escaped surrogates must come in pairs.  Numbers may have any size, for
 * nobody here computes with them.  Brackets may be nested JSON_DEPTH_MOST deep, as deep as jansson allows.
 *
 * Why not a library: of those in Debian 12, jansson, json-c and cJSON build a tree; yajl scans a long string again for
 * each piece, lets overlong UTF-8 and lone surrogates pass, and does not look at what malloc returns; Boost.JSON and
 * simdjson need as much stack or memory as the text has levels or bytes, and C++.  The tests compare with jansson.
 *
 * Not thread-safe: one thread at a time uses a check.
 */
#ifndef JSON_CHECK_H
#define JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MOST 2048u

struct json_check {
  size_t size; /* how many bytes are good so far; once one is wrong, where it stands */
  const char *problem;
  unsigned state;
  bool in_key;               /* the string under way is the name of a member */
  const char *rest;          /* of true, false or null */
  unsigned more;             /* bytes of a character, or digits of an escape, that must follow */
  unsigned char least, most; /* the range of the next byte of a character */
  uint32_t unit;             /* what the digits of an escape say */
  bool after_high;           /* the escape before was the first half of a pair */
  uint32_t depth;
  unsigned char objects[JSON_DEPTH_MOST / 8]; /* a bit for each level: the bracket is that of an object */
};

void json_check_start(struct json_check *check);

/* Looks at the next bytes.  False, from then on, when no JSON value begins with what was fed. */
bool json_check_feed(struct json_check *check, const char *text, size_t size);

/* No more bytes follow.  Whether they were one JSON value; if not, `problem` is a clause that says why. */
bool json_check_end(struct json_check *check);

/* Writes what a JSON string says, without its quotes, and returns the number of bytes, which is at most `size`.  The
   string, with its quotes, must have passed a check.  `to` may be `from`. */
size_t json_unescape(char *to, const char *from, size_t size);

#endif
