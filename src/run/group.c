/* SPDX-License-Identifier: MIT */
/*
 * Pools by key: a table under one lock, which is left while a pool is made, used or freed.
 *
 * A key without a pool is being made by one thread, and others that ask for it sleep until that is done.  A thread that
 * uses a pool has a reference of it, so a key is let go of only where the group's own reference is the last.
 *
 * The program of the step API has pools of a group in objects of its own, so references say nothing there.  A pool is
 * closed at the moment at which it is seen to be unused, and then let go of.  A get that comes to it after that finds
 * it closed, and the program asks the group again, which finds another or has one made.
 *
 * No thread of its own looks at the time.  Each ask for a key looks at a few others, so that all are looked at within a
 * quarter of the time after which they are let go of, if there are asks enough.
 */
#include "run/group.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/contract.h"
#include "base/error.h"
#include "base/event_fd.h"
#include "base/park.h"
#include "base/thread.h"
#include "decide/attention.h"
#include "decide/count.h"
#include "decide/pool.h"
#include "decide/steer.h"

#define FIRST_ROOM 16
#define LOOKS      16  /* at keys, in one ask at most */
#define MANY_LOOKS 256 /* where the program asks because of the time */

/* That the pool of a key is being made, and how it ended; kept until the last that waits for it has read it. */
struct making {
  _Atomic uint32_t done;
  int32_t users; /* under the lock of the group */
  pthread_t maker;
  pool_error_t error; /* with the code 0 it was made */
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct group *all;

bool group_begin(struct group *group, int32_t most, int64_t idle_ns, bool stepped)
{
  *group = (struct group){
      .most = most, .idle_ns = idle_ns, .stepped = stepped, .room = FIRST_ROOM, .looked_ns = clock_now()};
  group->seed = (uint64_t)group->looked_ns ^ (uint64_t)(uintptr_t)group;
  group->heads = calloc(group->room, sizeof *group->heads);
  if (!group->heads)
    return false;
  pthread_mutex_init(&group->lock, NULL);
  pthread_mutex_lock(&all_lock);
  group->next = all;
  if (all)
    all->previous = group;
  all = group;
  pthread_mutex_unlock(&all_lock);
  return true;
}

void group_end(struct group *group)
{
  assert_that(!group->oldest && !group->gone);
  event_fd_close(&group->hub.fd, &group->lock);
  pthread_mutex_lock(&all_lock);
  *(group->previous ? &group->previous->next : &all) = group->next;
  if (group->next)
    group->next->previous = group->previous;
  pthread_mutex_unlock(&all_lock);
  pthread_mutex_destroy(&group->lock);
  free(group->heads);
}

/* ---- the table ---- */

/* FNV-1a with a beginning that keys do not know. */
static uint64_t hash_of(const struct group *group, const unsigned char *key, size_t size)
{
  uint64_t hash = UINT64_C(14695981039346656037) ^ group->seed;
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ key[i]) * UINT64_C(1099511628211);
  return hash ^ hash >> 32;
}

static struct keyed **head_of(struct group *group, uint64_t hash)
{
  return &group->heads[hash & (group->room - 1)];
}

static struct keyed *find(struct group *group, const void *key, size_t size, uint64_t hash)
{
  struct keyed *keyed = *head_of(group, hash);
  while (keyed && !(keyed->hash == hash && keyed->size == size && memcmp(keyed->key, key, size) == 0))
    keyed = keyed->next;
  return keyed;
}

/* Without memory the table stays as small as it is. */
static void grow(struct group *group)
{
  struct keyed **heads = group->count < (int32_t)group->room ? NULL : calloc(2 * group->room, sizeof *heads);
  if (!heads)
    return;
  free(group->heads);
  group->heads = heads;
  group->room *= 2;
  for (struct keyed *keyed = group->oldest; keyed; keyed = keyed->newer) {
    struct keyed **head = head_of(group, keyed->hash);
    keyed->next = *head;
    *head = keyed;
  }
}

static void append(struct group *group, struct keyed *keyed)
{
  keyed->older = group->newest;
  keyed->newer = NULL;
  *(group->newest ? &group->newest->newer : &group->oldest) = keyed;
  group->newest = keyed;
}

static void unlink_age(struct group *group, struct keyed *keyed)
{
  *(keyed->older ? &keyed->older->newer : &group->oldest) = keyed->newer;
  *(keyed->newer ? &keyed->newer->older : &group->newest) = keyed->older;
}

/* ---- pools that somebody else has steered ---- */

