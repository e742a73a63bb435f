/* SPDX-License-Identifier: MIT */
/* What else the machine does: with no processor to spare, two threads cannot be twice as fast as one. */
#ifndef LOAD_H
#define LOAD_H

struct load {
  double time_s;
  double used_s; /* by all processes, and by other guests of the same host */
  double own_s;
};

struct load load_now(void);

/* How many processors others have kept busy since then. */
double load_of_others_since(const struct load *before);

#endif
