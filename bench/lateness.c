/* SPDX-License-Identifier: MIT */
#include "lateness.h"

#include <pool/pool.h>

#include "nothing.h"
#include "report.h"
#include "rounds.h"

#define LATE_GETS 50
#define LATE_MS   20

void lateness(void)
{
  pool_t *pool = pool_of_nothing(1);
  pool_lease_t lease = pool_get(pool);
  double late_us[LATE_GETS];
  for (int i = 0; i < LATE_GETS; i++) {
    int64_t asked = now_ns();
    if (pool_get_for(pool, LATE_MS) != POOL_E_TIMEOUT)
      give_up("a get from an exhausted pool did not time out");
    late_us[i] = (double)(now_ns() - asked) / 1e3 - LATE_MS * 1e3;
  }
  pool_put(lease);
  pool_free(pool);
  report_only("timeout_lateness", median(late_us, LATE_GETS), "us, median");
  report_only("timeout_lateness.longest", late_us[LATE_GETS - 1], "us");
}
