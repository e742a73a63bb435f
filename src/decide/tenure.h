/* SPDX-License-Identifier: MIT */
/*
 * How long running threads keep connections to themselves while others wait.  Under the pool's lock.
 *
 * A hand-over to the first waiter is due when that has waited for fairness_us, and a tenure / c after a waiter was
 * served, where c connections are open: so a connection changes hands once in a tenure.  Without the second condition
 * each lease would cost a context switch once the queue is so long that all wait for longer than fairness_us, and the
 * connection would stand idle until its waiter runs.
 *
 * The tenure is fairness_us where leases last as long as that: then a connection changes hands at every put.  To wake a
 * thread costs more than a short lease takes, so leases that are shorter lengthen the tenure, to
 * fairness_us * (1 + 4 * (fairness_us / lease - 1)) and at most TENURE_MOST times fairness_us.  How long leases last is
 * measured on one connection at a time.
 *
 * Bound: when n waiters are before it, a waiter is overtaken for fairness_us + tenure * n / c at most; what comes back
 * after that is handed to it.
 */
#ifndef TENURE_H
#define TENURE_H

#include <stdint.h>

struct pool;
struct slot;

struct tenure {
  int64_t over_ns;       /* no hand-over is due before: another waiter was served */
  int64_t lease_ns;      /* how long leases last; 0: not known, and taken for long */
  struct slot *watched;  /* whose leases are counted, or NULL */
  uint64_t watched_word; /* when the watch began */
  int64_t watched_since_ns;
};

/* When the first waiter is to be handed what comes back. */
int64_t tenure_over_ns(const struct pool *pool);

/* A waiter was served with this slot. */
void tenure_begin(struct pool *pool, struct slot *slot, int64_t now);

#endif
