/* SPDX-License-Identifier: MIT */
/*
 * Calls as they are written.
 *
 *   [variable =] function(argument, ...) [judgement [else "text"]] [when condition]
 *
 * An argument is a term, length(term), or, for an argument that is `out`, the variable that it sets, or null.
 */
#ifndef CALL_H
#define CALL_H

#include "foreign/cursor.h"

/* Reads a call and appends it to those of the cursor's word. */
bool call_read(struct cursor *cursor);

#endif
