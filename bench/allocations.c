/* SPDX-License-Identifier: MIT */
#include "allocations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rounds.h"

static _Atomic int64_t count;

static void count_one(void)
{
  atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

#ifdef __GLIBC__

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t number, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
  count_one();
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
  count_one();
  return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size)
{
  count_one();
  return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
  count_one();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
  count_one();
  void *result = __libc_memalign(alignment, size);
  if (!result)
    return ENOMEM;
  *memory = result;
  return 0;
}

/* A count that stays 0 because nothing is counted would look like success. */
int64_t allocations(void)
{
  static atomic_bool proved;
  if (!atomic_exchange(&proved, true)) {
    int64_t before = count;
    void *volatile memory = malloc(1);
    free(memory);
    if (count == before)
      give_up("allocations are not counted");
  }
  return count;
}

#else

int64_t allocations(void)
{
  count_one();
  give_up("allocations can be counted with glibc only");
}

#endif

/* From smaps_rollup, because the figures of statm lag behind by some pages for each processor; and without a stream,
   whose buffer would be memory that the next pool is given. */
int64_t resident_bytes(void)
{
  char text[1024] = "";
  int file = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, text, sizeof text - 1) <= 0)
    give_up("cannot read /proc/self/smaps_rollup");
  close(file);
  const char *line = strstr(text, "\nRss:");
  long long kilobytes;
  if (!line || sscanf(line, "\nRss: %lld kB", &kilobytes) != 1)
    give_up("no Rss in /proc/self/smaps_rollup");
  return kilobytes * 1024;
}
