/* SPDX-License-Identifier: MIT */
/*
 * What time does to connections: the keeper's look at a pool's slots.
 *
 * A look only marks, with compare-and-swaps that fail if the slot has moved meanwhile: DOOMED (close it), DUE (check it
 * before it is lent), wants_check (check it in the background), LEAK_FOUND.  Others act on the marks: a get that comes
 * to lend such a slot, the put of its lease, and the chores.  So a look takes no lock and calls nobody.
 *
 * No tick.  As long as slots move, looks come after a quarter of the shortest time that matters.  When nothing has
 * moved between two looks, each slot's next moment is known exactly, and the keeper sleeps until the first of them: it
 * raises RESTING on each word, so the first get or put of such a slot takes the slow path and wakes it.  A slot that
 * moves while the flags are being raised makes its compare-and-swap fail, and then there is no rest.  `resting` is up
 * from the beginning of the look, for a put on the slow path leaves a note that looks like one of this look's.
 */
#include "decide/look.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/text.h"
#include "slot/idle.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/attention.h"
#include "decide/life.h"
#include "decide/lifetime.h"
#include "decide/overdue.h"
#include "decide/pool.h"
#include "decide/queue.h"
#include "decide/room.h"
#include "decide/setting.h"
#include "decide/step.h"

/* How soon a lack of idle connections is noticed while connections come and go. */
#define REFILL_TICK_NS INT64_C(100000000)

#define LEAST_TICK_NS INT64_C(1000000)

bool look_is_needed(const pool_config_t *config)
{
  return room_refills(config) || config->idle_timeout_ms > 0 || config->max_lifetime_ms > 0 ||
         config->check_after_ms > 0 || config->keepalive_ms > 0 || config->leak_after_ms > 0 ||
         config->retry_min_ms > 0;
}

int64_t look_first_due(const pool_config_t *config, struct slot *slot)
{
  int64_t since = atomic_load(&notes_of(slot)->since_ns);
  int64_t end = atomic_load(&notes_of(slot)->retire_ns);
  int64_t due = end ? end : POOL_NO_DEADLINE;
  set_earlier_if_on(&due, since, setting_now(config->idle_timeout_ms));
  set_earlier_if_on(&due, since, config->check_after_ms);
  set_earlier_if_on(&due, since, setting_now(config->keepalive_ms));
  set_earlier_if_on(&due, since, setting_now(config->leak_after_ms));
  return clock_from_boot(due);
}

static int64_t keepalive_due(const pool_config_t *config, struct slot *slot)
{
  int64_t since = atomic_load(&notes_of(slot)->since_ns), checked = atomic_load(&notes_of(slot)->checked_ns);
  return (checked > since ? checked : since) + ns_of(setting_now(config->keepalive_ms));
}

bool look_is_keepalive_due(const pool_config_t *config, struct slot *slot, int64_t now)
{
  return now >= keepalive_due(config, slot);
}

/* How long after a look that saw something move the next one comes. */
static int64_t tick(const pool_config_t *config)
{
  int64_t shortest = POOL_NO_DEADLINE;
  set_earlier_if_on(&shortest, 0, setting_now(config->idle_timeout_ms));
  set_earlier_if_on(&shortest, 0, config->check_after_ms);
  set_earlier_if_on(&shortest, 0, setting_now(config->keepalive_ms));
  set_earlier_if_on(&shortest, 0, setting_now(config->leak_after_ms));
  shortest = shortest == POOL_NO_DEADLINE ? shortest : shortest / 4;
  if (room_refills(config))
    set_earlier(&shortest, REFILL_TICK_NS);
  return shortest < LEAST_TICK_NS ? LEAST_TICK_NS : shortest;
}

/* Sets flags on a word, if the slot has not moved since it was read. */
static bool mark(struct slot *slot, uint64_t *word, uint64_t flags)
{
  while (!slot_raise(slot, word, flags))
    if ((*word & STATE_AND_GENERATION) != atomic_load(&notes_of(slot)->word))
      return false;
  return true;
}

/* Dooms a slot that is what it was when it was looked at. */
static void doom_unmoved(struct slot *slot, uint64_t *word, uint8_t reason, struct look *look)
{
  atomic_store(&notes_of(slot)->reason, reason);
  if (!mark(slot, word, DOOMED))
    atomic_store(&notes_of(slot)->reason, POOL_REASON_NONE);
  else if (state_of(*word) == IDLE)
    look->chores = true;
}

