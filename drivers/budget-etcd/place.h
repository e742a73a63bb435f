/* SPDX-License-Identifier: MIT */
/* Where a budget's ledger is: the servers and login of its URL, and the names of its keys. */
#ifndef PLACE_H
#define PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/budget.h>

#include "base/url.h"
#include "support/servers.h"

struct place {
  struct url url;
  struct servers servers;
  bool tls;
  const char *user; /* NULL: nobody logs in */
  const char *password;
  char *key; /* of the ledger */
  int64_t term_ms;
  int32_t limit;
};

/* Reads SCHEME://USER:PASSWORD@HOST:PORT,.../NAME with the parameters of budgets, and those of TLS.  Returns 0, or a
   code that *error explains; then there is nothing to free. */
int place_read(struct place *place, const pool_budget_place_t *from, pool_error_t *error);

/* The first server did not do its work: it is the last to be tried from now on. */
void place_turn(struct place *place);

void place_free(struct place *place);

#endif
