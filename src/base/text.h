/* SPDX-License-Identifier: MIT */
/* Text from outside (a pool's name, a tag, a driver's message) goes into lines of the log, messages and reports.  It is
   cleaned where it comes in, so that no line can pretend to be two. */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

/* Makes a text one line of UTF-8, in place: each control character, line or paragraph separator, and each byte that
   is not UTF-8, becomes a question mark. */
void text_clean(char *text);

/* Ends a text that filled its room and may have been cut, before a character that is only half there. */
void text_cut(char *text, size_t room);

/* Copies what there is room for, and cleans it. */
void text_copy(char *to, size_t room, const char *from);

#endif
