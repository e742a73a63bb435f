/* SPDX-License-Identifier: MIT */
/*
 * What time does to connections: the keeper's look at a pool's slots.
 *
 * A look only marks, with compare-and-swaps that fail if the slot has moved meanwhile: DOOMED (close it), DUE (check it
 * before it is lent), wants_check (check it in the background), LEAK_FOUND.  Others act on the marks: whoever comes to
 * lend such a slot or to put it, and those who do the chores (keeper.c).  So a look takes no lock and calls nobody.
 *
 * No tick.  As long as slots move, looks come after a quarter of the shortest time that matters.  When nothing has
 * moved between two looks, each slot's next moment is known exactly, and the keeper sleeps until the first of them: it
 * raises `resting`, and then RESTING on each word, so the first get or put of such a slot takes the slow path and wakes
 * it.  A slot that moves while the flags are being raised makes its compare-and-swap fail, and then there is no rest.
 */
#include "watch.h"

#include <stdlib.h>

#include "clock.h"
#include "config.h"
#include "engine.h"

/* How soon a lack of idle connections is noticed while connections come and go. */
#define REFILL_TICK_NS INT64_C(100000000)

#define LEAST_TICK_NS INT64_C(1000000)

#define STATE_AND_GENERATION (STATE_MASK | GENERATION_MASK)

struct watch watches[SLOT_LIMIT];
struct extra extras[SLOT_LIMIT];

static int64_t ns_of(int64_t ms)
{
  return ms * 1000000;
}

static void set_earlier(int64_t *due, int64_t moment)
{
  if (moment < *due)
    *due = moment;
}

static void set_earlier_if_on(int64_t *due, int64_t since, int64_t ms)
{
  if (ms > 0)
    set_earlier(due, since + ns_of(ms));
}

/* ---- notes ---- */

bool watch_see(struct slot *slot, uint64_t word, int64_t now)
{
  struct watch *watch = watch_of(slot);
  if (atomic_load(&watch->word) == (word & STATE_AND_GENERATION))
    return false;
  /* In between it is no note: a word that is the same before and after a look at since_ns belongs to it. */
  atomic_store(&watch->word, 0);
  atomic_store(&watch->since_ns, now);
  atomic_store(&watch->word, word & STATE_AND_GENERATION);
  return true;
}

void watch_follow(struct slot *slot, uint64_t word, uint64_t next)
{
  uint64_t noted = (word & GENERATION_MASK) | IDLE;
  if (atomic_load(&watch_of(slot)->word) == noted)
    atomic_compare_exchange_strong(&watch_of(slot)->word, &noted, (next & GENERATION_MASK) | IDLE);
}

int64_t watch_age(struct slot *slot, int64_t now)
{
  return now - atomic_load(&watch_of(slot)->since_ns);
}

/* ---- overdue ----
 *
 * A lease renews the trust in its connection for an eighth of the shortest limit, at most until the end of its
 * lifetime. A get before that is in time, whatever the keeper does, for the connection came back after that lease.  A
 * later one judges by the notes.  Where a note does not tell since when a connection has been idle, it counts as idle
 * since the last moment at which it was not: the last look, or the last lease that renewed the trust.  One that is
 * checked or closed too early costs little; one that is lent too late may be dead.  The put of a lease that renews the
 * trust makes a note (RESTING leads it to the slow path), so that a long lease is not taken for idleness where nobody
 * looks.
 *
 * The wall clock only says when to judge.  One that was set looks like a moment out of the trusted time, before or
 * after it. */

static int64_t shortest_limit(const pool_config_t *config)
{
  int64_t shortest = POOL_NO_DEADLINE;
  set_earlier_if_on(&shortest, 0, config->idle_timeout_ms);
  set_earlier_if_on(&shortest, 0, config->check_after_ms);
  set_earlier_if_on(&shortest, 0, config->max_lifetime_ms);
  return shortest;
}

int64_t watch_trust_ns(const pool_config_t *config)
{
  int64_t shortest = shortest_limit(config);
  return shortest == POOL_NO_DEADLINE ? 0 : shortest / 8;
}

bool watch_may_be_coarse(const pool_config_t *config)
{
  return shortest_limit(config) >= 4 * clock_coarse_step();
}

