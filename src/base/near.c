/* SPDX-License-Identifier: MIT */
#include "base/near.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The letters of a name alone, so that maxOpen and max-open are max_open.  False: there are too many. */
static bool letters_of(const char *name, char letters[NEAR_LONGEST + 1])
{
  size_t count = 0;
  for (; *name; name++) {
    if (!isalnum((unsigned char)*name))
      continue;
    if (count == NEAR_LONGEST)
      return false;
    letters[count++] = (char)tolower((unsigned char)*name);
  }
  letters[count] = 0;
  return true;
}

static size_t least_of(size_t a, size_t b, size_t c)
{
  size_t least = a < b ? a : b;
  return least < c ? least : c;
}

/* How many letters must be changed, added or taken away to make one text of the other (Levenshtein). */
static size_t distance(const char *one, const char *other)
{
  size_t costs[NEAR_LONGEST + 1], length = strlen(other);
  for (size_t j = 0; j <= length; j++)
    costs[j] = j;
  for (size_t i = 0; one[i]; i++) {
    size_t diagonal = costs[0];
    costs[0] = i + 1;
    for (size_t j = 0; j < length; j++) {
      size_t same = diagonal + (one[i] != other[j]);
      diagonal = costs[j + 1];
      costs[j + 1] = least_of(same, costs[j] + 1, diagonal + 1);
    }
  }
  return costs[length];
}

/* The same, but what only lacks its end (a unit, mostly) is near. */
static size_t difference(const char *given, const char *name)
{
  char letters[NEAR_LONGEST + 1];
  if (!letters_of(name, letters))
    return SIZE_MAX;
  size_t length = strlen(given);
  return length >= 4 && strncmp(given, letters, length) == 0 ? letters[length] != 0 : distance(given, letters);
}

struct near near_begin(const char *given)
{
  struct near near = {0};
  if (letters_of(given, near.given))
    near.best = strlen(near.given) / 3 + 1;
  return near;
}

void near_look(struct near *near, const char *name)
{
  size_t wrong = near->best ? difference(near->given, name) : SIZE_MAX;
  if (wrong >= near->best)
    return;
  near->best = wrong;
  near->found = name;
}
