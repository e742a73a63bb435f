/* SPDX-License-Identifier: MIT */
/* The three outcomes are those of libxkbcommon's abi-check. */
#include "sized.h"

#include <string.h>

#include <pool/pool.h>

/* No struct will ever be larger; whoever says so has not initialised his. */
#define SIZE_LIMIT 4096

static size_t size_of(const void *theirs)
{
  size_t size;
  memcpy(&size, theirs, sizeof size);
  return size;
}

int sized_read(void *copy, const void *theirs, size_t least, size_t known)
{
  size_t size = size_of(theirs);
  if (size < least || size > SIZE_LIMIT)
    return POOL_E_SIZE;
  for (size_t i = known; i < size; i++)
    if (((const unsigned char *)theirs)[i] != 0)
      return POOL_E_NEWER;
  memcpy(copy, theirs, size < known ? size : known);
  memcpy(copy, &known, sizeof known);
  return 0;
}

int sized_check(size_t size, size_t least)
{
  return size < least || size > SIZE_LIMIT ? POOL_E_SIZE : 0;
}

int sized_write(void *theirs, const void *ours, size_t least, size_t known)
{
  size_t size = size_of(theirs);
  if (size < least || size > SIZE_LIMIT)
    return POOL_E_SIZE;
  memcpy((char *)theirs + sizeof size, (const char *)ours + sizeof size, (size < known ? size : known) - sizeof size);
  return 0;
}
