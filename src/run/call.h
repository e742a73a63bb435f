/* SPDX-License-Identifier: MIT */
/* Calls under way: their memory, and the names that a driver knows them by. */
#ifndef CALL_H
#define CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct slot;

/* The state is a number that grows with each use, and this bit. */
#define UNDER_WAY 1u
#define NEXT_USE  2u

/* How many names a call has: it must be larger than that. */
#define NAMES 128

struct pool_call {
  _Atomic uint32_t state;
  struct slot *slot;
  struct pool *pool;
  uint64_t forks; /* when it began */
  int64_t deadline_ns;
  pool_done_fn *done;
  void *user;
  struct pool_call *next;
} __attribute__((aligned(NAMES)));

/* What the driver gets to know a call by, in its present use. */
pool_call_t *call_name(struct pool_call *call, uint32_t state);
struct pool_call *call_of(const pool_call_t *name);

/* Takes a call from under way to done, if this is still its name. */
bool call_finish(struct pool_call *call, const pool_call_t *name);
struct pool_call *call_take(void);
void call_give(struct pool_call *call);

/* The list of calls that may be used again, around a fork. */
void call_table_lock(void);
void call_table_unlock(void);

#endif
