/* SPDX-License-Identifier: MIT */
/* What a pool knows about opens that fail: when to try again, and when to stop letting everybody try.  The breaker
   governs opening, never waiting. */
#ifndef BREAKER_H
#define BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/pool.h>

/* Under the lock of its pool. */
struct breaker {
  int32_t failures;    /* opens that failed since the last that did not */
  bool open;           /* one open at a time finds out whether the server is back */
  int32_t doublings;   /* of the pause */
  int64_t failed_ns;   /* when the last failure was */
  int64_t retry_at_ns; /* the earliest moment of the next open, if there were failures */
  uint64_t random;     /* state of the jitter */
  int32_t code;        /* of the last failure, or 0 */
  int32_t native;
  char *cause; /* its message; allocated, for most pools never need it.  NULL: there was none, or no memory for it */
};

/* As new. */
void breaker_reset(struct breaker *breaker);

void breaker_free_cause(struct breaker *breaker);

/* An open that began at a moment has failed.  True if this opened the breaker. */
bool breaker_failed(struct breaker *breaker, const pool_config_t *config, int64_t began, int64_t now,
                    const pool_error_t *cause);

/* Why the last open failed. */
pool_error_t breaker_cause(const struct breaker *breaker);

/* An open or a check succeeded: the server is there.  True if this closed the breaker. */
bool breaker_succeeded(struct breaker *breaker);

/* Whether an open may begin, while others are under way.  `again`: for a caller whose open failed, or for nobody in
   particular; where no back-off is set, only these have to pause. */
bool breaker_permits(const struct breaker *breaker, const pool_config_t *config, int32_t opening, int64_t now,
                     bool again);

#endif