/* The end of a lifetime is the connection's, whatever its slot does meanwhile: one that never stands still ends too. */
static bool retire(struct slot *slot, uint64_t *seen, int64_t end, struct look *look)
{
  uint64_t word = *seen;
  do {
    if (!slot_stays(word) || state_of(word) == OPENING || atomic_load(&notes_of(slot)->retire_ns) != end)
      return false;
    atomic_store(&notes_of(slot)->reason, POOL_REASON_LIFETIME);
  } while (!slot_raise(slot, &word, DOOMED));
  if (word == (*seen | DOOMED))
    *seen = word;
  look->chores = look->chores || state_of(word) == IDLE;
  return true;
}

static void look_at_lifetime(struct pool *pool, struct slot *slot, uint64_t *word, struct look *look)
{
  int64_t end = atomic_load(&notes_of(slot)->retire_ns);
  if (end == 0 || (*word & DOOMED))
    return;
  int64_t last = lifetime_last_end(&pool->config, atomic_load(&notes_of(slot)->limit_ns));
  if (look->boot < end) {
    set_earlier(&look->due_ns, end);
  } else if (lifetime_may_retire(pool, look) || look->boot >= last) {
    pool->looks.retired += retire(slot, word, end, look);
  } else {
    set_earlier(&look->due_ns, (pool->looks.retiring_interval + 1) * lifetime_interval_ns(&pool->config));
    set_earlier(&look->due_ns, last);
  }
}

static void look_at_idle(struct pool *pool, struct slot *slot, uint64_t word, int64_t *spare, struct look *look)
{
  const pool_config_t *config = &pool->config;
  struct notes *notes = notes_of(slot);
  int64_t since = atomic_load(&notes->since_ns);
  int64_t idle_ms = setting_now(config->idle_timeout_ms), keepalive_ms = setting_now(config->keepalive_ms);
  if (word & DOOMED)
    return; /* was not counted as idle */
  look_at_lifetime(pool, slot, &word, look);
  if (idle_ms > 0 && !(word & DOOMED) && *spare > 0) {
    if (look->boot < since + ns_of(idle_ms))
      set_earlier(&look->due_ns, since + ns_of(idle_ms));
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
  if (keepalive_ms > 0) {
    int64_t next = keepalive_due(config, slot);
    if (look->boot >= next) {
      atomic_store(&notes->wants_check, CHECK_KEEPALIVE);
      look->chores = true;
      next = look->boot + ns_of(keepalive_ms);
    }
    set_earlier(&look->due_ns, next);
  }
}

static void look_at_leased(struct pool *pool, struct slot *slot, uint64_t word, struct look *look)
{
  struct notes *notes = notes_of(slot);
  if (!(word & DOOMED))
    look_at_lifetime(pool, slot, &word, look);
  int64_t leak_after_ms = setting_now(pool->config.leak_after_ms);
  if (leak_after_ms <= 0 || atomic_load(&notes->leak) != LEAK_NONE)
    return;
  int64_t moment = atomic_load(&notes->since_ns) + ns_of(leak_after_ms);
  if (look->boot < moment) {
    set_earlier(&look->due_ns, moment);
  } else {
    atomic_store(&notes->leak, LEAK_FOUND);
    /* So that its return takes the slow path and tells. */
    if (mark(slot, &word, RESTING))
      look->leaks = true;
    else
      atomic_store(&notes->leak, LEAK_NONE);
  }
}

/* From now on a get or put of one of the slots wakes the keeper.  False if one has moved already. */
static bool rest(struct pool *pool)
{
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    bool moves = state_of(word) == IDLE || state_of(word) == LEASED;
    if (moves && scan_owns(&scan, slot) &&
        (atomic_load(&notes_of(slot)->word) != (word & STATE_AND_GENERATION) ||
         (!(word & RESTING) && !mark(slot, &word, RESTING))))
      return false;
  }
  return atomic_load(&pool->looks.resting);
}

