/* SPDX-License-Identifier: MIT */
/*
 * Machines of a fleet: network namespaces, each with an address of its own, joined to the test's by a pair of
 * interfaces. The test itself goes into a namespace first, so that nothing of this machine's network is changed; all of
 * it ends with the test.  This takes the rights of root, and the program ip.
 *
 * The machine `index` is 10.77.INDEX.2, and knows the test as 10.77.INDEX.1.
 */
#ifndef MACHINES_H
#define MACHINES_H

#include <sys/types.h>

#define MACHINES 4

struct machines {
  int count;              /* 0: there are none */
  const char *why;        /* then: what was refused */
  pid_t keeper[MACHINES]; /* a process that does nothing, in the namespace of each */
  int net[MACHINES];      /* the namespaces themselves */
};

/* Before the test has threads.  Returns how many there are: MACHINES, or 0. */
int machines_make(struct machines *machines);

void machines_end(struct machines *machines);

#endif