void watch_trust(struct pool *pool, struct slot *slot)
{
  struct watch *watch = watch_of(slot);
  int64_t wall = clock_wall(pool->coarse), until = wall + pool->trust_ns;
  int64_t now = clock_boot(), limit = atomic_load(&watch->limit_ns);
  if (limit)
    set_earlier(&until, wall + limit - now - (pool->coarse ? clock_coarse_step() : 0));
  atomic_store(&watch->trusted_ns, now);
  atomic_store(&watch->trusted_until, until);
  atomic_fetch_or(&slot->word, RESTING);
}

int64_t watch_idle_since(struct pool *pool, struct slot *slot, uint64_t word)
{
  struct watch *watch = watch_of(slot);
  uint64_t idle = (word & GENERATION_MASK) | IDLE;
  /* Before the note: a look that ends after this may have seen what became of the slot since. */
  int64_t looked = atomic_load(&pool->looked_ns);
  uint64_t noted = atomic_load(&watch->word);
  int64_t since = atomic_load(&watch->since_ns);
  if (noted == idle && atomic_load(&watch->word) == idle)
    return since;
  int64_t trusted = atomic_load(&watch->trusted_ns);
  /* A note of this lease is later than the idleness, and the look that made it may be, too. */
  bool noted_later = (noted & GENERATION_MASK) == (idle & GENERATION_MASK);
  return noted_later || looked < trusted ? trusted : looked;
}

void watch_was_unused(struct slot *slot, uint64_t word, int64_t since)
{
  struct watch *watch = watch_of(slot);
  atomic_store(&watch->trusted_until, 0);
  atomic_store(&watch->word, 0);
  watch_see(slot, (word & GENERATION_MASK) | IDLE, since);
}

/* Whether one more may be idle for too long than has to stay. */
static bool is_spare(struct pool *pool, bool taken)
{
  return (pool->config.min_idle == 0 && pool->config.min_open == 0) || engine_spare(pool, taken, 1) > 0;
}

enum verdict watch_judge(struct pool *pool, struct slot *slot, uint64_t word, bool taken, int32_t *reason)
{
  const pool_config_t *config = &pool->config;
  int64_t now = clock_boot(), limit = atomic_load(&watch_of(slot)->limit_ns);
  *reason = POOL_REASON_LIFETIME;
  if (limit && now >= limit)
    return TO_BE_CLOSED;
  int64_t idle_ns = now - watch_idle_since(pool, slot, word);
  *reason = POOL_REASON_IDLE;
  if (config->idle_timeout_ms > 0 && idle_ns >= ns_of(config->idle_timeout_ms) && is_spare(pool, taken))
    return TO_BE_CLOSED;
  return config->check_after_ms > 0 && idle_ns >= ns_of(config->check_after_ms) ? TO_BE_CHECKED : IN_TIME;
}

/* ---- lifetimes ----
 *
 * Connections that were opened together would end together.  So each gets its end when it is opened: in the latest
 * interval before its lifetime is over in which fewer than the quota end yet.  Of all that are open the share p % may
 * end in one interval; there are n = 100 / p intervals and one more to choose from, so one has room, and none of them
 * is far from the end.  Spacing instead of jitter is an idea of pgbouncer's.
 *
 * The ends were spread by the number that was open then.  Where fewer are open now, or the look comes late, the quota
 * puts some off, but never beyond the limit: none that is idle gets older than max_lifetime_ms, whatever the quota. */

static int64_t intervals(const pool_config_t *config)
{
  return (100 + config->retire_percent - 1) / config->retire_percent;
}

static int64_t interval_ns(const pool_config_t *config)
{
  return ns_of(config->max_lifetime_ms) / (4 * intervals(config)) + 1;
}

static int32_t quota(struct pool *pool, int64_t open)
{
  return (int32_t)((open * pool->config.retire_percent + 99) / 100);
}

/* A lifetime reaches over 4 n intervals. */
size_t watch_ring_size(const pool_config_t *config)
{
  return (size_t)(4 * intervals(config) + 2);
}

static int32_t *ends_in(struct pool *pool, int64_t interval)
{
  return &pool->ends[(uint64_t)interval % watch_ring_size(&pool->config)];
}

