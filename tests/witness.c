/* SPDX-License-Identifier: MIT */
#include "witness.h"

#include <stdio.h>
#include <string.h>

/* ---- threads that get ---- */

static void *get_and_put(void *data)
{
  struct getter *getter = data;
  pool_lease_t lease = pool_get_for(getter->pool, getter->timeout_ms);
  if (lease < 0)
    must(pool_failure(&getter->error) == (int)lease);
  if (lease > 0) {
    atomic_store(&getter->number, fake_number(lease));
    if (getter->turns)
      atomic_store(&getter->turn, atomic_fetch_add(getter->turns, 1) + 1);
  }
  atomic_store(&getter->result, lease);
  if (lease > 0 && !getter->keeps) {
    fake_use(lease);
    if (getter->release)
      gate_pass(getter->release);
    must(pool_put(lease) == 0);
  }
  return NULL;
}

void getter_start(struct getter *getter, pool_t *pool, int64_t timeout_ms)
{
  getter->pool = pool;
  getter->timeout_ms = timeout_ms;
  getter->error = (pool_error_t)POOL_ERROR_INIT;
  getter->thread = thread_start(get_and_put, getter);
}

void getter_queue(struct getter *getter, pool_t *pool, int64_t timeout_ms)
{
  int64_t before = stats_of(pool).waiting;
  getter_start(getter, pool, timeout_ms);
  wait_until(stats_of(pool).waiting == before + 1);
}

void getters_queue(struct getter *getters, int count, pool_t *pool, int64_t timeout_ms)
{
  for (int i = 0; i < count; i++)
    getter_queue(&getters[i], pool, timeout_ms);
}

void getter_hold_up(struct getter *getter, pool_t *pool, int64_t timeout_ms, struct gate *gate)
{
  gate_set(gate, false);
  getter_start(getter, pool, timeout_ms);
  wait_until(gate_waiting(gate) == 1);
}

pool_lease_t getter_end(struct getter *getter)
{
  thread_end(getter->thread);
  return atomic_load(&getter->result);
}

void told_got(void *user, pool_lease_t result)
{
  static _Atomic int calls;
  struct heard *told = user;
  told->thread = pthread_self();
  told->order = atomic_fetch_add(&calls, 1);
  told->error = (pool_error_t)POOL_ERROR_INIT;
  if (result < 0)
    must(pool_failure(&told->error) == (int)result);
  else
    must(pool_conn(result));
  if (result > 0 && told->put)
    must(pool_put(result) == 0);
  atomic_store(&told->result, result);
  atomic_fetch_add(&told->times, 1);
}

/* ---- events ---- */

static void copy(char *to, size_t room, const char *from)
{
  must(from);
  snprintf(to, room, "%s", from);
}

static void enter(struct diary *diary, const struct entry *entry)
{
  pthread_mutex_lock(&diary->lock);
  must(diary->length < (int)(sizeof diary->entries / sizeof *diary->entries));
  diary->entries[diary->length++] = *entry;
  pthread_mutex_unlock(&diary->lock);
}

/* The members that an event fills, as its row says. */
static const char *const fills[] = {
#define EVENT(name, number, fills, ...) [number] = #fills,
#include "run/events.def"
};

/* An event has nothing in the members that its row does not name. */
static void check_members(const pool_event_t *event)
{
  must(event->event > 0 && event->event < (int32_t)(sizeof fills / sizeof *fills));
  const char *named = fills[event->event];
  must(event->size == sizeof *event && event->reserved == 0);
  must(event->reason == 0 || strstr(named, "REASON"));
  must(event->code == 0 || strstr(named, "CODE"));
  must(event->lease == 0 || strstr(named, "LEASE"));
  must(event->connection == 0 || strstr(named, "CONNECTION"));
  must(event->thread == 0 || strstr(named, "THREAD"));
  must((event->duration_ns >= 0) == (strstr(named, "DURATION") != NULL));
  must(event->tag[0] == 0 || strstr(named, "TAG"));
  must(event->message[0] == 0 || strstr(named, "MESSAGE"));
}

static void enter_event(void *user, const pool_event_t *event)
{
  check_members(event);
  struct entry entry = {.event = event->event,
                        .reason = event->reason,
                        .code = event->code,
                        .lease = event->lease,
                        .connection = event->connection,
                        .thread = event->thread,
                        .duration_ns = event->duration_ns,
                        .on = pthread_self()};
  copy(entry.pool, sizeof entry.pool, event->pool);
  copy(entry.tag, sizeof entry.tag, event->tag);
  copy(entry.message, sizeof entry.message, event->message);
  enter(user, &entry);
}

static void enter_line(void *user, int32_t level, const char *line)
{
  struct entry entry = {.level = level, .on = pthread_self()};
  must(level >= POOL_LOG_ERROR && level <= POOL_LOG_INFO && line[0] && !strchr(line, '\n'));
  copy(entry.message, sizeof entry.message, line);
  enter(user, &entry);
}

void diary_init(struct diary *diary, pool_config_t *config)
{
  pthread_mutex_init(&diary->lock, NULL);
  diary->length = 0;
  config->events = enter_event;
  config->log = enter_line;
  config->user = diary;
}

/* How many there are, and the last of them. */
static int look_up(struct diary *diary, int32_t event, int32_t level, struct entry *last)
{
  int count = 0;
  pthread_mutex_lock(&diary->lock);
  for (int i = 0; i < diary->length; i++) {
    if (diary->entries[i].event != event || diary->entries[i].level != level)
      continue;
    *last = diary->entries[i];
    count++;
  }
  pthread_mutex_unlock(&diary->lock);
  return count;
}

int diary_count(struct diary *diary, int32_t event)
{
  struct entry last;
  return look_up(diary, event, 0, &last);
}

int diary_lines(struct diary *diary, int32_t level)
{
  struct entry last;
  return look_up(diary, 0, level, &last);
}

struct entry diary_last(struct diary *diary, int32_t event)
{
  struct entry last;
  if (look_up(diary, event, 0, &last) == 0)
    fail_msg("event %d was not told", event);
  return last;
}

struct entry diary_last_line(struct diary *diary, int32_t level)
{
  struct entry last;
  if (look_up(diary, 0, level, &last) == 0)
    fail_msg("no line of level %d was logged", level);
  return last;
}
