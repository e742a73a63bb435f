/* SPDX-License-Identifier: MIT */
/*
 * Gets and puts by the words that pool_step_view() shows, in place of pool_step_begin() and pool_step_end(): the linker
 * puts them there.  So the tests of the step API say the same of a program that does this itself.
 */
#include "support.h"

enum { POOLS = 64 };

pool_lease_t __real_pool_step_begin(pool_t *pool, int64_t timeout_ms, int64_t ticket, pool_step_t *step);
pool_lease_t __wrap_pool_step_begin(pool_t *pool, int64_t timeout_ms, int64_t ticket, pool_step_t *step);
int __real_pool_step_end(pool_lease_t lease, pool_step_t *step);
int __wrap_pool_step_end(pool_lease_t lease, pool_step_t *step);

/* The lease that a pool's slot gives next which this thread used last.  A pool that takes the memory of another finds
   what is no lease of its own. */
static _Thread_local struct home {
  pool_t *pool;
  uint64_t next;
} homes[POOLS];

static struct home *home_of(pool_t *pool)
{
  struct home *home = homes;
  while (home->pool && home->pool != pool && home < &homes[POOLS - 1])
    home++;
  home->pool = pool;
  return home;
}

static _Atomic uint64_t *word_of(const pool_view_t *view, uint64_t lease)
{
  return (_Atomic uint64_t *)((char *)view->slots + (lease & view->slot_mask) * view->slot_bytes);
}

static uint64_t following(const pool_view_t *view, uint64_t number)
{
  return (number + view->generation) & ~view->beyond;
}

static pool_lease_t take(const pool_view_t *view, struct home *home)
{
  uint64_t base = home->next & ~view->slot_mask, word = base + view->idle;
  if (atomic_load((_Atomic uint32_t *)view->attention) & view->get_stops)
    return 0;
  return atomic_compare_exchange_strong(word_of(view, home->next), &word, base + view->lent) ? (pool_lease_t)home->next
                                                                                             : 0;
}

pool_lease_t __wrap_pool_step_begin(pool_t *pool, int64_t timeout_ms, int64_t ticket, pool_step_t *step)
{
  pool_view_t view = POOL_VIEW_INIT;
  bool plain = pool && timeout_ms >= -1 && ticket == 0 && step && step->size == sizeof *step;
  if (!plain || pool_step_view(pool, &view))
    return __real_pool_step_begin(pool, timeout_ms, ticket, step);
  struct home *home = home_of(pool);
  pool_lease_t lease = take(&view, home);
  if (!lease)
    lease = __real_pool_step_begin(pool, timeout_ms, ticket, step);
  else if ((atomic_load((_Atomic uint32_t *)view.attention) & view.get_asks) || !((uint64_t)lease & view.untimed))
    lease = pool_step_taken(pool, timeout_ms, lease, step);
  else
    *step = (pool_step_t)POOL_STEP_INIT;
  if (lease > 0)
    home->next = following(&view, (uint64_t)lease);
  return lease;
}

/* Whether what looks for idle connections looks at this one. */
static bool is_hinted(const pool_view_t *view, uint64_t lease)
{
  char *slot = (char *)word_of(view, lease);
  char *block = atomic_load((char *_Atomic *)(slot + view->block_at));
  uint64_t bit = atomic_load((_Atomic uint64_t *)(slot + view->bit_at));
  return atomic_load((_Atomic uint64_t *)(block + view->hint_at)) & bit;
}

/* Whether the library is to be asked after a put. */
static bool asks_after(const pool_view_t *view)
{
  uint32_t attention = atomic_load((_Atomic uint32_t *)view->attention);
  return attention & view->put_asks &&
         (attention & (view->put_asks | view->told | view->due)) != (view->waits | view->told);
}

/* The view of the pool whose lease this is. */
static bool view_of(pool_lease_t lease, pool_view_t *view)
{
  for (struct home *home = homes; home < &homes[POOLS] && home->pool; home++) {
    *view = (pool_view_t)POOL_VIEW_INIT;
    if (pool_step_view(home->pool, view) == 0 && home->next == following(view, (uint64_t)lease))
      return true;
  }
  return false;
}

/* Whether a lease that was lent is out. */
static bool is_out(const pool_view_t *view, uint64_t lease)
{
  return ((atomic_load(word_of(view, lease)) ^ lease) & (view->beyond - view->generation)) == 0;
}

/* A put by the words, as far as they allow it. */
static int put(const pool_view_t *view, pool_lease_t lease, pool_step_t *step)
{
  uint64_t number = (uint64_t)lease, base = number & ~view->slot_mask, word = base + view->plain;
  if (!atomic_compare_exchange_strong(word_of(view, number), &word, following(view, base) + view->idle))
    return __real_pool_step_end(lease, step);
  if (!is_hinted(view, number) || asks_after(view))
    return pool_step_given(lease, step);
  *step = (pool_step_t)POOL_STEP_INIT;
  return 0;
}

/* In any case the words say whether the lease is out. */
int __wrap_pool_step_end(pool_lease_t lease, pool_step_t *step)
{
  pool_view_t view;
  uint64_t number = (uint64_t)lease;
  if (!step || step->size != sizeof *step || !view_of(lease, &view) || !(number & view.untimed))
    return __real_pool_step_end(lease, step);
  bool was_out = is_out(&view, number);
  int code = put(&view, lease, step);
  must(code || was_out);
  must(!is_out(&view, number));
  return code;
}
