/* SPDX-License-Identifier: MIT */
/* How often this process came to be a child of fork.  A callback may fork, and then its child returns into the library
   with what the parent was doing.  So code that runs callbacks remembers the number and, if it has changed, leaves
   everything alone: in the child the pool began anew.  callback_leave() says it of one callback; a loop compares, for
   in each of its turns several callbacks (work, its events, a line of the log) may run below it. */
#ifndef FORKS_H
#define FORKS_H

#include <stdbool.h>
#include <stdint.h>

/* Grows with each fork, on the child's side. */
uint64_t forks_count(void);

/* Whether this is a child that was forked since the number was this. */
static inline bool forks_since(uint64_t count)
{
  return count != forks_count();
}

/* By the fork handler, in the child. */
void forks_add(void);

#endif