void look_over(struct pool *pool, struct look *look)
{
  bool moved = false;
  int64_t due_ns = look->due_ns; /* on clock_now(), unlike those that follow */
  /* The program or the machine was stopped, or nobody looked: what came back may have been idle all the time. */
  bool late = pool->trust_ns && look->boot - atomic_load(&pool->looks.last_ns) > 3 * pool->trust_ns;
  look->due_ns = POOL_NO_DEADLINE;
  /* What is put from now on is told: this look may have passed its slot already, and rest() may find it noted. */
  atomic_store(&pool->looks.resting, true);
  int64_t spare = room_spare(pool, false, INT32_MAX);
  struct scan scan = scan_all(&pool->rows);
  for (struct slot *slot; (slot = scan_next(&scan));) {
    uint64_t word = slot_word(slot);
    if (!scan_owns(&scan, slot))
      continue;
    if (state_of(word) == CHECKING || state_of(word) == RETURNING)
      look_at_lifetime(pool, slot, &word, look);
    if (state_of(word) != IDLE && state_of(word) != LEASED)
      continue;
    bool late_for_idle = late && state_of(word) == IDLE;
    if (notes_see(slot, word, late_for_idle ? overdue_idle_since(pool, slot, word) : look->boot)) {
      atomic_store(&notes_of(slot)->leak, LEAK_NONE);
      moved = true;
    }
    if (state_of(word) == IDLE)
      look_at_idle(pool, slot, word, &spare, look);
    else
      look_at_leased(pool, slot, word, look);
  }
  atomic_store(&pool->looks.last_ns, look->boot);
  int64_t next = tick(&pool->config);
  if (next == POOL_NO_DEADLINE || moved || !rest(pool)) {
    atomic_store(&pool->looks.resting, false);
    if (next != POOL_NO_DEADLINE)
      set_earlier(&look->due_ns, look->boot + next);
  }
  if (look->due_ns != POOL_NO_DEADLINE)
    look->due_ns += look->now - look->boot;
  set_earlier(&look->due_ns, due_ns);
}

/* Whether somebody wants the next try of a failed open. */
static bool wants_retry(struct pool *pool)
{
  return pool->config.retry_min_ms > 0 && pool->breaker.failures > 0 && pool->room.opening == 0 &&
         (pool->breaker.open || pool->queue.first || room_refills(&pool->config));
}

void look_take(struct pool *pool, struct look *look, struct step *step)
{
  *step = (struct step){0};
  *look = (struct look){.now = clock_now(), .boot = clock_boot(), .due_ns = POOL_NO_DEADLINE};
  if (!pool->needs_watch || attention_closed(pool))
    return;
  pthread_mutex_lock(&pool->lock);
  look->open = pool->room.open;
  if (room_refills(&pool->config) && pool->room.refill_at_ns > look->now)
    look->due_ns = pool->room.refill_at_ns;
  if (room_refills(&pool->config) && pool->left_over.checks > 0 && pool->left_over.until_ns > look->now)
    set_earlier(&look->due_ns, pool->left_over.until_ns); /* what is checked counts as idle soon until then */
  if (wants_retry(pool)) {
    if (pool->breaker.retry_at_ns > look->now)
      look->due_ns = look->due_ns < pool->breaker.retry_at_ns ? look->due_ns : pool->breaker.retry_at_ns;
    else if (room_permits(pool, true)) /* else the step that makes room serves */
      look->chores = !pool->stepped || pool->breaker.open;
    queue_serve(pool, step);
  }
  look->chores = look->chores || room_needs_refill(pool) ||
                 (pool->stepped && (atomic_load(&pool->chores.marked) || pool->told.first));
  life_unlock(pool);
  look_over(pool, look);
  queue_hope_less(pool, step); /* what is too old may have been the last */
  if (look->chores) {
    atomic_store(&pool->chores.marked, true);
    step->worker_wanted = true;
  }
}

bool look_next_leak(struct pool *pool, struct scan *cursor, struct leak *leak)
{
  bool found = false;
  int64_t now = clock_boot();
  pthread_mutex_lock(&pool->lock);
  for (struct slot *slot; !found && cursor->block && (slot = scan_next(cursor));) {
    struct notes *notes = notes_of(slot);
    uint64_t word = slot_word(slot);
    uint8_t state = LEAK_FOUND;
    found = atomic_load(&notes->leak) == LEAK_FOUND && state_of(word) == LEASED &&
            atomic_compare_exchange_strong(&notes->leak, &state, LEAK_TOLD);
    if (!found)
      continue;
    *leak = (struct leak){.lease = lease_of(slot, word),
                          .held_ns = notes_age(slot, now),
                          .connection = atomic_load(&slot->connection),
                          .holder = atomic_load(&slot->holder)};
    const char *tag = extra_of(slot)->tag;
    text_copy(leak->tag, sizeof leak->tag, tag ? tag : "");
    pool->counts.leaked++;
  }
  life_unlock(pool);
  return found;
}
