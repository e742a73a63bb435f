/* SPDX-License-Identifier: MIT */
/* Numbers with a fraction as text, whatever the locale of the program writes between its digits. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stddef.h>

#define NUMBER_LONGEST 32 /* bytes of a text, with its 0 */

double number_read(const char *text);

/* Writes the fewest digits that say exactly this number.  Returns how many bytes were written. */
size_t number_write_double(char *to, double value);
size_t number_write_float(char *to, float value);

#endif