/* Takes them from the hub, the oldest to the end. */
static void collect(struct group *group)
{
  struct pool **end = &group->steered, *next;
  while (*end)
    end = &(*end)->next_rung;
  for (struct pool *pool = atomic_exchange(&group->hub.first, NULL); pool; pool = next) {
    next = pool->next_rung;
    pool->next_rung = *end;
    *end = pool;
  }
}

static void enter_hub(struct group *group, struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->hub, &group->hub);
  pthread_mutex_unlock(&pool->lock);
}

/* After this nobody adds it to the hub's list any more. */
static void leave_hub(struct group *group, struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  atomic_store(&pool->hub, NULL);
  pthread_mutex_unlock(&pool->lock);
  if (!atomic_load(&pool->rung))
    return;
  collect(group);
  struct pool **at = &group->steered;
  while (*at && *at != pool)
    at = &(*at)->next_rung;
  if (*at)
    *at = pool->next_rung;
  atomic_store(&pool->rung, false);
}

static void take_out(struct group *group, struct keyed *keyed)
{
  if (group->stepped && keyed->pool)
    leave_hub(group, keyed->pool);
  struct keyed **at = head_of(group, keyed->hash);
  while (*at != keyed)
    at = &(*at)->next;
  *at = keyed->next;
  unlink_age(group, keyed);
  group->count--;
}

/* ---- those that are let go of ---- */

/* A connection that was opened and closed between two looks is a use, too. */
static bool is_unused(const struct group *group, struct keyed *keyed)
{
  struct pool *pool = keyed->pool;
  if (!pool)
    return false;
  pthread_mutex_lock(&pool->lock);
  bool unused = (group->stepped || pool->references == 1) && count_is_unused(pool);
  if (keyed->opened != pool->connections)
    keyed->unused_ns = 0;
  keyed->opened = pool->connections;
  pthread_mutex_unlock(&pool->lock);
  return unused;
}

static void let_go(struct group *group, struct keyed *keyed, struct keyed **gone)
{
  struct keyed **list = group->stepped ? &group->gone : gone;
  take_out(group, keyed);
  keyed->next = *list;
  *list = keyed;
  group->let_go++;
}

/* Of the step API: a get may have begun since it was seen to be unused. */
static bool close_unused(struct keyed *keyed)
{
  bool first;
  if (!steer_close_unused(keyed->pool, &first))
    return false;
  keyed->told = !first;
  return true;
}

/* Looks at the next one, which is then the last.  Returns whether it was let go of. */
static bool look(struct group *group, int64_t idle_ns, int64_t now, struct keyed **gone)
{
  struct keyed *keyed = group->oldest;
  bool unused = is_unused(group, keyed);
  if (!unused)
    keyed->unused_ns = 0;
  else if (keyed->unused_ns == 0)
    keyed->unused_ns = now;
  if (unused && now - keyed->unused_ns >= idle_ns && (!group->stepped || close_unused(keyed))) {
    let_go(group, keyed, gone);
    return true;
  }
  unlink_age(group, keyed);
  append(group, keyed);
  return false;
}

static bool is_timeless(const struct group *group)
{
  return group->idle_ns == POOL_NO_DEADLINE || group->count == 0;
}

static int64_t time_of_look(const struct group *group)
{
  return group->idle_ns / 4 / group->count + 1;
}

/* So many that all have been looked at within a quarter of the time. */
static void tend(struct group *group, int64_t now, int64_t most, struct keyed **gone)
{
  int64_t looks = is_timeless(group) ? 0 : (now - group->looked_ns) / time_of_look(group);
  if (looks == 0)
    return;
  group->looked_ns = now;
  if (looks > most)
    looks = most;
  for (looks = looks < group->count ? looks : group->count; looks > 0; looks--)
    look(group, group->idle_ns, now, gone);
}

static int64_t next_look(const struct group *group, int64_t now)
{
  if (is_timeless(group))
    return POOL_NO_DEADLINE;
  int64_t looks = group->count < MANY_LOOKS ? group->count : MANY_LOOKS;
  int64_t left = group->looked_ns + looks * time_of_look(group) - now;
  return left > 0 ? left : 0;
}

/* A place for another key: one that is unused goes, however short a time it has been. */
static bool make_room(struct group *group, int64_t now, struct keyed **gone)
{
  for (int32_t i = group->count; group->count >= group->most && i > 0; i--)
    look(group, 0, now, gone);
  return group->count < group->most;
}

/* ---- one is made ---- */

