/* SPDX-License-Identifier: MIT */
#include "run/event.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"
#include "base/thread.h"
#include "slot/slot.h"
#include "decide/count.h"
#include "decide/give.h"
#include "decide/look.h"
#include "decide/pool.h"
#include "decide/room.h"
#include "decide/step.h"
#include "decide/waiter.h"
#include "run/callback.h"
#include "run/probe.h"

bool event_follows_leases(const pool_config_t *config)
{
  int32_t both = 1 << POOL_EVENT_LENT | 1 << POOL_EVENT_RETURNED;
  return config->events && (config->event_mask == 0 || (config->event_mask & both));
}

static bool is_wanted(const pool_config_t *config, int32_t event)
{
  return config->events && (config->event_mask == 0 || (config->event_mask & 1 << event));
}

static void tell(struct pool *pool, pool_event_t event)
{
  if (!is_wanted(&pool->config, event.event))
    return;
  event.size = sizeof event;
  event.pool = pool->name;
  event.tag = event.tag ? event.tag : "";
  event.message = event.message ? event.message : "";
  struct callback callback;
  callback_enter(&callback, pool);
  pool->config.events(pool->config.user, &event);
  callback_leave(&callback);
}

#define LINE_SIZE 400

static void log_line(struct pool *pool, int32_t level, const char *line)
{
  struct callback callback;
  callback_enter(&callback, pool);
  pool->config.log(pool->config.user, level, line);
  callback_leave(&callback);
}

#define LOG(pool, level, format, ...)                                                                                  \
  do                                                                                                                   \
    if ((pool)->config.log) {                                                                                          \
      char line_[LINE_SIZE];                                                                                           \
      snprintf(line_, sizeof line_, "%s: " format, (pool)->name, __VA_ARGS__);                                         \
      text_cut(line_, sizeof line_);                                                                                   \
      log_line(pool, level, line_);                                                                                    \
    }                                                                                                                  \
  while (0)

void event_opening(struct pool *pool, int64_t connection)
{
  PROBE_OPENING(pool, connection);
  tell(pool, (pool_event_t){.event = POOL_EVENT_OPENING, .connection = connection, .duration_ns = -1});
}

void event_opened(struct pool *pool, int64_t connection, int64_t took_ns)
{
  PROBE_OPENED(pool, took_ns, connection);
  tell(pool, (pool_event_t){.event = POOL_EVENT_OPENED, .connection = connection, .duration_ns = took_ns});
}

void event_open_failed(struct pool *pool, int64_t connection, const pool_error_t *error, int64_t took_ns)
{
  PROBE_OPEN_FAILED(pool, error->code, error->message, connection);
  tell(pool, (pool_event_t){.event = POOL_EVENT_OPEN_FAILED,
                            .connection = connection,
                            .code = error->code,
                            .duration_ns = took_ns,
                            .message = error->message});
  LOG(pool, POOL_LOG_WARN, "could not open a connection: %s", error->message);
}

void event_closed(struct pool *pool, int64_t connection, int32_t reason, const pool_error_t *cause, int64_t took_ns)
{
  PROBE_CLOSED(pool, reason, connection);
  tell(pool, (pool_event_t){.event = POOL_EVENT_CLOSED,
                            .connection = connection,
                            .reason = reason,
                            .code = cause ? cause->code : 0,
                            .duration_ns = took_ns,
                            .message = cause ? cause->message : NULL});
}

void event_close_failed(struct pool *pool, const pool_error_t *error)
{
  LOG(pool, POOL_LOG_WARN, "could not close a connection: %s", error->message);
}

/* What a get or its lease is told with. */
static pool_event_t of_lease(int32_t event, pool_lease_t lease, int64_t duration_ns)
{
  struct slot *slot = slot_of(lease);
  return (pool_event_t){.event = event,
                        .lease = lease,
                        .connection = atomic_load(&slot->connection),
                        .thread = atomic_load(&slot->holder),
                        .duration_ns = duration_ns};
}

void event_lent(struct pool *pool, pool_lease_t lease, int64_t took_ns)
{
  PROBE_LENT(pool, lease);
  tell(pool, of_lease(POOL_EVENT_LENT, lease, took_ns));
}

