/* SPDX-License-Identifier: MIT */
/* What the policies cost those who get and put, while a keeper looks after everything there is to look after: those
 * that limit by time what may be lent, for which a get looks at a coarse clock, and the others, for which it does not.
 */
#include "policies.h"

#include <stdbool.h>

#include "nothing.h"
#include "report.h"
#include "rounds.h"
#include "tuning.h"

#define CONNECTIONS 8

/* Short enough for the keeper to look many times in each measurement, and to check what is idle. */
static pool_t *pool_with_policies(bool limits)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = config.max_open = CONNECTIONS;
  config.min_idle = 2;
  if (limits) {
    config.idle_timeout_ms = 10000;
    config.max_lifetime_ms = 30000;
    config.check_after_ms = 500;
  }
  config.keepalive_ms = 400;
  config.leak_after_ms = 1000;
  config.retry_min_ms = 10;
  config.retry_max_ms = 200;
  config.breaker_after = 3;
  return pool_of(&config, nothing(), NULL);
}

static struct comparison compare_policies(bool limits, int threads, int64_t *checks)
{
  pool_t *with = pool_with_policies(limits), *without = pool_of_nothing(CONNECTIONS);
  struct comparison result =
      compare((struct side){use_pool, with, threads}, (struct side){use_pool, without, threads}, tuning.rounds);
  *checks = stats_of(with).checks;
  pool_free(with);
  pool_free(without);
  return result;
}

void policies(void)
{
  int64_t checks;
  struct comparison free = compare_policies(false, 1, &checks);
  report_at_most("policies.without_limits", free.ratio, "times without policies", 1.15);
  struct comparison alone = compare_policies(true, 1, &checks);
  report_at_most("policies.get_put", alone.ratio, "times without policies", 1.5);
  report_only("policies.get_put.with", 1e9 / alone.first, "ns");
  report_only("policies.get_put.without", 1e9 / alone.second, "ns");
  report_only("policies.checks", (double)checks, "by the keeper meanwhile");
  struct comparison both = compare_policies(true, 2, &checks);
  report_only("policies.get_put_2_threads", both.ratio, "times without policies");
}
