/* SPDX-License-Identifier: MIT */
#include "decide/breaker.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Messages of gets quote it and have more to say. */
#define CAUSE_BYTES 240

/* Where no back-off is set, a waiter whose open failed, or a worker, tries again after a pause of its own. */
#define AGAIN_MIN_MS 10
#define AGAIN_MAX_MS 1000

void breaker_reset(struct breaker *breaker)
{
  char *cause = breaker->cause;
  if (cause)
    cause[0] = '\0';
  *breaker = (struct breaker){.cause = cause};
}

void breaker_free_cause(struct breaker *breaker)
{
  free(breaker->cause);
  breaker->cause = NULL;
}

/* xorshift64*; it only has to keep many processes from retrying at the same moment. */
static uint64_t next_random(struct breaker *breaker, int64_t now)
{
  uint64_t x = breaker->random ? breaker->random : (uint64_t)now ^ (uintptr_t)breaker;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  breaker->random = x ? x : 1;
  return breaker->random * UINT64_C(0x2545f4914f6cdd1d) >> 11;
}

static bool backs_off(const pool_config_t *config)
{
  return config->retry_min_ms > 0;
}

/* Doubles with each failure, but for opens that began before the last one failed: they are the same try.  Of the result
 * between half and all is waited. */
static int64_t pause_ns(struct breaker *breaker, const pool_config_t *config, int64_t now)
{
  int64_t pause_ms = backs_off(config) ? config->retry_min_ms : AGAIN_MIN_MS;
  int64_t longest_ms = backs_off(config) ? config->retry_max_ms : AGAIN_MAX_MS;
  for (int32_t i = 0; i < breaker->doublings && pause_ms < longest_ms; i++)
    pause_ms *= 2;
  if (pause_ms > longest_ms)
    pause_ms = longest_ms;
  int64_t half = pause_ms * 500000;
  return half + (int64_t)(next_random(breaker, now) % (uint64_t)(half + 1));
}

static void keep_cause(struct breaker *breaker, const pool_error_t *cause)
{
  breaker->code = cause->code;
  breaker->native = cause->native;
  if (!breaker->cause)
    breaker->cause = malloc(CAUSE_BYTES);
  if (breaker->cause)
    text_copy(breaker->cause, CAUSE_BYTES, cause->message);
}

bool breaker_failed(struct breaker *breaker, const pool_config_t *config, int64_t began, int64_t now,
                    const pool_error_t *cause)
{
  if (breaker->failures < INT32_MAX)
    breaker->failures++;
  if (breaker->failures > 1 && began >= breaker->failed_ns && breaker->doublings < 62)
    breaker->doublings++;
  breaker->failed_ns = now;
  keep_cause(breaker, cause);
  breaker->retry_at_ns = now + pause_ns(breaker, config, now);
  bool opens =
      !breaker->open && backs_off(config) && config->breaker_after > 0 && breaker->failures >= config->breaker_after;
  breaker->open = breaker->open || opens;
  return opens;
}

static const char *text_of_cause(const struct breaker *breaker)
{
  if (breaker->cause)
    return breaker->cause;
  return breaker->code ? pool_strerror(breaker->code) : "";
}

pool_error_t breaker_cause(const struct breaker *breaker)
{
  pool_error_t cause = {.size = sizeof cause, .code = breaker->code, .native = breaker->native};
  text_copy(cause.message, sizeof cause.message, text_of_cause(breaker));
  return cause;
}

bool breaker_succeeded(struct breaker *breaker)
{
  bool closes = breaker->open;
  breaker->failures = breaker->doublings = 0;
  breaker->open = false;
  return closes;
}

bool breaker_permits(const struct breaker *breaker, const pool_config_t *config, int32_t opening, int64_t now,
                     bool again)
{
  if (breaker->failures == 0 || (!again && !backs_off(config)))
    return true;
  return now >= breaker->retry_at_ns && (!breaker->open || opening == 0);
}
