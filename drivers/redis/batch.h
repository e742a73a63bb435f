/* SPDX-License-Identifier: MIT */
/* Commands in the protocol's form, one behind the other, to be sent at once. */
#ifndef BATCH_H
#define BATCH_H

#include <stdbool.h>
#include <stddef.h>

struct batch {
  char *data;
  size_t size;
  bool failed; /* there was no memory; then nothing is to be sent */
};

/* Appends a command.  Sizes may be NULL: then the arguments end with a zero byte. */
void batch_add(struct batch *batch, int count, const char *const *arguments, const size_t *sizes);

/* The same for a command of texts: batch_words(&batch, "SELECT", "3", NULL). */
void batch_words(struct batch *batch, const char *first, ...) __attribute__((sentinel));

/* Wipes, for there may be a password in it, and frees. */
void batch_free(struct batch *batch);

#endif
