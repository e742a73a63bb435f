/* SPDX-License-Identifier: MIT */
#include "redis/batch.h"

#include <hiredis.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MOST_WORDS 8

static void append(struct batch *batch, const char *command, size_t size)
{
  char *data = malloc(batch->size + size);
  if (!data) {
    batch->failed = true;
    return;
  }
  if (batch->size)
    memcpy(data, batch->data, batch->size);
  memcpy(data + batch->size, command, size);
  size += batch->size;
  batch_free(batch);
  *batch = (struct batch){data, size, false};
}

void batch_add(struct batch *batch, int count, const char *const *arguments, const size_t *sizes)
{
  char *command = NULL;
  int size = batch->failed ? -1 : redisFormatCommandArgv(&command, count, (const char **)(void *)arguments, sizes);
  if (size < 0) {
    batch->failed = true;
    return;
  }
  append(batch, command, (size_t)size);
  explicit_bzero(command, (size_t)size);
  redisFreeCommand(command);
}

void batch_words(struct batch *batch, const char *first, ...)
{
  const char *words[MOST_WORDS] = {first};
  int count = 0;
  va_list more;
  va_start(more, first);
  while (words[count] && ++count < MOST_WORDS)
    words[count] = va_arg(more, const char *);
  va_end(more);
  batch_add(batch, count, words, NULL);
}

void batch_free(struct batch *batch)
{
  if (batch->data)
    explicit_bzero(batch->data, batch->size);
  free(batch->data);
  *batch = (struct batch){0};
}