static struct keyed *make_keyed(const void *key, size_t size, uint64_t hash)
{
  struct keyed *keyed = calloc(1, sizeof *keyed + size);
  struct making *making = keyed ? calloc(1, sizeof *making) : NULL;
  if (!making) {
    free(keyed);
    return NULL;
  }
  making->users = 1;
  making->maker = pthread_self();
  keyed->users = 1;
  keyed->making = making;
  keyed->hash = hash;
  keyed->size = size;
  memcpy(keyed->key, key, size);
  return keyed;
}

void group_give_key(struct keyed *keyed)
{
  if (atomic_fetch_sub(&keyed->users, 1) == 1)
    free(keyed);
}

static struct keyed *add(struct group *group, const void *key, size_t size, uint64_t hash)
{
  struct keyed *keyed = make_keyed(key, size, hash);
  if (!keyed)
    return NULL;
  grow(group);
  keyed->next = *head_of(group, hash);
  *head_of(group, hash) = keyed;
  append(group, keyed);
  group->count++;
  return keyed;
}

static void leave_making(struct making *making)
{
  if (--making->users == 0)
    free(making);
}

/* Leaves the lock while it waits.  0: it was made, or nobody knows; the caller looks again. */
static int await(struct group *group, struct making *making, int64_t deadline_ns, pool_error_t *error)
{
  if (pthread_equal(making->maker, pthread_self()))
    return error_set(error, POOL_E_INVALID, 0, "prepare asks its group for the key whose pool it is to prepare");
  making->users++;
  pthread_mutex_unlock(&group->lock);
  while (!atomic_load(&making->done) && clock_now() < deadline_ns)
    park_wait(&making->done, 0, deadline_ns);
  pthread_mutex_lock(&group->lock);
  bool done = atomic_load(&making->done);
  pool_error_t why = making->error;
  leave_making(making);
  if (!done)
    return error_set(error, POOL_E_TIMEOUT, 0, "another thread was still making the pool of this key");
  return why.code ? error_set(error, why.code, why.native, "%s", why.message) : 0;
}

static void refer(struct pool *pool)
{
  pthread_mutex_lock(&pool->lock);
  pool->references++;
  pthread_mutex_unlock(&pool->lock);
}

static enum group_found begin(struct group *group, const void *key, size_t size, uint64_t hash, struct keyed **keyed,
                              struct keyed **gone, pool_error_t *error)
{
  if (!make_room(group, clock_now(), gone)) {
    group->refused++;
    error_set(error, POOL_E_OVERLOAD, 0,
              "the group has max_keys, %d, each with connections or users; raise max_keys, or lower idle_timeout_ms",
              group->most);
    return GROUP_FAILED;
  }
  *keyed = add(group, key, size, hash);
  if (!*keyed)
    error_set(error, POOL_E_NOMEM, 0, "no memory for another key");
  return *keyed ? GROUP_TO_MAKE : GROUP_FAILED;
}

static enum group_found find_locked(struct group *group, const void *key, size_t size, int64_t deadline_ns,
                                    struct pool **pool, struct keyed **keyed, struct keyed **gone, pool_error_t *error)
{
  uint64_t hash = hash_of(group, key, size);
  tend(group, clock_now(), LOOKS, gone);
  while (!group->closed) {
    struct keyed *found = find(group, key, size, hash);
    if (!found)
      return begin(group, key, size, hash, keyed, gone, error);
    if (found->pool && attention_closed(found->pool)) {
      found->told = true; /* its program has closed it, which ends the key */
      let_go(group, found, gone);
      continue;
    }
    if (found->pool) {
      found->unused_ns = 0;
      refer(*pool = found->pool);
      return GROUP_HAS;
    }
    if (await(group, found->making, deadline_ns, error))
      return GROUP_FAILED;
  }
  error_set(error, POOL_E_CLOSED, 0, "the group is closed");
  return GROUP_FAILED;
}

enum group_found group_find(struct group *group, const void *key, size_t size, int64_t deadline_ns, struct pool **pool,
                            struct keyed **keyed, struct keyed **gone, pool_error_t *error)
{
  pthread_mutex_lock(&group->lock);
  enum group_found found = find_locked(group, key, size, deadline_ns, pool, keyed, gone, error);
  pthread_mutex_unlock(&group->lock);
  return found;
}

static void ring(struct group *group)
{
  int cancel_state = cancel_hold(); /* a thread cancelled in the write would keep the lock */
  event_fd_write(&group->hub.fd);
  cancel_release(cancel_state);
}

