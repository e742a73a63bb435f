/* SPDX-License-Identifier: MIT */
/*
 * The thread that waits for async calls, and tells the library how they end.
 *
 * Shared.  `lock` guards the list of new calls and whether the thread runs.  A call belongs to its caller until
 * poller_watch(), and then to the thread.
 *
 * Fork.  The child has no such thread, and begins without calls: those were the parent's.
 */
#ifndef POLLER_H
#define POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/driver.h>

#include "postgres/statement.h"

struct poller_call {
  struct statement statement; /* that was started */
  pool_call_t *call;
  int64_t deadline_ns;
  bool ready; /* its socket is, or may be */
  int events; /* of poll() that it waits for */
  struct poller_call *next;
};

/* Makes sure that there is a thread, from then on.  False: there is no memory or descriptor for it. */
bool poller_start(void);

/* The thread is to wait for the call, and frees it when it is done. */
void poller_watch(struct poller_call *call);

/* To be called before all else. */
void poller_watch_forks(void);

#endif
