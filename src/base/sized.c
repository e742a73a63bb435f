/* SPDX-License-Identifier: MIT */
/* The three outcomes are those of libxkbcommon's abi-check. */
#include "base/sized.h"

#include <string.h>

/* No struct will ever be larger: a caller whose struct says so has never set its size. */
#define SIZE_LIMIT 4096

static size_t size_of(const void *theirs)
{
  size_t size;
  memcpy(&size, theirs, sizeof size);
  return size;
}

int sized_check(size_t size, struct sizes sizes)
{
  if (size > SIZE_LIMIT)
    return POOL_E_WILD;
  if (size < sizes.first)
    return POOL_E_SIZE;
  return size < sizes.oldest ? POOL_E_OLDER : 0;
}

int sized_read(void *copy, const void *theirs, struct sizes sizes)
{
  size_t size = size_of(theirs);
  int code = sized_check(size, sizes);
  if (code)
    return code;
  for (size_t i = sizes.known; i < size; i++)
    if (((const unsigned char *)theirs)[i] != 0)
      return POOL_E_NEWER;
  memcpy(copy, theirs, size < sizes.known ? size : sizes.known);
  memcpy(copy, &sizes.known, sizeof sizes.known);
  return 0;
}

int sized_write(void *theirs, const void *ours, struct sizes sizes)
{
  size_t size = size_of(theirs);
  int code = sized_check(size, sizes);
  if (code)
    return code;
  memcpy((char *)theirs + sizeof size, (const char *)ours + sizeof size,
         (size < sizes.known ? size : sizes.known) - sizeof size);
  return 0;
}
