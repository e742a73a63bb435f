/* SPDX-License-Identifier: MIT */
/*
 * What poolctl asks, and the answer.
 *
 * Everything is read into memory first, under the locks, and written when none is held.  Meanwhile a pool is visited:
 * it is not recycled, and pool_close() waits for the end of the visit, so that afterwards no callback of its program
 * runs here.
 */
#include "api/request.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/forks.h"
#include "base/text.h"
#include "decide/attention.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/step.h"
#include "run/crew.h"
#include "api/report.h"
#include "api/steer.h"

/* So many leases of a pool are listed, those that are out for longest, and so many waiters, the first. */
#define LISTED 100

/* ---- visits ---- */

static void leave(struct pool *pool, uint64_t forks)
{
  struct step step;
  if (forks_since(forks))
    return; /* a callback forked, and this is the child: its pools know nothing of us */
  pthread_mutex_lock(&pool->lock);
  life_thread_ends(pool, &step);
  crew_finish(pool, &step);
}

/* Visits all that are exposed, as many as there is room for.  Returns how many it visits. */
static size_t visit_all(struct pool **pools, size_t room)
{
  size_t count = 0;
  life_registry_lock();
  for (struct pool *pool = life_first(); pool && count < room; pool = pool->next_pool)
    if (life_visit_begin(pool))
      pools[count++] = pool;
  life_registry_unlock();
  return count;
}

/* Visits the exposed pool of a number; NULL: there is none. */
static struct pool *visit(int64_t number)
{
  life_registry_lock();
  struct pool *pool = life_first();
  while (pool && pool->number != number)
    pool = pool->next_pool;
  bool visited = pool && life_visit_begin(pool);
  life_registry_unlock();
  return visited ? pool : NULL;
}

static size_t count_pools(void)
{
  size_t count = 0;
  life_registry_lock();
  for (struct pool *pool = life_first(); pool; pool = pool->next_pool)
    count++;
  life_registry_unlock();
  return count;
}

/* ---- a pool ---- */

struct seen_waiter {
  enum waiter_kind kind;
  int32_t thread;
  int64_t waited_ns;
};

/* A pool at one moment, beside what its report says. */
struct sight {
  int64_t number;
  int32_t pauses;
  bool closed, steerable;
  int32_t waiters;
  struct seen_waiter waiting[LISTED];
};

/* Where the program does what follows, it has to be told.  A descriptor that it has asked for it also watches. */
static bool is_steerable(const struct pool *pool)
{
  return !pool->stepped || atomic_load(&pool->event_fd) || atomic_load(&pool->hub);
}

static void see(struct pool *pool, struct sight *sight)
{
  int64_t now = clock_now();
  pthread_mutex_lock(&pool->lock);
  *sight = (struct sight){.number = pool->number,
                          .pauses = pool->pauses,
                          .closed = attention_closed(pool),
                          .steerable = is_steerable(pool)};
  for (struct waiter *waiter = pool->queue.first; waiter && sight->waiters < LISTED; waiter = waiter->next)
    sight->waiting[sight->waiters++] = (struct seen_waiter){waiter->kind, waiter->thread, now - waiter->since_ns};
  pthread_mutex_unlock(&pool->lock);
}

static const char *truth(bool yes)
{
  return yes ? "true" : "false";
}

static void write_sight(FILE *file, const struct sight *sight)
{
  static const char *const kinds[] = {
      [WAITER_THREAD] = "thread", [WAITER_ASYNC] = "asynchronous", [WAITER_TICKET] = "ticket"};
  fprintf(file, "\"id\":%" PRId64 ",\"pauses\":%d,\"closed\":%s,\"steerable\":%s,\"waiters\":[", sight->number,
          sight->pauses, truth(sight->closed), truth(sight->steerable));
  for (int32_t i = 0; i < sight->waiters; i++)
    fprintf(file, "%s{\"kind\":\"%s\",\"thread\":%d,\"waited_ns\":%" PRId64 "}", i > 0 ? "," : "",
            kinds[sight->waiting[i].kind], sight->waiting[i].thread, sight->waiting[i].waited_ns);
  fputs("],", file);
}

static int compare_held(const void *left, const void *right)
{
  const pool_lease_info_t *a = left, *b = right;
  return (a->held_ns < b->held_ns) - (a->held_ns > b->held_ns);
}

