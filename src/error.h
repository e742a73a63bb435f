/* SPDX-License-Identifier: MIT */
#ifndef ERROR_H
#define ERROR_H

#include <pool/pool.h>

/* Remembers for this thread why a call failed, fills in *error if there is one, and returns the code. */
int error_set(pool_error_t *error, int code, int native, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same with the text of pool_strerror(code); cheap, for failures that a busy program may meet often. */
int error_code(int code);

/* Whether a driver's message can be trusted to end; makes it so. */
void error_finish(pool_error_t *error);

#endif