void event_returned(struct pool *pool, const struct ending *ending)
{
  pool_event_t event = {.lease = ending->lease,
                        .connection = ending->connection,
                        .thread = ending->holder,
                        .duration_ns = ending->held_ns,
                        .tag = ending->tag};
  PROBE_RETURNED(pool, ending->lease);
  if (ending->leaked) {
    PROBE_LEAK_RETURNED(pool, ending->lease, ending->holder, ending->held_ns, ending->tag, ending->connection);
    event.event = POOL_EVENT_LEAK_RETURNED;
    tell(pool, event);
    LOG(pool, POOL_LOG_INFO, "lease %lld of thread %d%s%s came back after %lld ms", (long long)ending->lease,
        (int)ending->holder, ending->tag ? ", " : "", ending->tag ? ending->tag : "",
        (long long)(ending->held_ns / 1000000));
  }
  event.event = POOL_EVENT_RETURNED;
  tell(pool, event);
}

static void waited(struct pool *pool, pool_lease_t lease, int64_t waited_ns)
{
  pool_event_t event = of_lease(POOL_EVENT_WAITED, lease, waited_ns);
  PROBE_WAITED(pool, lease, waited_ns, event.connection);
  tell(pool, event);
}

static int32_t event_of_failure(pool_lease_t code)
{
  return code == POOL_E_TIMEOUT     ? POOL_EVENT_TIMED_OUT
         : code == POOL_E_OVERLOAD  ? POOL_EVENT_OVERLOADED
         : code == POOL_E_CANCELLED ? POOL_EVENT_CANCELLED
                                    : POOL_EVENT_GET_FAILED;
}

static void probe_failure(struct pool *pool, int32_t event, int32_t code, int64_t took_ns)
{
  if (event == POOL_EVENT_TIMED_OUT)
    PROBE_TIMED_OUT(pool, took_ns);
  else if (event == POOL_EVENT_OVERLOADED)
    PROBE_OVERLOADED(pool, took_ns);
  else if (event == POOL_EVENT_CANCELLED)
    PROBE_CANCELLED(pool, took_ns);
  else
    PROBE_GET_FAILED(pool, took_ns, code);
}

/* Tells it with the words that pool_failure() has, and leaves them there whatever the callback did. */
static void failed(struct pool *pool, pool_lease_t code, int64_t took_ns)
{
  int32_t event = event_of_failure(code);
  pool_error_t why = POOL_ERROR_INIT;
  probe_failure(pool, event, (int32_t)code, took_ns);
  if (!is_wanted(&pool->config, event))
    return;
  pool_failure(&why);
  tell(pool, (pool_event_t){.event = event,
                            .code = (int32_t)code,
                            .thread = thread_id(),
                            .duration_ns = took_ns,
                            .message = why.message});
  error_set(NULL, why.code, why.native, "%s", why.message);
}

void event_get_ended(struct pool *pool, pool_lease_t result, const struct waiter *waiter)
{
  int64_t took_ns = clock_now() - waiter->began_ns;
  if (result > 0) { /* counted by the generation of its slot */
    if (waiter->waited)
      waited(pool, result, waiter->waited_ns);
    event_lent(pool, result, took_ns);
  } else {
    count_failed_get(pool, result, waiter->at_once);
    failed(pool, result, took_ns);
  }
}

void event_leaked(struct pool *pool, const struct leak *leak)
{
  PROBE_LEAKED(pool, leak->lease, leak->holder, leak->held_ns, leak->tag, leak->connection);
  tell(pool, (pool_event_t){.event = POOL_EVENT_LEAKED,
                            .lease = leak->lease,
                            .connection = leak->connection,
                            .thread = leak->holder,
                            .duration_ns = leak->held_ns,
                            .tag = leak->tag});
  LOG(pool, POOL_LOG_WARN, "lease %lld of thread %d%s%s is out for %lld ms already; was its put forgotten?",
      (long long)leak->lease, (int)leak->holder, leak->tag[0] ? ", " : "", leak->tag,
      (long long)(leak->held_ns / 1000000));
}

