/* SPDX-License-Identifier: MIT */
/* The name that was meant, of several: for a message that refuses a name which is nearly right. */
#ifndef NEAR_H
#define NEAR_H

#include <stddef.h>

#define NEAR_LONGEST 31 /* of the names that are compared, in letters */

/* A search for the name that is nearest to a given one. */
struct near {
  char given[NEAR_LONGEST + 1];
  size_t best;       /* how many letters may still be wrong, and one more */
  const char *found; /* NULL: none is near enough, which is where a third of the letters is wrong */
};

/* Begins a search. */
struct near near_begin(const char *given);

/* Compares with one more name, which must live as long as the search. */
void near_look(struct near *near, const char *name);

#endif