/* When a connection goes in any case: so long before its limit that it is closed by then. */
static int64_t last_end(const pool_config_t *config, int64_t limit_ns)
{
  return limit_ns - interval_ns(config) / 2;
}

static int64_t choose_end(struct pool *pool, int64_t limit_ns)
{
  int64_t length = interval_ns(&pool->config);
  int64_t chosen = limit_ns / length - 1;
  int64_t first = chosen - intervals(&pool->config);
  int32_t most = quota(pool, pool->open);
  while (chosen > first && *ends_in(pool, chosen) >= most)
    chosen--;
  int32_t place = ++*ends_in(pool, chosen);
  int64_t end = chosen * length + length * (place < most ? place : most) / (most + 1);
  int64_t last = last_end(&pool->config, limit_ns); /* not before this interval */
  return end < last ? end : last;
}

/* Its server counts from when the open began.  But one that took long must not leave a connection that is at its end
   when it comes. */
static int64_t limit_of(const pool_config_t *config, int64_t now, int64_t took_ns)
{
  int64_t lifetime = ns_of(config->max_lifetime_ms);
  int64_t age = took_ns < 0 ? 0 : took_ns < lifetime / 4 ? took_ns : lifetime / 4;
  return now - age + lifetime;
}

void watch_begin(struct pool *pool, struct slot *slot, int64_t now, int64_t took_ns)
{
  struct watch *watch = watch_of(slot);
  atomic_store(&watch->checked_ns, now);
  /* It will be idle now, or it is lent and moves. */
  watch_see(slot, (atomic_load(&slot->word) & GENERATION_MASK) | IDLE, now);
  if (pool->config.max_lifetime_ms > 0) {
    int64_t limit_ns = limit_of(&pool->config, now, took_ns);
    atomic_store(&watch->limit_ns, limit_ns);
    atomic_store(&watch->retire_ns, choose_end(pool, limit_ns));
  }
  if (pool->trust_ns)
    watch_trust(pool, slot);
}

/* Writes only on change: an array whose pages nobody writes takes no memory. */
static void forget_int64(_Atomic int64_t *member)
{
  if (atomic_load(member))
    atomic_store_explicit(member, 0, memory_order_release);
}

static void forget_flag(_Atomic uint8_t *member)
{
  if (atomic_load(member))
    atomic_store_explicit(member, 0, memory_order_release);
}

static char *forget_extra(struct slot *slot)
{
  struct extra *extra = extra_of(slot);
  char *tag = extra->tag;
  if (tag)
    extra->tag = NULL;
  if (extra->cause) {
    free(extra->cause);
    extra->cause = NULL;
  }
  forget_int64(&extra->until_ns);
  forget_flag(&extra->for_nobody);
  return tag;
}

char *watch_end(struct pool *pool, struct slot *slot)
{
  struct watch *watch = watch_of(slot);
  int64_t end = atomic_load(&watch->retire_ns);
  if (end)
    --*ends_in(pool, end / interval_ns(&pool->config));
  if (atomic_load(&watch->word))
    atomic_store(&watch->word, 0);
  forget_int64(&watch->retire_ns);
  forget_int64(&watch->limit_ns);
  forget_int64(&watch->checked_ns);
  forget_int64(&watch->trusted_ns);
  forget_int64(&watch->trusted_until);
  forget_flag(&watch->reason);
  forget_flag(&watch->wants_check);
  forget_flag(&watch->leak);
  return forget_extra(slot);
}

/* No more than the quota end in one interval, as long as their limits permit. */
static bool may_retire(struct pool *pool, const struct look *look)
{
  int64_t interval = look->boot / interval_ns(&pool->config);
  if (pool->retiring_interval != interval) {
    pool->retiring_interval = interval;
    pool->retired = 0;
  }
  return pool->retired < quota(pool, look->open);
}

/* ---- the look ---- */

bool watch_is_needed(const pool_config_t *config)
{
  return config_refills(config) || config->idle_timeout_ms > 0 || config->max_lifetime_ms > 0 ||
         config->check_after_ms > 0 || config->keepalive_ms > 0 || config->leak_after_ms > 0 ||
         config->retry_min_ms > 0;
}

