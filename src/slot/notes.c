/* SPDX-License-Identifier: MIT */
#include "slot/notes.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/pages.h"
#include "slot/slot.h"

struct notes all_notes[SLOT_LIMIT];
struct extra extras[SLOT_LIMIT];

void notes_begin(void)
{
  pages_small(all_notes, sizeof all_notes);
  pages_small(extras, sizeof extras);
}

bool notes_see(struct slot *slot, uint64_t word, int64_t now)
{
  struct notes *notes = notes_of(slot);
  if (atomic_load(&notes->word) == (word & STATE_AND_GENERATION))
    return false;
  /* In between it is no note: a word that is the same before and after a look at since_ns belongs to it. */
  atomic_store(&notes->word, 0);
  atomic_store(&notes->since_ns, now);
  atomic_store(&notes->word, word & STATE_AND_GENERATION);
  return true;
}

void notes_follow(struct slot *slot, uint64_t word, uint64_t next)
{
  uint64_t noted = slot_idle_word(word);
  if (atomic_load(&notes_of(slot)->word) == noted)
    atomic_compare_exchange_strong(&notes_of(slot)->word, &noted, slot_idle_word(next));
}

int64_t notes_age(struct slot *slot, int64_t now)
{
  return now - atomic_load(&notes_of(slot)->since_ns);
}

int64_t notes_held(struct slot *slot, uint64_t word)
{
  bool known = atomic_load(&notes_of(slot)->word) == (word & STATE_AND_GENERATION);
  return known ? notes_age(slot, clock_boot()) : -1;
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
  forget_int64(&extra->attended);
  forget_flag(&extra->asked_for);
  return tag;
}

char *notes_forget(struct slot *slot)
{
  struct notes *notes = notes_of(slot);
  if (atomic_load(&notes->word))
    atomic_store(&notes->word, 0);
  forget_int64(&notes->retire_ns);
  forget_int64(&notes->limit_ns);
  forget_int64(&notes->checked_ns);
  forget_int64(&notes->trusted_ns);
  forget_int64(&notes->trusted_until);
  if (atomic_load(&notes->unused))
    atomic_store(&notes->unused, 0);
  forget_flag(&notes->reason);
  forget_flag(&notes->wants_check);
  forget_flag(&notes->leak);
  return forget_extra(slot);
}
