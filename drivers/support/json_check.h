/* SPDX-License-Identifier: MIT */
/*
 * Decides whether bytes are the text of one JSON value, as RFC 8259 defines it, while they come in.
 *
 * A check has a fixed size, builds nothing and allocates nothing, and looks at each byte once.  So the time for a text
 * is proportional to its bytes, and the caller can do something else, such as look at the clock, between two pieces.
 * Strings must be UTF-8, and escaped surrogates must come in pairs.  Numbers may have any size, because they are not
 * computed.  Brackets may be nested JSON_DEPTH_MOST deep, as deep as jansson allows.
 *
 * Why no library: of those in Debian 12, jansson, json-c and cJSON build a tree.  yajl scans a long string again for
 * each piece, accepts overlong UTF-8 and lone surrogates, and does not check the result of malloc.  Boost.JSON and
 * simdjson need C++, and as much stack or memory as the text has levels or bytes.  The tests compare with jansson.
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
  size_t size; /* the number of good bytes: the index of the first wrong one, if there is one */
  const char *problem;
  unsigned state;
  bool in_key;               /* the string under way is the name of a member */
  const char *rest;          /* the bytes of true, false or null that must follow */
  unsigned more;             /* how many bytes of a character, or digits of an escape, must follow */
  unsigned char least, most; /* the range of the next byte of a character */
  uint32_t unit;             /* the value of the digits of an escape */
  bool after_high;           /* the previous escape was the first half of a pair */
  uint32_t depth;
  unsigned char objects[JSON_DEPTH_MOST / 8]; /* a bit for each level: the bracket is that of an object */
};

void json_check_start(struct json_check *check);

/* Looks at the next bytes.  False, now and from then on: no JSON value begins with the bytes so far. */
bool json_check_feed(struct json_check *check, const char *text, size_t size);

/* Says that no more bytes follow.  Returns whether they were one JSON value; if not, `problem` is a clause that says
   why. */
bool json_check_end(struct json_check *check);

/* Decodes a JSON string that is given without its quotes.  Returns the number of bytes written, at most `size`.  The
   string, with its quotes, must have passed a check.  `to` may be `from`. */
size_t json_check_unescape(char *to, const char *from, size_t size);

#endif
