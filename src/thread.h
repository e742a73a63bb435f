/* SPDX-License-Identifier: MIT */
#ifndef THREAD_H
#define THREAD_H

#include <stdint.h>

/* The number of this thread, as the system's tools show it. */
int32_t thread_id(void);

/* In the child after fork: the thread that forked has another number now. */
void thread_id_forget(void);

#endif
