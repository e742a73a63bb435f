/* SPDX-License-Identifier: MIT */
/*
 * A child of fork that has a copy of each descriptor of this process and lets none go: as one does that has not come to
 * the handlers of fork yet, or that was forked while a connection was being opened.
 */
#ifndef HOLDER_H
#define HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

struct holder {
  pid_t process;
  int alive; /* a pipe: the child ends with it, or with this process */
};

void holder_start(struct holder *holder);
void holder_end(struct holder *holder);

/* Whether the other side of a connection ends it within a minute.  What it says before is not looked at. */
bool holder_sees_end(int descriptor);

#endif