/* ---- the pool ---- */

void event_pool(struct pool *pool, int32_t event)
{
  switch (event) {
  case POOL_EVENT_POOL_CREATED:
    PROBE_POOL_CREATED(pool);
    break;
  case POOL_EVENT_POOL_FLUSHED:
    PROBE_POOL_FLUSHED(pool);
    break;
  case POOL_EVENT_POOL_PAUSED:
    PROBE_POOL_PAUSED(pool);
    break;
  case POOL_EVENT_POOL_RESUMED:
    PROBE_POOL_RESUMED(pool);
    break;
  default:
    PROBE_POOL_CLOSED(pool);
  }
  tell(pool, (pool_event_t){.event = event, .duration_ns = -1});
}

void event_resized(struct pool *pool, int32_t max_open)
{
  char message[40];
  snprintf(message, sizeof message, "max_open is %d now", max_open);
  PROBE_POOL_RESIZED(pool, max_open);
  tell(pool, (pool_event_t){.event = POOL_EVENT_POOL_RESIZED, .duration_ns = -1, .message = message});
}

void event_warning(struct pool *pool, const char *message)
{
  PROBE_WARNING(pool, message);
  tell(pool, (pool_event_t){.event = POOL_EVENT_WARNING, .duration_ns = -1, .message = message});
  LOG(pool, POOL_LOG_WARN, "%s", message);
}

void event_drain_own(struct pool *pool, const pool_lease_info_t *lease)
{
  LOG(pool, POOL_LOG_WARN,
      "pool_close waits for lease %lld%s%s, which the thread that closes holds itself; put it first",
      (long long)lease->lease, lease->tag[0] ? ", " : "", lease->tag);
}

void event_drain_waits(struct pool *pool, const pool_lease_info_t *lease, int64_t waited_ms)
{
  LOG(pool, POOL_LOG_WARN, "pool_close has waited for %lld ms; lease %lld of thread %lld%s%s is out for %lld ms",
      (long long)waited_ms, (long long)lease->lease, (long long)lease->thread, lease->tag[0] ? ", " : "", lease->tag,
      (long long)(lease->held_ns / 1000000));
}

/* ---- the rest ---- */

static void breaker_opened(struct pool *pool)
{
  pool_error_t cause;
  room_cause(pool, &cause);
  PROBE_BREAKER_OPENED(pool, cause.message);
  tell(pool, (pool_event_t){
                 .event = POOL_EVENT_BREAKER_OPENED, .code = cause.code, .duration_ns = -1, .message = cause.message});
  LOG(pool, POOL_LOG_ERROR, "opens keep failing; gets fail at once until one succeeds: %s", cause.message);
}

static void breaker_closed(struct pool *pool)
{
  PROBE_BREAKER_CLOSED(pool);
  tell(pool, (pool_event_t){.event = POOL_EVENT_BREAKER_CLOSED, .duration_ns = -1});
  LOG(pool, POOL_LOG_INFO, "%s", "the server is back");
}

static void starved(struct pool *pool)
{
  static const char message[] = "every connection is held by a thread that itself waits for one";
  PROBE_STARVED(pool);
  tell(pool, (pool_event_t){.event = POOL_EVENT_STARVED, .thread = thread_id(), .duration_ns = -1, .message = message});
  LOG(pool, POOL_LOG_ERROR, "%s", message);
}

void event_of_step(struct pool *pool, const struct step *step)
{
  if (step->breaker_opened)
    breaker_opened(pool);
  if (step->breaker_closed)
    breaker_closed(pool);
  if (step->starved)
    starved(pool);
}

void event_threadless(struct pool *pool, int error)
{
  char message[200];
  snprintf(message, sizeof message, "could not start a thread, so what is to be done in the background waits: %s",
           strerror(error));
  PROBE_WARNING(pool, message);
  tell(pool, (pool_event_t){.event = POOL_EVENT_WARNING, .code = POOL_E_SYSTEM, .duration_ns = -1, .message = message});
  LOG(pool, POOL_LOG_ERROR, "%s", message);
}
