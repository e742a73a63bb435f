/* SPDX-License-Identifier: MIT */
/* Bytes that are no text, as letters (RFC 4648, section 4). */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

/* How many letters there are for so many bytes. */
size_t base64_size(size_t size);

/* Writes base64_size(size) letters. */
void base64_write(char *to, const unsigned char *bytes, size_t size);

/* Reads in place.  Returns how many bytes there are, or -1: it is not base64. */
long long base64_read(char *text, size_t size);

#endif
