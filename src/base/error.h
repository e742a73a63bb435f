/* SPDX-License-Identifier: MIT */
#ifndef ERROR_H
#define ERROR_H

#include <pool/pool.h>

/* Remembers for this thread why a call failed, fills in *error if there is one, and returns the code. */
int error_set(pool_error_t *error, int code, int native, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same with the text of pool_strerror(code); cheap, for failures that a busy program may meet often. */
int error_code(int code);

/* A driver's message cannot be trusted to end, or to be one line; makes it so. */
void error_finish(pool_error_t *error);

#endif
