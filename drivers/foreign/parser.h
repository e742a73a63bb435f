/* SPDX-License-Identifier: MIT */
/*
 * A description as it is written: words at the beginnings of lines, and behind each what it takes.  A line that begins
 * with a space goes on with the word above it.
 */
#ifndef PARSER_H
#define PARSER_H

#include "foreign/description.h"

/* Reads the source of a description into it.  Returns 0, or a code that *error explains. */
int parser_read(struct description *description, pool_error_t *error);

#endif