bool group_made(struct group *group, struct keyed *keyed, struct pool *pool, const pool_error_t *error)
{
  pthread_mutex_lock(&group->lock);
  struct making *making = keyed->making;
  bool kept = pool && !group->closed;
  if (pool && !kept)
    making->error = (pool_error_t){sizeof making->error, POOL_E_CLOSED, 0, "the group is closed"};
  else if (!pool)
    making->error = *error;
  keyed->making = NULL;
  keyed->pool = kept ? pool : NULL;
  if (kept)
    refer(pool);
  else
    take_out(group, keyed);
  if (kept && group->stepped)
    enter_hub(group, pool);
  if (group->stepped && group->count == 1)
    ring(group); /* so far there was no time to keep */
  group->made += kept;
  atomic_store(&making->done, 1);
  park_wake(&making->done);
  leave_making(making);
  pthread_mutex_unlock(&group->lock);
  if (!kept)
    group_give_key(keyed);
  return kept;
}

/* ---- all of them ---- */

struct keyed **group_list(struct group *group, int32_t *count)
{
  pthread_mutex_lock(&group->lock);
  struct keyed **list = malloc((size_t)(group->count + 1) * sizeof *list);
  *count = 0;
  for (struct keyed *keyed = list ? group->oldest : NULL; keyed; keyed = keyed->newer)
    if (keyed->pool) {
      refer(keyed->pool);
      atomic_fetch_add(&keyed->users, 1);
      list[(*count)++] = keyed;
    }
  pthread_mutex_unlock(&group->lock);
  return list;
}

void group_close(struct group *group)
{
  pthread_mutex_lock(&group->lock);
  group->closed = true;
  pthread_mutex_unlock(&group->lock);
}

struct keyed *group_take_any(struct group *group)
{
  pthread_mutex_lock(&group->lock);
  struct keyed *keyed = group->gone ? group->gone : group->oldest;
  if (group->gone)
    group->gone = keyed->next;
  else if (keyed)
    take_out(group, keyed);
  pthread_mutex_unlock(&group->lock);
  return keyed;
}

/* ---- what the program of the step API is told ---- */

static struct pool *take_gone(struct group *group, bool *told)
{
  struct keyed *keyed = group->gone;
  struct pool *pool = keyed->pool;
  group->gone = keyed->next;
  *told = keyed->told;
  group_give_key(keyed);
  return pool;
}

static struct pool *take_steered(struct group *group)
{
  struct pool *pool = group->steered;
  group->steered = pool->next_rung;
  atomic_store(&pool->rung, false); /* the program looks after this */
  refer(pool);
  return pool;
}

static enum group_news news_locked(struct group *group, struct pool **pool, bool *told, int64_t *due_ns)
{
  int64_t now = clock_now();
  tend(group, now, MANY_LOOKS, NULL);
  if (group->gone) {
    *pool = take_gone(group, told);
    return GROUP_GONE;
  }
  collect(group);
  if (group->steered) {
    *pool = take_steered(group);
    return GROUP_STEERED;
  }
  *due_ns = next_look(group, now);
  return GROUP_NOTHING;
}

enum group_news group_news(struct group *group, struct pool **pool, bool *told, int64_t *due_ns)
{
  pthread_mutex_lock(&group->lock);
  enum group_news news = news_locked(group, pool, told, due_ns);
  pthread_mutex_unlock(&group->lock);
  return news;
}

int group_event_fd(struct group *group)
{
  pthread_mutex_lock(&group->lock);
  bool made = atomic_load(&group->hub.fd) || event_fd_make(&group->hub.fd, true);
  int fd = made ? atomic_load(&group->hub.fd) - 1 : -1;
  pthread_mutex_unlock(&group->lock);
  return fd;
}

/* ---- forks ---- */

void group_before_fork(void)
{
  pthread_mutex_lock(&all_lock);
  for (struct group *group = all; group; group = group->next)
    pthread_mutex_lock(&group->lock);
}

void group_after_fork(void)
{
  for (struct group *group = all; group; group = group->next)
    pthread_mutex_unlock(&group->lock);
  pthread_mutex_unlock(&all_lock);
}

/* What another thread of the parent was making nobody makes here.  References of such threads stay, so that a key which
   they were using is never let go of. */
static void forget_making(struct group *group)
{
  for (struct keyed *keyed = group->oldest, *newer; keyed; keyed = newer) {
    newer = keyed->newer;
    if (!keyed->making || pthread_equal(keyed->making->maker, pthread_self()))
      continue;
    take_out(group, keyed);
    free(keyed->making);
    group_give_key(keyed);
  }
}

void group_forget(void)
{
  for (struct group *group = all; group; group = group->next) {
    event_fd_after_fork(&group->hub.fd);
    forget_making(group);
  }
}
