/* SPDX-License-Identifier: MIT */
/* Pools by key: who is there, who makes the pool of a key, and which key is let go of. */
#ifndef GROUP_H
#define GROUP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "decide/pool.h"

struct making;

/* A key and its pool, of which the group has a reference. */
struct keyed {
  struct keyed *next;          /* of those with a hash of the same kind, or of those that were let go of */
  struct keyed *older, *newer; /* in the order in which they are looked at */
  struct pool *pool;           /* NULL: it is being made */
  struct making *making;
  int64_t unused_ns; /* when it was first seen without connection and user, since somebody asked for it; 0: not yet */
  int64_t opened;    /* how many opens had begun by then */
  bool told;         /* that its pool is closed */
  uint64_t hash;
  size_t size;
  _Atomic int32_t users; /* the group, and those that have it in a list */
  unsigned char key[];
};

/* Everything but the first two members is under the lock. */
struct group {
  struct group *next, *previous; /* under the lock of all groups */
  pthread_mutex_t lock;          /* taken before that of budgets and pools, and after that of all groups */
  struct keyed **heads;
  uint32_t room; /* of `heads`, a power of two */
  uint64_t seed;
  struct keyed *oldest, *newest;
  int64_t idle_ns;   /* POOL_NO_DEADLINE: none is let go of for that */
  int64_t looked_ns; /* when keys were looked at last */
  int32_t most, count;
  int64_t made, let_go, refused;
  bool closed;

  /* Of a group of the step API, whose program has a reference of each pool as long as the group has. */
  bool stepped;
  struct hub hub;
  struct pool *steered; /* somebody else has steered them, and the program was not told yet; linked by next_rung */
  struct keyed *gone;   /* let go of, and the program was not told yet */
};

bool group_begin(struct group *group, int32_t most, int64_t idle_ns, bool stepped);
void group_end(struct group *group);

/* What came of the look for a key. */
enum group_found { GROUP_HAS, GROUP_TO_MAKE, GROUP_FAILED };

/* Looks for the pool of a key.  GROUP_HAS: *pool is a reference.  GROUP_TO_MAKE: this thread is to make it, and says
   what came of it.  GROUP_FAILED: *error says why.  `gone`: those that were let go of, for the caller to free; of a
   group of the step API group_news() tells of them. */
enum group_found group_find(struct group *group, const void *key, size_t size, int64_t deadline_ns, struct pool **pool,
                            struct keyed **keyed, struct keyed **gone, pool_error_t *error);

/* The pool was made, and *pool is a reference from now on; or it was not, for this reason (pool is NULL).  False: the
   group was closed meanwhile, and the pool is the caller's again. */
bool group_made(struct group *group, struct keyed *keyed, struct pool *pool, const pool_error_t *error);

/* Gives a key back: one that was let go of, or is in a list. */
void group_give_key(struct keyed *keyed);

/* All that have a pool, each with a reference of it.  A key stays as long as it is in a list, though it may be let go
   of meanwhile.  NULL: without memory.  Freed by the caller, who gives the keys back. */
struct keyed **group_list(struct group *group, int32_t *count);

/* From now on nobody finds or makes a pool. */
void group_close(struct group *group);

/* Takes one out, whatever it has; NULL: there is none. */
struct keyed *group_take_any(struct group *group);

/* What the program of the step API has to know, one at a time, each with a reference of the pool.  GROUP_GONE: it was
   let go of, and is closed; *told: its program closed it itself.  GROUP_NOTHING: in *due_ns it is to ask again. */
enum group_news { GROUP_NOTHING, GROUP_GONE, GROUP_STEERED };

enum group_news group_news(struct group *group, struct pool **pool, bool *told, int64_t *due_ns);

/* The descriptor that is readable when there is news; -1: errno says why. */
int group_event_fd(struct group *group);

/* Locks of a fork, and what becomes of keys in the child. */
void group_before_fork(void);
void group_after_fork(void);
void group_forget(void);

#endif
