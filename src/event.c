/* SPDX-License-Identifier: MIT */
#include "event.h"

#include <stdio.h>
#include <string.h>

#include "probe.h"
#include "runner.h"
#include "thread.h"

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
  runner_enter(&callback, pool);
  pool->config.events(pool->config.user, &event);
  runner_leave(&callback);
}

#define LINE_SIZE 400

static void log_line(struct pool *pool, int32_t level, const char *line)
{
  struct callback callback;
  runner_enter(&callback, pool);
  pool->config.log(pool->config.user, level, line);
  runner_leave(&callback);
}

#define LOG(pool, level, format, ...)                                                                                  \
  do                                                                                                                   \
    if ((pool)->config.log) {                                                                                          \
      char line_[LINE_SIZE];                                                                                           \
      snprintf(line_, sizeof line_, "%s: " format, (pool)->name, __VA_ARGS__);                                         \
      log_line(pool, level, line_);                                                                                    \
    }                                                                                                                  \
  while (0)

void event_opened(struct pool *pool, int64_t took_ns)
{
  PROBE_OPENED(pool, took_ns);
  tell(pool, (pool_event_t){.event = POOL_EVENT_OPENED, .duration_ns = took_ns});
}

void event_open_failed(struct pool *pool, const pool_error_t *error, int64_t took_ns)
{
  PROBE_OPEN_FAILED(pool, error->code, error->message);
  tell(pool,
       (pool_event_t){
           .event = POOL_EVENT_OPEN_FAILED, .code = error->code, .duration_ns = took_ns, .message = error->message});
  LOG(pool, POOL_LOG_WARN, "could not open a connection: %s", error->message);
}

void event_closed(struct pool *pool, int32_t reason, const pool_error_t *cause)
{
  PROBE_CLOSED(pool, reason);
  tell(pool, (pool_event_t){.event = POOL_EVENT_CLOSED,
                            .reason = reason,
                            .code = cause ? cause->code : 0,
                            .duration_ns = -1,
                            .message = cause ? cause->message : NULL});
}

void event_close_failed(struct pool *pool, const pool_error_t *error)
{
  LOG(pool, POOL_LOG_WARN, "could not close a connection: %s", error->message);
}

void event_lent(struct pool *pool, pool_lease_t lease)
{
  PROBE_LENT(pool, lease);
  tell(pool,
       (pool_event_t){.event = POOL_EVENT_LENT, .lease = lease, .thread = slot_of(lease)->holder, .duration_ns = -1});
}

void event_returned(struct pool *pool, const struct ending *ending)
{
  PROBE_RETURNED(pool, ending->lease);
  if (ending->leaked) {
    PROBE_LEAK_RETURNED(pool, ending->lease, ending->holder, ending->held_ns, ending->tag);
    tell(pool, (pool_event_t){.event = POOL_EVENT_LEAK_RETURNED,
                              .lease = ending->lease,
                              .thread = ending->holder,
                              .duration_ns = ending->held_ns,
                              .tag = ending->tag});
    LOG(pool, POOL_LOG_INFO, "lease %lld of thread %d%s%s came back after %lld ms", (long long)ending->lease,
        (int)ending->holder, ending->tag ? ", " : "", ending->tag ? ending->tag : "",
        (long long)(ending->held_ns / 1000000));
  }
  tell(pool, (pool_event_t){.event = POOL_EVENT_RETURNED,
                            .lease = ending->lease,
                            .thread = ending->holder,
                            .duration_ns = ending->held_ns,
                            .tag = ending->tag});
}

void event_waited(struct pool *pool, pool_lease_t lease, int64_t waited_ns)
{
  PROBE_WAITED(pool, lease, waited_ns);
  tell(pool,
       (pool_event_t){
           .event = POOL_EVENT_WAITED, .lease = lease, .thread = slot_of(lease)->holder, .duration_ns = waited_ns});
}

void event_not_lent(struct pool *pool, int32_t code, int64_t waited_ns)
{
  int32_t event = code == POOL_E_TIMEOUT     ? POOL_EVENT_TIMED_OUT
                  : code == POOL_E_OVERLOAD  ? POOL_EVENT_OVERLOADED
                  : code == POOL_E_CANCELLED ? POOL_EVENT_CANCELLED
                                             : 0;
  if (code == POOL_E_TIMEOUT)
    PROBE_TIMED_OUT(pool, waited_ns);
  else if (code == POOL_E_OVERLOAD)
    PROBE_OVERLOADED(pool, waited_ns);
  else if (code == POOL_E_CANCELLED)
    PROBE_CANCELLED(pool, waited_ns);
  if (event)
    tell(pool, (pool_event_t){.event = event,
                              .code = code,
                              .thread = thread_id(),
                              .duration_ns = waited_ns,
                              .message = pool_strerror(code)});
}

void event_leaked(struct pool *pool, pool_lease_t lease, int64_t thread, int64_t held_ns, const char *tag)
{
  PROBE_LEAKED(pool, lease, thread, held_ns, tag);
  tell(pool, (pool_event_t){
                 .event = POOL_EVENT_LEAKED, .lease = lease, .thread = thread, .duration_ns = held_ns, .tag = tag});
  LOG(pool, POOL_LOG_WARN, "lease %lld of thread %lld%s%s is out for %lld ms already; was its put forgotten?",
      (long long)lease, (long long)thread, tag[0] ? ", " : "", tag, (long long)(held_ns / 1000000));
}

static void breaker_opened(struct pool *pool)
{
  pool_error_t cause;
  engine_cause(pool, &cause);
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
  LOG(pool, POOL_LOG_ERROR, "could not start a thread, so what is to be done in the background waits: %s",
      strerror(error));
}
