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
#include "decide/attention.h"
#include "decide/count.h"
#include "decide/event_queue.h"
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

bool event_follows_closes(const pool_config_t *config)
{
  return is_wanted(config, POOL_EVENT_CLOSED);
}

/* ---- kinds of what is told ---- */

/* The members of pool_event_t that a kind fills. */
enum {
  NOTHING = 0,
  REASON = 1,
  CODE = 2,
  LEASE = 4,
  CONNECTION = 8,
  THREAD = 16,
  DURATION = 32,
  TAG = 64,
  MESSAGE = 128
};

struct kind {
  int32_t event; /* POOL_EVENT_*, or 0 */
  int32_t fills;
  int32_t level;
  const char *line; /* or NULL */
};

enum { /* events stand at their numbers, the lines behind them */
#define EVENT(name, number, ...) KIND_##name = number,
#define LINE(name, ...)          KIND_##name,
#include "run/events.def"
};

static const struct kind kinds[] = {
#define EVENT(name, number, fills, level, line, sentence) [KIND_##name] = {number, fills, level, line},
#define LINE(name, event, fills, level, line, sentence)   [KIND_##name] = {event, fills, level, line},
#include "run/events.def"
};

#define EVENT(name, number, ...)                                                                                       \
  _Static_assert(POOL_EVENT_##name == number, "src/run/events.def has the number of each event");
#include "run/events.def"

/* ---- lines ---- */

#define LINE_SIZE sizeof((pool_step_event_t *)0)->line

static bool begins(const char *text, const char *with)
{
  return strncmp(text, with, strlen(with)) == 0;
}

/* Writes what a name in braces stands for.  Returns how long that is, as snprintf() does. */
static int write_value(char *to, size_t room, const char *name, const pool_event_t *event)
{
  if (begins(name, "{lease}"))
    return snprintf(to, room, "%lld", (long long)event->lease);
  if (begins(name, "{thread}"))
    return snprintf(to, room, "%lld", (long long)event->thread);
  if (begins(name, "{ms}"))
    return snprintf(to, room, "%lld", (long long)(event->duration_ns / 1000000));
  if (begins(name, "{tag}"))
    return snprintf(to, room, "%s%s", event->tag[0] ? ", " : "", event->tag);
  return snprintf(to, room, "%s", event->message);
}

/* What there is no room for is cut off. */
static void write_line(char *to, const struct pool *pool, const char *line, const pool_event_t *event)
{
  size_t used = (size_t)snprintf(to, LINE_SIZE, "%s: ", pool->name);
  while (*line && used < LINE_SIZE - 1) {
    if (*line == '{') {
      used += (size_t)write_value(to + used, LINE_SIZE - used, line, event);
      line = strchr(line, '}') + 1;
    } else {
      to[used++] = *line++;
    }
  }
  to[used < LINE_SIZE - 1 ? used : LINE_SIZE - 1] = 0;
  text_cut(to, LINE_SIZE);
}

/* ---- telling ---- */

static bool call_events(struct pool *pool, const pool_event_t event)
{
  struct callback callback;
  callback_enter(&callback, pool);
  pool->config.events(pool->config.user, &event);
  return callback_leave(&callback);
}

static bool call_log(struct pool *pool, int32_t level, const char *line)
{
  struct callback callback;
  callback_enter(&callback, pool);
  pool->config.log(pool->config.user, level, line);
  return callback_leave(&callback);
}

/* Where a pool has no callbacks, what would be told waits to be fetched. */
static void keep(struct pool *pool, const struct kind *kind, const pool_event_t *event, bool wanted, bool logged)
{
  pool_step_event_t kept = POOL_STEP_EVENT_INIT;
  kept.event = wanted ? event->event : 0;
  kept.reason = event->reason;
  kept.code = event->code;
  kept.level = logged ? kind->level : 0;
  kept.lease = event->lease;
  kept.connection = event->connection;
  kept.thread = event->thread;
  kept.duration_ns = event->duration_ns;
  text_copy(kept.tag, sizeof kept.tag, event->tag);
  text_copy(kept.message, sizeof kept.message, event->message);
  if (logged)
    write_line(kept.line, pool, kind->line, event);
  event_queue_add(pool, &kept);
}

static __attribute__((noinline)) bool tell_listeners(struct pool *pool, const struct kind *kind, pool_event_t event,
                                                     bool wanted, bool logged)
{
  event.size = sizeof event;
  event.event = kind->event;
  event.pool = pool->name;
  event.tag = event.tag ? event.tag : "";
  event.message = event.message ? event.message : "";
  if (!(kind->fills & DURATION))
    event.duration_ns = -1;
  if (pool->stepped) {
    keep(pool, kind, &event, wanted, logged);
    return true;
  }
  bool same = !wanted || call_events(pool, event);
  if (logged) {
    char line[LINE_SIZE];
    write_line(line, pool, kind->line, &event);
    same = call_log(pool, kind->level, line) && same;
  }
  return same;
}

/* Tells one kind, with what `event` has of the members that its kind fills.  Inline, so that no event is made where
   nobody listens.  Returns whether this is still the same process (callback.h). */
static inline bool tell(struct pool *pool, int number, pool_event_t event)
{
  const struct kind *kind = &kinds[number];
  bool wanted = kind->event && is_wanted(&pool->config, kind->event);
  bool logged = kind->line && pool->config.log;
  return __builtin_expect(!wanted && !logged, 1) || tell_listeners(pool, kind, event, wanted, logged);
}

/* ---- connections and leases ---- */

void event_opening(struct pool *pool, int64_t connection)
{
  PROBE_OPENING(pool, connection);
  tell(pool, KIND_OPENING, (pool_event_t){.connection = connection});
}

void event_opened(struct pool *pool, int64_t connection, int64_t took_ns)
{
  PROBE_OPENED(pool, took_ns, connection);
  tell(pool, KIND_OPENED, (pool_event_t){.connection = connection, .duration_ns = took_ns});
}

void event_open_failed(struct pool *pool, int64_t connection, const pool_error_t *error, int64_t took_ns)
{
  PROBE_OPEN_FAILED(pool, error->code, error->message, connection);
  /* A close gives up what is being opened, which is no news of the server. */
  tell(
      pool, attention_closed(pool) ? KIND_OPEN_ENDED : KIND_OPEN_FAILED,
      (pool_event_t){.connection = connection, .code = error->code, .duration_ns = took_ns, .message = error->message});
}

void event_closed(struct pool *pool, int64_t connection, int32_t reason, const pool_error_t *cause, int64_t took_ns)
{
  PROBE_CLOSED(pool, reason, connection);
  tell(pool, KIND_CLOSED,
       (pool_event_t){.connection = connection,
                      .reason = reason,
                      .code = cause ? cause->code : 0,
                      .duration_ns = took_ns,
                      .message = cause ? cause->message : NULL});
}

void event_close_failed(struct pool *pool, const pool_error_t *error)
{
  tell(pool, KIND_CLOSE_FAILED, (pool_event_t){.message = error->message});
}

/* What is told of a lease that a get has got. */
static pool_event_t of_lease(pool_lease_t lease, int64_t duration_ns)
{
  struct slot *slot = slot_of(lease);
  return (pool_event_t){.lease = lease,
                        .connection = atomic_load(&slot->connection),
                        .thread = atomic_load(&slot->holder),
                        .duration_ns = duration_ns};
}

void event_lent(struct pool *pool, pool_lease_t lease, int64_t took_ns)
{
  PROBE_LENT(pool, lease);
  tell(pool, KIND_LENT, of_lease(lease, took_ns));
}

bool event_returned(struct pool *pool, const struct ending *ending)
{
  pool_event_t event = {.lease = ending->lease,
                        .connection = ending->connection,
                        .thread = ending->holder,
                        .duration_ns = ending->held_ns,
                        .tag = ending->tag};
  bool same = true;
  PROBE_RETURNED(pool, ending->lease);
  if (ending->leaked) {
    PROBE_LEAK_RETURNED(pool, ending->lease, ending->holder, ending->held_ns, ending->tag, ending->connection);
    same = tell(pool, KIND_LEAK_RETURNED, event);
  }
  return tell(pool, KIND_RETURNED, event) && same;
}

static void waited(struct pool *pool, pool_lease_t lease, int64_t waited_ns)
{
  pool_event_t event = of_lease(lease, waited_ns);
  PROBE_WAITED(pool, lease, waited_ns, event.connection);
  tell(pool, KIND_WAITED, event);
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
  tell(pool, event,
       (pool_event_t){.code = (int32_t)code, .thread = thread_id(), .duration_ns = took_ns, .message = why.message});
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

void event_step_ended(struct pool *pool, pool_lease_t result, int64_t took_ns, int64_t waited_ns)
{
  if (result > 0 && waited_ns > 0)
    waited(pool, result, waited_ns);
  if (result > 0)
    event_lent(pool, result, took_ns);
  else
    failed(pool, result, took_ns);
}

void event_leaked(struct pool *pool, const struct leak *leak)
{
  PROBE_LEAKED(pool, leak->lease, leak->holder, leak->held_ns, leak->tag, leak->connection);
  tell(pool, KIND_LEAKED,
       (pool_event_t){.lease = leak->lease,
                      .connection = leak->connection,
                      .thread = leak->holder,
                      .duration_ns = leak->held_ns,
                      .tag = leak->tag});
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
  tell(pool, event, (pool_event_t){0});
}

void event_resized(struct pool *pool, int32_t max_open)
{
  char message[40];
  snprintf(message, sizeof message, MESSAGE("max_open is %d now"), max_open);
  PROBE_POOL_RESIZED(pool, max_open);
  tell(pool, KIND_POOL_RESIZED, (pool_event_t){.message = message});
}

void event_warning(struct pool *pool, const char *message)
{
  PROBE_WARNING(pool, message);
  tell(pool, KIND_WARNING, (pool_event_t){.message = message});
}

void event_budget_lost(struct pool *pool, const char *budget, bool yields, const pool_error_t *error)
{
  char text[LINE_SIZE + sizeof error->message];
  const char *does = yields ? "the pool closes what it has above budget_floor"
                            : "the pool keeps the connections that it may have, and opens no more than that";
  if (error->code == POOL_E_OVERLOAD)
    snprintf(text, sizeof text, MESSAGE("the budget '%s' has no place for this pool, so %s: %s"), budget, does,
             error->message);
  else
    snprintf(text, sizeof text, MESSAGE("the budget '%s' cannot be reached, so %s: %s"), budget, does, error->message);
  PROBE_BUDGET_LOST(pool, text);
  tell(pool, KIND_BUDGET_LOST, (pool_event_t){.code = error->code, .message = text});
}

void event_budget_found(struct pool *pool, const char *budget, int32_t granted, int32_t limit)
{
  char text[160];
  snprintf(text, sizeof text, MESSAGE("the budget '%s' is reached again: %d of %d permits"), budget, granted, limit);
  PROBE_BUDGET_FOUND(pool, text);
  tell(pool, KIND_BUDGET_FOUND, (pool_event_t){.message = text});
}

void event_drain_own(struct pool *pool, const pool_lease_info_t *lease)
{
  tell(pool, KIND_DRAIN_OWN, (pool_event_t){.lease = lease->lease, .tag = lease->tag});
}

void event_drain_waits(struct pool *pool, const pool_lease_info_t *lease, int64_t waited_ms)
{
  char message[40];
  snprintf(message, sizeof message, "%lld ms", (long long)waited_ms);
  tell(pool, KIND_DRAIN_WAITS,
       (pool_event_t){.lease = lease->lease,
                      .thread = lease->thread,
                      .duration_ns = lease->held_ns,
                      .tag = lease->tag,
                      .message = message});
}

/* ---- the rest ---- */

static void breaker_opened(struct pool *pool)
{
  pool_error_t cause;
  room_cause(pool, &cause);
  PROBE_BREAKER_OPENED(pool, cause.message);
  tell(pool, KIND_BREAKER_OPENED, (pool_event_t){.code = cause.code, .message = cause.message});
}

static void breaker_closed(struct pool *pool)
{
  PROBE_BREAKER_CLOSED(pool);
  tell(pool, KIND_BREAKER_CLOSED, (pool_event_t){0});
}

static void starved(struct pool *pool)
{
  static const char message[] = MESSAGE("every connection is held by a thread that itself waits for one");
  PROBE_STARVED(pool);
  tell(pool, KIND_STARVED, (pool_event_t){.thread = thread_id(), .message = message});
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

bool event_threadless(struct pool *pool, int error)
{
  char message[200];
  snprintf(message, sizeof message,
           MESSAGE("could not start a thread, so what is to be done in the background waits: %s"), strerror(error));
  PROBE_WARNING(pool, message);
  return tell(pool, KIND_THREADLESS, (pool_event_t){.code = POOL_E_SYSTEM, .message = message});
}
