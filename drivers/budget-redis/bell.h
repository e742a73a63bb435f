/* SPDX-License-Identifier: MIT */
/* What a sleeping thread hears: the members that the ledger tells to ask, by a subscription, and the call of another
   thread. */
#ifndef BELL_H
#define BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "budget-redis/place.h"
#include "redis/session.h"
#include "support/sleeper.h"

struct bell {
  struct session *line; /* NULL: not subscribed */
  struct sleeper thread;
  char channel[17]; /* its own, behind the ledger's key: the number of the thread */
  int64_t asked_ns; /* when the server was asked last whether it is there */
  bool answered;    /* it has said something since */
};

/* Returns 0, or a code that *error explains; the bell may be freed then too. */
int bell_make(struct bell *bell, pool_error_t *error);

/* Subscribes where it is not, and looks once in a term whether a subscription is still one: a network may lose it
   without a word.  Returns 0, or a code that *error explains. */
int bell_subscribe(struct bell *bell, struct place *place, int64_t deadline_ns, pool_error_t *error);

/* Sleeps until a member is told, bell_ring(), or it is time.  Returns how many were told; or an error, once: the
   subscription is gone. */
int bell_wait(struct bell *bell, int64_t until_ns, uint64_t *told, int32_t room, pool_error_t *error);

/* Any thread, at any time. */
void bell_ring(const struct bell *bell);

/* In a child of fork: it has a channel of its own, and is not subscribed. */
void bell_forget(struct bell *bell);

void bell_free(struct bell *bell);

#endif
