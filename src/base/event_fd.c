/* SPDX-License-Identifier: MIT */
/*
 * A descriptor that is readable while pool_maintain has something to do, or pool_step_next.
 *
 * Shared: the word of the descriptor.  It changes under the pool's lock, and is written to under it: a signal may come
 * late, and without the lock the descriptor could be closed and its number be another connection's by then.  That the
 * pool is another by then is harmless, its keeper looks once in vain.
 *
 * Nothing is missed.  What is due is made so first and signalled then; pool_maintain drains first and looks then.
 */
#include "base/event_fd.h"

#include <errno.h>

#include "base/thread.h"

#if __has_include(<sys/eventfd.h>)

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool event_fd_make(_Atomic int *word, bool signalled)
{
  int fd = eventfd(signalled, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd >= 0)
    atomic_store(word, fd + 1);
  return fd >= 0;
}

void event_fd_write(_Atomic int *word)
{
  int fd = atomic_load(word) - 1;
  if (fd >= 0)
    eventfd_write(fd, 1);
}

void event_fd_signal(_Atomic int *word, pthread_mutex_t *lock)
{
  if (!atomic_load(word))
    return;
  int cancel_state = cancel_hold(); /* a thread cancelled in the write would keep the lock */
  pthread_mutex_lock(lock);
  event_fd_write(word);
  pthread_mutex_unlock(lock);
  cancel_release(cancel_state);
}

void event_fd_drain(_Atomic int *word)
{
  eventfd_t signals;
  int fd = atomic_load(word) - 1;
  int cancel_state = cancel_hold();
  if (fd >= 0)
    eventfd_read(fd, &signals);
  cancel_release(cancel_state);
}

void event_fd_close(_Atomic int *word, pthread_mutex_t *lock)
{
  int cancel_state = cancel_hold();
  pthread_mutex_lock(lock);
  int fd = atomic_exchange(word, 0) - 1;
  if (fd >= 0)
    close(fd);
  pthread_mutex_unlock(lock);
  cancel_release(cancel_state);
}

void event_fd_after_fork(_Atomic int *word)
{
  int fd = atomic_exchange(word, 0) - 1;
  if (fd < 0)
    return;
  /* The old one goes first, so that there is a number free even where the parent used them all. */
  close(fd);
  int made = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  bool placed = made == fd || (made >= 0 && dup3(made, fd, O_CLOEXEC) == fd);
  if (made >= 0 && made != fd)
    close(made);
  if (placed)
    atomic_store(word, fd + 1);
}

#else

bool event_fd_make(_Atomic int *word, bool signalled)
{
  (void)word, (void)signalled;
  errno = ENOSYS;
  return false;
}

void event_fd_write(_Atomic int *word)
{
  (void)word;
}

void event_fd_signal(_Atomic int *word, pthread_mutex_t *lock)
{
  (void)word, (void)lock;
}

void event_fd_drain(_Atomic int *word)
{
  (void)word;
}

void event_fd_close(_Atomic int *word, pthread_mutex_t *lock)
{
  (void)word, (void)lock;
}

void event_fd_after_fork(_Atomic int *word)
{
  (void)word;
}

#endif