int64_t watch_first_due(const pool_config_t *config, struct slot *slot)
{
  int64_t since = atomic_load(&watch_of(slot)->since_ns);
  int64_t end = atomic_load(&watch_of(slot)->retire_ns);
  int64_t due = end ? end : POOL_NO_DEADLINE;
  set_earlier_if_on(&due, since, config->idle_timeout_ms);
  set_earlier_if_on(&due, since, config->check_after_ms);
  set_earlier_if_on(&due, since, config->keepalive_ms);
  set_earlier_if_on(&due, since, config->leak_after_ms);
  return clock_from_boot(due);
}

static int64_t keepalive_due(const pool_config_t *config, struct slot *slot)
{
  int64_t since = atomic_load(&watch_of(slot)->since_ns), checked = atomic_load(&watch_of(slot)->checked_ns);
  return (checked > since ? checked : since) + ns_of(config->keepalive_ms);
}

bool watch_is_keepalive_due(const pool_config_t *config, struct slot *slot, int64_t now)
{
  return now >= keepalive_due(config, slot);
}

/* How long after a look that saw something move the next one comes. */
static int64_t tick(const pool_config_t *config)
{
  int64_t shortest = POOL_NO_DEADLINE;
  set_earlier_if_on(&shortest, 0, config->idle_timeout_ms);
  set_earlier_if_on(&shortest, 0, config->check_after_ms);
  set_earlier_if_on(&shortest, 0, config->keepalive_ms);
  set_earlier_if_on(&shortest, 0, config->leak_after_ms);
  shortest = shortest == POOL_NO_DEADLINE ? shortest : shortest / 4;
  if (config_refills(config))
    set_earlier(&shortest, REFILL_TICK_NS);
  return shortest < LEAST_TICK_NS ? LEAST_TICK_NS : shortest;
}

/* Sets flags on a word, if the slot has not moved since it was read. */
static bool mark(struct slot *slot, uint64_t *word, uint64_t flags)
{
  while (!atomic_compare_exchange_weak(&slot->word, word, *word | flags))
    if ((*word & STATE_AND_GENERATION) != atomic_load(&watch_of(slot)->word))
      return false;
  *word |= flags;
  return true;
}

/* Dooms a slot that is what it was when it was looked at. */
static void doom_unmoved(struct slot *slot, uint64_t *word, uint8_t reason, struct look *look)
{
  atomic_store(&watch_of(slot)->reason, reason);
  if (!mark(slot, word, DOOMED))
    atomic_store(&watch_of(slot)->reason, POOL_REASON_NONE);
  else if (state_of(*word) == IDLE)
    look->chores = true;
}

/* The end of a lifetime is the connection's, whatever its slot does meanwhile: one that never stands still ends too. */
static bool retire(struct slot *slot, uint64_t *seen, int64_t end, struct look *look)
{
  uint64_t word = *seen;
  do {
    enum slot_state state = state_of(word);
    if (state == EMPTY || state == OPENING || state == CLOSING || (word & DOOMED) ||
        atomic_load(&watch_of(slot)->retire_ns) != end)
      return false;
    atomic_store(&watch_of(slot)->reason, POOL_REASON_LIFETIME);
  } while (!atomic_compare_exchange_weak(&slot->word, &word, word | DOOMED));
  if (word == *seen)
    *seen |= DOOMED;
  look->chores = look->chores || state_of(word) == IDLE;
  return true;
}

static void look_at_lifetime(struct pool *pool, struct slot *slot, uint64_t *word, struct look *look)
{
  int64_t end = atomic_load(&watch_of(slot)->retire_ns);
  if (end == 0 || (*word & DOOMED))
    return;
  int64_t last = last_end(&pool->config, atomic_load(&watch_of(slot)->limit_ns));
  if (look->boot < end) {
    set_earlier(&look->due_ns, end);
  } else if (may_retire(pool, look) || look->boot >= last) {
    pool->retired += retire(slot, word, end, look);
  } else {
    set_earlier(&look->due_ns, (pool->retiring_interval + 1) * interval_ns(&pool->config));
    set_earlier(&look->due_ns, last);
  }
}

