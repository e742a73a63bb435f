/* SPDX-License-Identifier: MIT */
/* What a sleeping thread hears: the members that the ledger tells to ask, by a watch on a key of its own, and the call
   of another thread. */
#ifndef BELL_H
#define BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "budget-etcd/gateway.h"
#include "support/sleeper.h"

struct bell {
  struct http line;      /* of the watch; not connected: nothing is watched */
  struct sleeper thread; /* its number is that of the seat */
  struct json_text text; /* what has come of the next message */
  int64_t rung_ns;       /* since when an echo is awaited; 0: it is not */
  int64_t heard_ns;      /* when something came last */
  uint64_t told[64];     /* members that are to be told */
  int32_t count;
};

/* Returns 0, or a code that *error explains; the bell may be freed then too. */
int bell_make(struct bell *bell, pool_error_t *error);

/* Of this process: it is part of the key. */
int32_t bell_seat(const struct bell *bell);

/* The key of a seat, behind which its members are told. */
#define BELL_KEY 256
void bell_key(const struct place *place, int32_t seat, char key[BELL_KEY]);

/* Watches where it does not, and finds out whether a watch is still one: a network may lose it without a word.  Returns
   0, or a code that *error explains. */
int bell_watch(struct bell *bell, struct gateway *gateway, int64_t deadline_ns, pool_error_t *error);

/* Whether the ledger shall tell this seat something, so that it hears that its watch is one. */
bool bell_wants_echo(const struct bell *bell, const struct place *place);
void bell_awaits_echo(struct bell *bell);

/* Sleeps until a member is told, bell_ring(), or it is time.  Returns how many were told; or an error, once: the watch
   is gone. */
int bell_wait(struct bell *bell, int64_t until_ns, uint64_t *told, int32_t room, pool_error_t *error);

/* Any thread, at any time. */
void bell_ring(const struct bell *bell);

/* In a child of fork: it has another seat, and watches nothing. */
void bell_forget(struct bell *bell);

void bell_free(struct bell *bell);

#endif
