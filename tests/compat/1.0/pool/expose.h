/* SPDX-License-Identifier: MIT */
#ifndef POOL_EXPOSE_H
#define POOL_EXPOSE_H

/**
 * @file expose.h
 * Pools that an operator can look at and steer while the program runs, with the program poolctl.
 *
 * A process that exposes pools listens at a Unix socket, `$XDG_RUNTIME_DIR/libpool/PID` or `/tmp/libpool-UID/PID`, in a
 * folder that belongs to its user alone.  Processes of the same user may ask there what the pools count, which threads
 * hold leases and which wait, and may pause, resume, flush, resize and evict pools.  No URL, address or password is
 * told.
 *
 * Nothing of this is there unless the program asks for it: by pool_expose(), or because it was started with
 * POOL_EXPOSE=1 in its environment (which set-uid programs ignore), and then each of its pools is exposed.
 */

#include <pool/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef POOL_NO_FUNCTIONS

/**
 * Exposes a pool to poolctl until it is freed.  It costs get and put nothing: a thread of the library, one for all
 * pools, sleeps until somebody asks.  Exposed again, nothing changes.
 *
 * A child of fork exposes its pools at a socket of its own from the first connection on that it opens, or from its
 * first pool_create() or pool_expose() on.  Connections that a flush or a resize closes are closed in the background,
 * events and log are told on the library's thread.  A pool of the step API can be steered if its program has asked for
 * its descriptor with pool_event_fd(), which tells it of a change. Otherwise it can be looked at only.
 *
 * Blocks: no longer than it takes to make the socket.  Threads: any.  From a callback: yes.
 * Errors: POOL_E_SYSTEM (no socket or no thread can be had, or the folder is not this user's alone; the message says
 * which folder and why), POOL_E_UNSUPPORTED (not on this system).  Since 0.1.
 *
 * @param pool a pool, or NULL for all pools of the process, those that are made later too
 */
POOL_API int pool_expose(pool_t *pool, pool_error_t *error);

#endif /* POOL_NO_FUNCTIONS */

#ifdef __cplusplus
}
#endif

#endif
