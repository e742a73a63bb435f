/* SPDX-License-Identifier: MIT */
/* What time does to connections. */
#ifndef LOOK_H
#define LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

struct scan;
struct slot;
struct step;

/* What a look has found. */
struct look {
  int64_t now, boot; /* the moment, on clock_now() and on clock_boot() */
  int32_t open;      /* places taken */
  int64_t due_ns;    /* when to look again, on clock_now(); POOL_NO_DEADLINE: not before something happens */
  bool chores;       /* something is to be closed, checked or opened */
  bool leaks;        /* slots are LEAK_FOUND */
};

/* A lease that is out for too long. */
struct leak {
  pool_lease_t lease;
  int64_t held_ns;
  int64_t connection;
  int32_t holder;
  char tag[48];
};

/* Whether anything of a pool has to do with time. */
bool look_is_needed(const pool_config_t *config);

/* When, on clock_now(), something is due that has to do with a connection that has been idle since it was opened. */
int64_t look_first_due(const pool_config_t *config, struct slot *slot);

/* Whether a slot has been idle and unchecked for keepalive_ms. */
bool look_is_keepalive_due(const pool_config_t *config, struct slot *slot, int64_t now);

/* Looks at all slots of a pool and marks what is due.  One thread at a time. */
void look_over(struct pool *pool, struct look *look);

/* Looks at what time does: at the slots, and at opens that are to be tried again. */
void look_take(struct pool *pool, struct look *look, struct step *step);

/* Copies the slots that a look found to be leaks, one after the other; false: there are no more. */
bool look_next_leak(struct pool *pool, struct scan *cursor, struct leak *leak);

#endif
