/* SPDX-License-Identifier: MIT */
/* Where a budget's ledger is: the server and login of its URL, and the names of its keys. */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/budget.h>

#include "redis/settings.h"

#define PLACE_KEYS 6

struct place {
  struct settings *settings;
  char *keys[PLACE_KEYS]; /* the first is the ledger's; all have one hash tag, so that a cluster keeps them together */
  int64_t term_ms;
  int32_t limit;
  bool moved; /* the first of the servers is one that a cluster named */
};

/* Reads SCHEME://USER:PASSWORD@HOST:PORT/DATABASE/NAME with the parameters of budgets, and those of TLS.  Returns 0, or
   a code that *error explains; then there is nothing to free. */
int place_read(struct place *place, const pool_budget_place_t *from, pool_error_t *error);

/* What a server of a cluster says that is not the one for these keys, "MOVED SLOT HOST:PORT": the other one is the
   first to be tried from now on.  Returns 0, or a code that *error explains. */
int place_move(struct place *place, const char *text, pool_error_t *error);

/* The first server does not do its work: another one is the first to be tried from now on.  One that a cluster named is
   forgotten, for the cluster may name another. */
void place_turn(struct place *place);

void place_free(struct place *place);

#endif