static void write_lease(FILE *file, const pool_lease_info_t *lease)
{
  fprintf(file, "{\"lease\":%" PRId64 ",\"thread\":%" PRId64 ",\"held_ns\":%" PRId64 ",\"connection\":%" PRId64,
          lease->lease, lease->thread, lease->held_ns, lease->connection);
  fputs(",\"tag\":", file);
  report_json_string(file, lease->tag);
  fputc('}', file);
}

/* Those that are out for longest. */
static void write_leases(FILE *file, struct pool *pool)
{
  int64_t room = pool_leases(pool, NULL, 0);
  pool_lease_info_t *leases = calloc((size_t)room + 1, sizeof *leases);
  if (leases)
    leases[0].size = sizeof *leases;
  int64_t count = leases ? pool_leases(pool, leases, (size_t)room + 1) : 0;
  count = count < room + 1 ? count : room + 1;
  if (count > 0)
    qsort(leases, (size_t)count, sizeof *leases, compare_held);
  for (int64_t i = 0; i < count && i < LISTED; i++) {
    fputs(i > 0 ? "," : "", file);
    write_lease(file, &leases[i]);
  }
  free(leases);
}

static void write_pool(FILE *file, struct pool *pool)
{
  struct sight sight;
  struct reading reading;
  see(pool, &sight);
  report_read(pool, &reading);
  fputc('{', file);
  write_sight(file, &sight);
  report_json_members(file, &reading);
  fputs(",\"leases\":[", file);
  write_leases(file, pool);
  fputs("]}", file);
}

/* ---- requests ---- */

static void refuse(FILE *file, int code, const char *message)
{
  fprintf(file, "{\"ok\":false,\"code\":%d,\"message\":", code);
  report_json_string(file, message);
  fputs("}\n", file);
}

static void write_program(FILE *file)
{
  char name[64];
  text_copy(name, sizeof name, program_invocation_short_name);
  fprintf(file, "{\"ok\":true,\"protocol\":1,\"library\":\"%s\",\"pid\":%ld,\"program\":", pool_version(),
          (long)getpid());
  report_json_string(file, name);
}

typedef void write_fn(FILE *file, struct pool *pool);

/* A process may have ten thousand pools, and who steers one needs no more of the others than that. */
static void write_name(FILE *file, struct pool *pool)
{
  char name[POOL_NAME_BYTES];
  pthread_mutex_lock(&pool->lock);
  int64_t number = pool->number;
  text_copy(name, sizeof name, pool->name);
  pthread_mutex_unlock(&pool->lock);
  fprintf(file, "{\"id\":%" PRId64 ",\"name\":", number);
  report_json_string(file, name);
  fputc('}', file);
}

static void write_all(FILE *file, write_fn *write)
{
  uint64_t forks = forks_count();
  size_t room = count_pools() + 1;
  struct pool **pools = calloc(room, sizeof *pools);
  if (!pools) {
    refuse(file, POOL_E_NOMEM, "no memory for a report");
    return;
  }
  size_t count = visit_all(pools, room);
  write_program(file);
  fputs(",\"pools\":[", file);
  for (size_t i = 0; i < count; i++) {
    fputs(i > 0 ? "," : "", file);
    write(file, pools[i]);
    leave(pools[i], forks);
  }
  fputs("]}\n", file);
  free(pools);
}

typedef int steer_fn(struct pool *pool, int64_t number);

static int do_pause(struct pool *pool, int64_t number)
{
  (void)number;
  return pool_pause(pool);
}

static int do_resume(struct pool *pool, int64_t number)
{
  (void)number;
  return pool_resume(pool);
}

static int do_flush(struct pool *pool, int64_t number)
{
  (void)number;
  return steer_flush_in(pool, true);
}

static int do_evict(struct pool *pool, int64_t number)
{
  (void)number;
  return pool_evict(pool);
}

static int do_resize(struct pool *pool, int64_t number)
{
  return steer_resize_in(pool, number > INT32_MAX ? INT32_MAX : (int32_t)number, true);
}

