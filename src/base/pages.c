/* SPDX-License-Identifier: MIT */
#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void pages_small(void *array, size_t size)
{
#ifdef MADV_NOHUGEPAGE
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  uintptr_t begin = ((uintptr_t)array + page - 1) & ~(page - 1);
  uintptr_t end = ((uintptr_t)array + size) & ~(page - 1);
  madvise((void *)begin, end - begin, MADV_NOHUGEPAGE);
#else
  (void)array, (void)size;
#endif
}
