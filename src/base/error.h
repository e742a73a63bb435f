/* SPDX-License-Identifier: MIT */
#ifndef ERROR_H
#define ERROR_H

#include <pool/pool.h>

/* Of a pool's name, with its end. */
#define POOL_NAME_BYTES 48

/* Remembers for this thread why a call failed, fills in *error if there is one, and returns the code. */
int error_set(pool_error_t *error, int code, int native, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same of a pool, with whose name the message begins.  NULL or "": without. */
int error_in(const char *name, pool_error_t *error, int code, int native, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same with the text of pool_strerror(code); cheap, for failures that a busy program may meet often. */
int error_code(int code);
int error_code_in(const char name[POOL_NAME_BYTES], int code);

/* The same with another constant text. */
int error_text(int code, const char *text);

/* The last message of this thread, and *error if there is one, get a name to begin with. */
void error_name(const char *name, pool_error_t *error);

/* A text that becomes a message elsewhere.  tools/messages looks for it, as for what the functions above are given. */
#define MESSAGE(text) text

/* A driver's message cannot be trusted to end, or to be one line; makes it so. */
void error_finish(pool_error_t *error);

#endif
