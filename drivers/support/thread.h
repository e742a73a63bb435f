/* SPDX-License-Identifier: MIT */
/* Threads of the driver's own: the poller, and those that look up names. */
#ifndef THREAD_H
#define THREAD_H

#include <stdbool.h>

/* Starts a thread that nobody joins.  False without memory. */
bool thread_start_detached(void *(*run)(void *), void *data);

#endif
