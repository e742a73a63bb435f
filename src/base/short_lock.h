/* SPDX-License-Identifier: MIT */
/*
 * A lock that is held for less time than a thread takes to fall asleep and to be woken.
 *
 * A thread that finds it taken looks again some times before it sleeps.  Where the C library has no such lock,
 * the thread sleeps at once.
 */
#ifndef SHORT_LOCK_H
#define SHORT_LOCK_H

#include <pthread.h>

#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define SHORT_LOCK_INITIALIZER PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#else
#define SHORT_LOCK_INITIALIZER PTHREAD_MUTEX_INITIALIZER
#endif

#endif