static const struct verb {
  const char *name;
  steer_fn *steer;
  bool wants_number;
} verbs[] = {{"pause", do_pause, false},
             {"resume", do_resume, false},
             {"flush", do_flush, false},
             {"evict", do_evict, false},
             {"resize", do_resize, true}};

/* Digits behind one space; returns what follows them, or NULL. */
static const char *read_number(const char *text, int64_t *number)
{
  const char *digit = text + 1;
  if (text[0] != ' ' || *digit < '0' || *digit > '9')
    return NULL;
  for (*number = 0; *digit >= '0' && *digit <= '9'; digit++)
    if (__builtin_mul_overflow(*number, 10, number) || __builtin_add_overflow(*number, *digit - '0', number))
      return NULL;
  return digit;
}

/* A program of the step API closes, opens and wakes itself, and hears here that it has to. */
static int steer_pool(struct pool *pool, const struct verb *verb, int64_t number)
{
  int result = verb->steer(pool, number);
  if (pool->stepped)
    crew_ring(pool);
  return result;
}

static const char no_such_pool[] = "no such pool: it was freed, or is not exposed";

static void steer(FILE *file, const struct verb *verb, int64_t id, int64_t number)
{
  pool_error_t error = POOL_ERROR_INIT;
  uint64_t forks = forks_count();
  struct pool *pool = visit(id);
  if (!pool) {
    refuse(file, POOL_E_STALE, no_such_pool);
    return;
  }
  if (!is_steerable(pool))
    refuse(file, POOL_E_UNSUPPORTED,
           "the program of this pool would not hear of it: watch pool_event_fd() in a program of the step API; expose "
           "this "
           "very pool in Ruby, Go or Java");
  else {
    int result = steer_pool(pool, verb, number);
    if (result < 0) {
      pool_failure(&error);
      refuse(file, error.code, error.message);
    } else
      fprintf(file, "{\"ok\":true,\"result\":%d}\n", result);
  }
  leave(pool, forks);
}

static void write_health(FILE *file, struct pool *pool, int64_t stuck_after_ms)
{
  pool_bytes_t why = {NULL, 0};
  int health = pool_health(pool, stuck_after_ms ? stuck_after_ms : -1, &why);
  if (health < 0) {
    refuse(file, health, pool_strerror(health));
    return;
  }
  fprintf(file, "{\"ok\":true,\"result\":%d,\"message\":", health);
  report_json_string(file, why.data);
  fputs("}\n", file);
  pool_bytes_free(&why);
}

/* Of any pool that is exposed: it only looks. */
static void tell_health(FILE *file, int64_t id, int64_t stuck_after_ms)
{
  uint64_t forks = forks_count();
  struct pool *pool = visit(id);
  if (!pool) {
    refuse(file, POOL_E_STALE, no_such_pool);
    return;
  }
  write_health(file, pool, stuck_after_ms);
  leave(pool, forks);
}

/* What is asked of all pools, or does nothing to one. */
static bool answer_look(FILE *file, const char *request)
{
  static const char health[] = "health";
  int64_t id, number;
  bool reports = strcmp(request, "report") == 0;
  if (reports || strcmp(request, "list") == 0) {
    write_all(file, reports ? write_pool : write_name);
    return true;
  }
  if (strncmp(request, health, strlen(health)) != 0)
    return false;
  const char *rest = read_number(request + strlen(health), &id);
  rest = rest ? read_number(rest, &number) : NULL;
  if (!rest || *rest)
    return false;
  tell_health(file, id, number);
  return true;
}

static void answer(FILE *file, const void *what)
{
  const char *request = what;
  int64_t id, number = 0;
  if (answer_look(file, request))
    return;
  for (const struct verb *verb = verbs; verb < verbs + sizeof verbs / sizeof *verbs; verb++) {
    size_t length = strlen(verb->name);
    if (strncmp(request, verb->name, length) != 0)
      continue;
    const char *rest = read_number(request + length, &id);
    if (rest && verb->wants_number)
      rest = read_number(rest, &number);
    if (rest && !*rest) {
      steer(file, verb, id, number);
      return;
    }
  }
  refuse(file, POOL_E_INVALID,
         "no such request; there are report, list, health ID MS, resize ID N, and pause, resume, flush or evict ID");
}

bool request_answer(const char *request, pool_bytes_t *text)
{
  return report_in_memory(answer, request, text);
}
