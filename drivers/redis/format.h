/* SPDX-License-Identifier: MIT */
/* How much a format of hiredis makes of its values: hiredis counts that in an int, and looks at no sum. */
#ifndef FORMAT_H
#define FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* How many bytes the command has at most, or SIZE_MAX.  The values stay as they are. */
size_t format_measure(const char *format, va_list values);

#endif
