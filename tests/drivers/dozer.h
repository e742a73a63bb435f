/* SPDX-License-Identifier: MIT */
/* A thread that a signal keeps from going on, as one that gets no processor. */
#ifndef DOZER_H
#define DOZER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Stops the thread in whatever it waits for.  False: it has ended before, as it says by *ended. */
bool dozer_stop(pthread_t thread, const atomic_int *ended);

/* Lets it go on. */
void dozer_wake(void);

#endif