static void look_at_idle(struct pool *pool, struct slot *slot, uint64_t word, int64_t *spare, struct look *look)
{
  const pool_config_t *config = &pool->config;
  struct watch *watch = watch_of(slot);
  int64_t since = atomic_load(&watch->since_ns);
  if (word & DOOMED)
    return; /* was not counted as idle */
  look_at_lifetime(pool, slot, &word, look);
  if (config->idle_timeout_ms > 0 && !(word & DOOMED) && *spare > 0) {
    if (look->boot < since + ns_of(config->idle_timeout_ms))
      set_earlier(&look->due_ns, since + ns_of(config->idle_timeout_ms));
    else
      doom_unmoved(slot, &word, POOL_REASON_IDLE, look);
  }
  if (word & DOOMED) {
    --*spare;
    return;
  }
  if (config->check_after_ms > 0 && !(word & DUE)) {
    if (look->boot < since + ns_of(config->check_after_ms))
      set_earlier(&look->due_ns, since + ns_of(config->check_after_ms));
    else
      mark(slot, &word, DUE);
  }
  if (config->keepalive_ms > 0) {
    int64_t next = keepalive_due(config, slot);
    if (look->boot >= next) {
      atomic_store(&watch->wants_check, CHECK_KEEPALIVE);
      look->chores = true;
      next = look->boot + ns_of(config->keepalive_ms);
    }
    set_earlier(&look->due_ns, next);
  }
}

static void look_at_leased(struct pool *pool, struct slot *slot, uint64_t word, struct look *look)
{
  struct watch *watch = watch_of(slot);
  if (!(word & DOOMED))
    look_at_lifetime(pool, slot, &word, look);
  if (pool->config.leak_after_ms <= 0 || atomic_load(&watch->leak) != LEAK_NONE)
    return;
  int64_t moment = atomic_load(&watch->since_ns) + ns_of(pool->config.leak_after_ms);
  if (look->boot < moment) {
    set_earlier(&look->due_ns, moment);
  } else {
    atomic_store(&watch->leak, LEAK_FOUND);
    /* So that its return takes the slow path and tells. */
    if (mark(slot, &word, RESTING))
      look->leaks = true;
    else
      atomic_store(&watch->leak, LEAK_NONE);
  }
}

/* Whoever lends or puts one of the slots from now on wakes the keeper.  False if one has moved already. */
static bool rest(struct pool *pool)
{
  atomic_store(&pool->resting, true);
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    bool moves = state_of(word) == IDLE || state_of(word) == LEASED;
    if (moves && scan_owns(&scan, slot) &&
        (atomic_load(&watch_of(slot)->word) != (word & STATE_AND_GENERATION) ||
         (!(word & RESTING) && !mark(slot, &word, RESTING)))) {
      atomic_store(&pool->resting, false);
      return false;
    }
  }
  return true;
}

void watch_look(struct pool *pool, struct look *look)
{
  bool moved = false;
  int64_t due_ns = look->due_ns; /* on clock_now(), unlike those that follow */
  /* The program or the machine was stopped, or nobody looked: what came back may have been idle all the time. */
  bool late = pool->trust_ns && look->boot - atomic_load(&pool->looked_ns) > 3 * pool->trust_ns;
  look->due_ns = POOL_NO_DEADLINE;
  int64_t spare = engine_spare(pool, false, INT32_MAX);
  atomic_store(&pool->resting, false);
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = atomic_load(&slot->word);
    if (!scan_owns(&scan, slot))
      continue;
    if (state_of(word) == CHECKING || state_of(word) == RETURNING)
      look_at_lifetime(pool, slot, &word, look);
    if (state_of(word) != IDLE && state_of(word) != LEASED)
      continue;
    bool late_for_idle = late && state_of(word) == IDLE;
    if (watch_see(slot, word, late_for_idle ? watch_idle_since(pool, slot, word) : look->boot)) {
      atomic_store(&watch_of(slot)->leak, LEAK_NONE);
      moved = true;
    }
    if (state_of(word) == IDLE)
      look_at_idle(pool, slot, word, &spare, look);
    else
      look_at_leased(pool, slot, word, look);
  }
  atomic_store(&pool->looked_ns, look->boot);
  int64_t next = tick(&pool->config);
  if (next != POOL_NO_DEADLINE && (moved || !rest(pool)))
    set_earlier(&look->due_ns, look->boot + next);
  if (look->due_ns != POOL_NO_DEADLINE)
    look->due_ns += look->now - look->boot;
  set_earlier(&look->due_ns, due_ns);
}
