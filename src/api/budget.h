/* SPDX-License-Identifier: MIT */
/* The budget of a pool, from its URL. */
#ifndef API_BUDGET_H
#define API_BUDGET_H

#include <pool/budget.h>
#include <pool/pool.h>

#include "run/budget.h"

/* What the URL of a budget says, and who keeps its ledger. */
struct budget_wish {
  struct budget_place place;
  pool_budget_engine_t engine;
};

/* Whether the settings name a budget. */
static inline bool budget_is_set(const pool_config_t *config)
{
  return config->budget && config->budget[0];
}

/* Takes a URL apart and finds its engine.  `looks`: the limit may be missing. */
int budget_read(struct budget_wish *wish, const char *url, bool looks, pool_error_t *error);
void budget_wish_free(struct budget_wish *wish);

#endif
