/* SPDX-License-Identifier: MIT */
/*
 * What arguments are made of.
 *
 *   term   pieces [or term]
 *   piece  "text"  12  0.5  null  url.PART  deadline.UNIT  a constant  a parameter  a variable
 *
 * Several pieces are one text.  Integers may have '|' between them.
 */
#ifndef TERM_H
#define TERM_H

#include "foreign/cursor.h"

/* Reads a term, or returns NULL. */
struct term *term_read(struct cursor *cursor);

/* Whether a term can be of this type; `where` says for what. */
bool term_check(struct cursor *cursor, const struct term *term, const struct type *type, const char *where);

/* Reads an integer, or a constant that is one. */
bool term_read_integer(struct cursor *cursor, struct integer *integer);

#endif
