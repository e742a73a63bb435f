/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);

/* The linker sees the shared libraries' use of the functions as one of these, and wants to see them. */
#define SEEN __attribute__((visibility("default")))
SEEN void *__wrap_malloc(size_t size);
SEEN void *__wrap_calloc(size_t count, size_t size);
SEEN void *__wrap_realloc(void *old, size_t size);
SEEN char *__wrap_strdup(const char *text);

static _Thread_local int until_failure = -1;

static bool fails(void)
{
  return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t size)
{
  return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
  return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
  return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
  return fails() ? NULL : __real_strdup(text);
}

void memory_fail_after(int count)
{
  until_failure = count;
}

bool memory_has_failed(void)
{
  bool has = until_failure < 0;
  until_failure = -1;
  return has;
}
