/* SPDX-License-Identifier: MIT */
/*
 * A descriptor that is readable while pool_maintain has something to do.
 *
 * Shared: pool->event_fd, the descriptor and one, so that 0 is none.  It changes under the pool's lock, and is written
 * to under it: whoever signals may be late, and without the lock the descriptor could be closed and its number somebody
 * else's connection by then.  That the pool is another by then is harmless, its keeper looks once in vain.
 *
 * Nothing is missed.  What is due is made so first and signalled then; pool_maintain drains first and looks then.
 */
#include "event_fd.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "thread.h"

#if __has_include(<sys/eventfd.h>)

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Under the lock.  False: errno says why. */
static bool make(struct pool *pool)
{
  /* Who asked before there was a descriptor to signal may be served already. */
  int fd = eventfd(pool->asynchronous > 0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd >= 0)
    atomic_store(&pool->event_fd, fd + 1);
  return fd >= 0;
}

int pool_event_fd(pool_t *pool)
{
  if (!pool)
    return error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
  if (pool->stepped || pool->config.keeper != POOL_KEEPER_MANUAL)
    return error_set(NULL, POOL_E_UNSUPPORTED, 0, "%s",
                     pool->stepped ? "this pool has no vtable; use the step API"
                                   : "this pool has a keeper thread; set keeper to POOL_KEEPER_MANUAL");
  pthread_mutex_lock(&pool->lock);
  bool made = atomic_load(&pool->event_fd) || make(pool);
  int error = errno;
  int fd = atomic_load(&pool->event_fd) - 1;
  pthread_mutex_unlock(&pool->lock);
  return made ? fd : error_set(NULL, POOL_E_SYSTEM, error, "no eventfd for this pool: %s", strerror(error));
}

void event_fd_signal(struct pool *pool)
{
  if (!atomic_load(&pool->event_fd))
    return;
  int cancel_state = cancel_hold(); /* a thread cancelled in the write would keep the lock */
  pthread_mutex_lock(&pool->lock);
  int fd = atomic_load(&pool->event_fd) - 1;
  if (fd >= 0)
    eventfd_write(fd, 1);
  pthread_mutex_unlock(&pool->lock);
  cancel_release(cancel_state);
}

void event_fd_drain(struct pool *pool)
{
  eventfd_t signals;
  int fd = atomic_load(&pool->event_fd) - 1;
  int cancel_state = cancel_hold();
  if (fd >= 0)
    eventfd_read(fd, &signals);
  cancel_release(cancel_state);
}

void event_fd_close(struct pool *pool)
{
  int cancel_state = cancel_hold();
  pthread_mutex_lock(&pool->lock);
  int fd = atomic_exchange(&pool->event_fd, 0) - 1;
  if (fd >= 0)
    close(fd);
  pthread_mutex_unlock(&pool->lock);
  cancel_release(cancel_state);
}

void event_fd_after_fork(struct pool *pool)
{
  int fd = atomic_exchange(&pool->event_fd, 0) - 1;
  if (fd < 0)
    return;
  /* The old one goes first, so that there is a number free even where the parent used them all. */
  close(fd);
  int made = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  bool placed = made == fd || (made >= 0 && dup3(made, fd, O_CLOEXEC) == fd);
  if (made >= 0 && made != fd)
    close(made);
  if (placed)
    atomic_store(&pool->event_fd, fd + 1);
}

#else

int pool_event_fd(pool_t *pool)
{
  return pool ? error_code(POOL_E_UNSUPPORTED) : error_set(NULL, POOL_E_INVALID, 0, "pool is NULL");
}

void event_fd_signal(struct pool *pool)
{
  (void)pool;
}

void event_fd_drain(struct pool *pool)
{
  (void)pool;
}

void event_fd_close(struct pool *pool)
{
  (void)pool;
}

void event_fd_after_fork(struct pool *pool)
{
  (void)pool;
}

#endif
