/* SPDX-License-Identifier: MIT */
/* What becomes of a lease that ended. */
#ifndef GIVE_H
#define GIVE_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct slot;
struct step;

/* A lease that has ended, before it is decided what becomes of its connection. */
struct ending {
  pool_lease_t lease;
  int64_t held_ns; /* -1: not known */
  int64_t connection;
  int32_t holder;
  bool clean;   /* the driver says that a reset would find nothing to do */
  bool leaked;  /* had been reported as such */
  bool noticed; /* the keeper rests and must be told */
  char *tag;    /* to be freed */
};

/* While there were waiters, more may have come back than may be idle: after one was closed, the next.  Under the
   lock. */
void give_trim_any(struct pool *pool, struct step *step);

/* Whether the slot is this pool's, and was when it had this word or gave this lease: not that of a former pool in the
   same memory.  Under the lock. */
bool give_was_of(const struct pool *pool, const struct slot *slot, uint64_t word);

/* Something has come of a slot that had this word, or gave this lease: serves those that wait for it.  The slot need no
   more be the caller's, and if it has left the pool nobody is served (I5). */
void give_serve(struct pool *pool, struct slot *slot, uint64_t word, struct step *step);

/* What put does when the slot was made idle and the `attention` of the pool that idle_mark() returned is not zero. */
void give_idle(struct pool *pool, struct slot *slot, uint64_t word, struct step *step);

/* A slot that this thread owns, clean and without calls, becomes idle.  Returns its word. */
uint64_t give_become_idle(struct pool *pool, struct slot *slot);

/* A slot became idle, and was `word` at that moment. */
void give_settle_idle(struct slot *slot, uint64_t word, struct step *step);

/* Both. */
void give_make_idle(struct slot *slot, struct step *step);

/* A lease of this slot has ended, and nothing is under way on it that the next user could meet. */
void give_finish(struct slot *slot, struct step *step);

/* A connection was put on the slow way: notes the moment. */
void give_note(struct pool *pool, struct slot *slot, uint64_t word);

/* Ends a lease that the fast path could not end: takes it back, 0 or POOL_E_STALE; then decides about the connection.
   In between the pool cannot go away. */
int give_take_back(struct slot *slot, pool_lease_t lease, struct ending *ending);

/* The same for a lease that was not used. */
int give_take_back_unused(struct slot *slot, pool_lease_t lease, struct ending *ending);
void give_settle(struct slot *slot, const struct ending *ending, struct step *step);

/* A lease that was taken and must not be kept goes back, as if it had never been taken. */
void give_unused(pool_lease_t lease, struct step *step);

#endif
