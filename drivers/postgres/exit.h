/* SPDX-License-Identifier: MIT */
/*
 * The end of the process, while threads of the library are inside libpq.
 *
 * libpq looks for a ticket of Kerberos whenever it connects, and libkrb5 aborts a process that is inside it when exit()
 * takes it down.  So exit() waits for the threads that are, and lets no other in.
 *
 * Shared.  The lock guards how many are inside and whether the process ends.  The thread that ends it may go in.
 */
#ifndef EXIT_H
#define EXIT_H

#include <stdbool.h>

/* To be called before all else. */
void exit_watch(void);

/* To be called before what may come to libkrb5, and does not wait for the network.  False: the process ends, and it is
   not to be done. */
bool exit_enter(void);

/* To be called after it, if exit_enter() has said true. */
void exit_leave(void);

#endif
