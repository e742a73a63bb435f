/* SPDX-License-Identifier: MIT */
/*
 * The arguments of a call, from JSON: nothing, one argument, or an array of them.
 *
 * An argument is a string, a number, or {"base64": "..."} for bytes that are no text.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <pool/pool.h>

#include "redis/traces.h"

struct arguments {
  struct command command; /* the method first, which may have several words: "CLIENT LIST" */
  char **texts;
  size_t *sizes;
};

/* Returns 0, or POOL_E_INVALID or POOL_E_NOMEM that *error explains; then there is nothing to free. */
int arguments_read(struct arguments *arguments, const char *method, pool_bytes_t json, pool_error_t *error);

void arguments_free(struct arguments *arguments);

#endif
