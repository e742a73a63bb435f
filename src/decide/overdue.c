/* SPDX-License-Identifier: MIT */
/*
 * A lease renews the trust in its connection for an eighth of the shortest limit, at most until the end of its
 * lifetime. A get before that is in time, whatever the keeper does, for the connection came back after that lease.  A
 * later one judges by the notes.  Where a note does not tell since when a connection has been idle, it counts as idle
 * since the last moment at which it was not: the last look, or the last lease that renewed the trust.  One that is
 * checked or closed too early costs little; one that is lent too late may be dead.  The put of a lease that renews the
 * trust makes a note (RESTING leads it to the slow path), so that a long lease is not taken for idleness where nobody
 * looks.
 *
 * The wall clock only says when to judge.  One that was set looks like a moment out of the trusted time, before or
 * after it.
 */
#include "decide/overdue.h"

#include "base/clock.h"
#include "slot/notes.h"
#include "slot/slot.h"
#include "decide/pool.h"
#include "decide/room.h"
#include "decide/setting.h"

static int64_t shortest_limit(const pool_config_t *config)
{
  int64_t shortest = POOL_NO_DEADLINE;
  set_earlier_if_on(&shortest, 0, config->idle_timeout_ms);
  set_earlier_if_on(&shortest, 0, config->check_after_ms);
  set_earlier_if_on(&shortest, 0, config->max_lifetime_ms);
  return shortest;
}

int64_t overdue_trust_ns(const pool_config_t *config)
{
  int64_t shortest = shortest_limit(config);
  return shortest == POOL_NO_DEADLINE ? 0 : shortest / 8;
}

bool overdue_may_be_coarse(const pool_config_t *config)
{
  return shortest_limit(config) >= 4 * clock_coarse_step();
}

/* Such a lease may turn out to be unused.  A new connection has not been idle yet. */
static void note_rest(struct pool *pool, struct slot *slot, int64_t now)
{
  struct extra *extra = extra_of(slot);
  uint64_t word = slot_word(slot);
  bool is_new = atomic_load(&notes_of(slot)->trusted_ns) == 0;
  atomic_store(&extra->rested_ns, is_new ? now : overdue_idle_since(pool, slot, word));
  atomic_store(&extra->rested, (int64_t)(word & GENERATION_MASK));
}

void overdue_trust(struct pool *pool, struct slot *slot)
{
  struct notes *notes = notes_of(slot);
  int64_t wall = clock_wall(pool->coarse), until = wall + pool->trust_ns;
  int64_t now = clock_boot(), limit = atomic_load(&notes->limit_ns);
  if (pool->stepped)
    note_rest(pool, slot, now);
  if (limit)
    set_earlier(&until, wall + limit - now - (pool->coarse ? clock_coarse_step() : 0));
  atomic_store(&notes->trusted_ns, now);
  atomic_store(&notes->trusted_until, until);
  slot_flag(slot, RESTING);
}

int64_t overdue_idle_since(struct pool *pool, struct slot *slot, uint64_t word)
{
  struct notes *notes = notes_of(slot);
  uint64_t idle = slot_idle_word(word);
  /* Before the note: a look that ends after this may have seen what became of the slot since. */
  int64_t looked = atomic_load(&pool->looks.last_ns);
  uint64_t noted = atomic_load(&notes->word);
  int64_t since = atomic_load(&notes->since_ns);
  if (noted == idle && atomic_load(&notes->word) == idle)
    return since;
  int64_t trusted = atomic_load(&notes->trusted_ns);
  /* A note of this lease is later than the idleness, and the look that made it may be, too. */
  bool noted_later = (noted & GENERATION_MASK) == (idle & GENERATION_MASK);
  return noted_later || looked < trusted ? trusted : looked;
}

int64_t overdue_unused_since(struct pool *pool, struct slot *slot, uint64_t word)
{
  struct extra *extra = extra_of(slot);
  if (pool->stepped && atomic_load(&extra->rested) == (int64_t)(word & GENERATION_MASK))
    return atomic_load(&extra->rested_ns);
  return overdue_idle_since(pool, slot, word);
}

void overdue_was_unused(struct slot *slot, uint64_t word, int64_t since)
{
  struct notes *notes = notes_of(slot);
  atomic_store(&notes->trusted_until, 0);
  atomic_store(&notes->word, 0);
  notes_see(slot, slot_idle_word(word), since);
}

/* Whether one more may be idle for too long than has to stay. */
static bool is_spare(struct pool *pool, bool taken)
{
  return !room_refills(&pool->config) || room_spare(pool, taken, 1) > 0;
}

enum verdict overdue_judge(struct pool *pool, struct slot *slot, uint64_t word, bool taken, int32_t *reason)
{
  const pool_config_t *config = &pool->config;
  int64_t now = clock_boot(), limit = atomic_load(&notes_of(slot)->limit_ns);
  *reason = POOL_REASON_LIFETIME;
  if (limit && now >= limit)
    return TO_BE_CLOSED;
  int64_t idle_ns = now - overdue_idle_since(pool, slot, word);
  *reason = POOL_REASON_IDLE;
  int64_t idle_ms = setting_now(config->idle_timeout_ms);
  if (idle_ms > 0 && idle_ns >= ns_of(idle_ms) && is_spare(pool, taken))
    return TO_BE_CLOSED;
  return config->check_after_ms > 0 && idle_ns >= ns_of(config->check_after_ms) ? TO_BE_CHECKED : IN_TIME;
}
