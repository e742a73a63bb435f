/* SPDX-License-Identifier: MIT */
/* A descriptor that is readable while there is something to do, see pool_event_fd().  It stands in a word as the
   descriptor and one, so that 0 is none. */
#ifndef EVENT_FD_H
#define EVENT_FD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* Makes the descriptor, readable at once if something is to be done already.  Under the pool's lock.  False: errno says
   why.  Where the system has none: 0 and errno ENOSYS. */
bool event_fd_make(_Atomic int *word, bool signalled);

/* Makes the descriptor readable.  What is to be done was made known before.  Not under the lock, which it takes. */
void event_fd_signal(_Atomic int *word, pthread_mutex_t *lock);

/* The same where the caller sees to it that the descriptor is not closed meanwhile, and that no cancellation comes. */
void event_fd_write(_Atomic int *word);

/* The program is about to look: from now on only what is new makes it readable.  One thread at a time. */
void event_fd_drain(_Atomic int *word);

/* The pool is gone.  Not under the lock, which it takes. */
void event_fd_close(_Atomic int *word, pthread_mutex_t *lock);

/* In the child after fork, where no other thread is: the number is the child's own. */
void event_fd_after_fork(_Atomic int *word);

#endif
