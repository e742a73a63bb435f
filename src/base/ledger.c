/* SPDX-License-Identifier: MIT */
#include "base/ledger.h"

#include <string.h>

#include "base/contract.h"
#include "base/share.h"

#define NEVER INT64_MAX

/* The level is found by looking at every member, so with many it is found more seldom. */
#define PAUSE_PER_MEMBER_NS INT64_C(10000)

/* Moments are compared by so many bits at a time. */
#define DIGIT_BITS 8
#define DIGITS     (1 << DIGIT_BITS)

/* So many are told at one time; each of them, when it asks, has the next told. */
#define TOLD_AT_ONCE 32

/* While a ledger learns its members ask so many times in a term. */
#define LEARNS_ASKING 10

/* Of the asks that the manners allow, one half is of members that were told, the other half is their own. */
#define HALVES 2

size_t ledger_size(int32_t room)
{
  return sizeof(struct ledger) + (size_t)room * sizeof(struct ledger_member);
}

static int64_t sooner(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

static int64_t latest(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static int64_t later(int64_t moment, int64_t by)
{
  return by >= NEVER - moment ? NEVER : moment + by;
}

static int32_t least(int64_t a, int64_t b)
{
  return (int32_t)(a < b ? a : b);
}

static int32_t most(int32_t a, int32_t b)
{
  return a > b ? a : b;
}

/* ---- terms ---- */

/* Between two asks of a member, of its own. */
static int64_t gap_of(const struct ledger *ledger)
{
  return HALVES * ledger->manners.gap_ns * ledger->members;
}

/* Three asks fit into it, whatever the number of members: none is to ask more often than the gap allows. */
static int64_t term_of(const struct ledger *ledger)
{
  return ledger->manners.term_ns == 0 ? NEVER : latest(3 * gap_of(ledger), ledger->manners.term_ns);
}

void ledger_begin(struct ledger *ledger, int32_t room, int32_t limit, int64_t epoch, bool learns,
                  const struct ledger_manners *manners, int64_t now)
{
  memset(ledger, 0, sizeof *ledger);
  ledger->epoch = epoch;
  ledger->manners = *manners;
  ledger->limit = limit;
  ledger->room = room;
  ledger->level = SHARE_FULL;
  ledger->learns = learns && manners->term_ns > 0;
  ledger->learns_from_ns = ledger->asked_ns = ledger->told_ns = now;
  ledger->forget_ns = NEVER;
}

/* The keeper's clock may have been set.  A little back is as if no time had passed.  From further back all terms begin
   anew, for none may be over here before it is over for its member. */
static int64_t steady(struct ledger *ledger, int64_t now)
{
  if (now >= ledger->asked_ns - ledger->manners.term_ns)
    return latest(now, ledger->asked_ns);
  for (int32_t i = 0; i < ledger->used; i++)
    ledger->member[i].ends_ns = later(now, term_of(ledger));
  ledger->learns_from_ns = ledger->asked_ns = ledger->told_ns = ledger->forget_ns = ledger->level_due_ns = now;
  return now;
}

/* Members ask three times in a term.  If none did for half of one, the ledger was out of their reach, or its clock was
   set: they may hold what they had, though their terms are over.  It learns for a term of as many members as it knows
   by then; they ask more often meanwhile, and while it is out of their reach it learns nothing. */
static void learn_after_silence(struct ledger *ledger, int64_t now)
{
  int64_t term = ledger->manners.term_ns, silence = now - ledger->asked_ns;
  ledger->asked_ns = now;
  if (term > 0 && silence >= term / 2 && (ledger->learns || ledger->members > 0)) {
    ledger->learns = true;
    ledger->learns_from_ns = now;
  } else if (ledger->learns && silence >= 2 * (term / LEARNS_ASKING)) {
    ledger->learns_from_ns += silence;
  } else if (ledger->learns) {
    ledger->learns = now - ledger->learns_from_ns < term_of(ledger);
  }
}

/* Says what time it is for the ledger. */
static int64_t hear(struct ledger *ledger, int64_t now)
{
  int64_t moment = steady(ledger, now);
  learn_after_silence(ledger, moment);
  return moment;
}

/* ---- members ---- */

struct ledger_member *ledger_find(struct ledger *ledger, uint64_t id)
{
  for (int32_t i = 0; i < ledger->used; i++)
    if (ledger->member[i].id == id)
      return &ledger->member[i];
  return NULL;
}

struct ledger_member *ledger_join(struct ledger *ledger, uint64_t id, const char *who, size_t size, int64_t now)
{
  struct ledger_member *member = ledger->members < ledger->used ? ledger_find(ledger, 0) : NULL;
  if (!member && ledger->used == ledger->room)
    return NULL;
  int64_t moment = hear(ledger, now);
  member = member ? member : &ledger->member[ledger->used];
  *member = (struct ledger_member){.id = id, .weight = 1, .waits_ns = NEVER, .asked_ns = moment, .ends_ns = NEVER};
  member->text = (uint16_t)(size < LEDGER_TEXT ? size : LEDGER_TEXT);
  memcpy(member->who, who, member->text);
  ledger->used += member == &ledger->member[ledger->used];
  ledger->members++;
  return member;
}

static void set_told(struct ledger *ledger, struct ledger_member *member, enum ledger_told told)
{
  ledger->to_tell += (told == LEDGER_TO_BE_TOLD) - (member->told == LEDGER_TO_BE_TOLD);
  member->told = (uint8_t)told;
}

static void remove_member(struct ledger *ledger, struct ledger_member *member)
{
  ledger->granted -= member->granted;
  ledger->floors -= member->floor;
  ledger->lacking -= member->lacks;
  ledger->members--;
  ledger->moved = true;
  set_told(ledger, member, LEDGER_NOT_TOLD);
  *member = (struct ledger_member){0};
  while (ledger->used > 0 && ledger->member[ledger->used - 1].id == 0)
    ledger->used--;
}

/* Members whose term is over: they know it themselves, and sooner. */
static void forget(struct ledger *ledger, int64_t now)
{
  if (now < ledger->forget_ns)
    return;
  ledger->forget_ns = NEVER;
  for (int32_t i = ledger->used - 1; i >= 0; i--) {
    struct ledger_member *member = &ledger->member[i];
    if (member->id && member->ends_ns <= now)
      remove_member(ledger, member);
    else if (member->id && member->ends_ns < ledger->forget_ns)
      ledger->forget_ns = member->ends_ns;
  }
}

void ledger_renew(struct ledger *ledger, int32_t limit, int64_t term_ns, int64_t now)
{
  int64_t moment = hear(ledger, now);
  forget(ledger, moment);
  if (ledger->members > 0)
    return;
  ledger->limit = limit;
  ledger->manners.term_ns = term_ns;
  ledger->level_due_ns = moment;
  ledger->moved = true;
}

/* ---- the level ---- */

/* What a member can use: no more than there is. */
static struct vessel vessel_of(const void *owner, int32_t index)
{
  const struct ledger *ledger = owner;
  const struct ledger_member *member = &ledger->member[index];
  int32_t weight = most(least(member->weight, SHARE_WEIGHT_MOST), 1);
  int32_t wants = most(least(member->wants, ledger->limit), member->floor);
  if (!ledger->keeps)
    return (struct vessel){.low = member->floor, .high = wants, .weight = weight};
  return (struct vessel){.low = wants, .high = most(wants, member->open), .weight = weight};
}

static bool is_pressed(const struct ledger *ledger)
{
  return ledger->level != SHARE_FULL;
}

/* The share of a member, with what it got of those that rounding left over. */
static int32_t share_of(const struct ledger *ledger, const struct ledger_member *member)
{
  struct vessel vessel = vessel_of(ledger, (int32_t)(member - ledger->member));
  int32_t share = share_at(vessel, ledger->level);
  return share + (member->has_extra && share < vessel.high);
}

/* At the next level they would have one more, all of them together too many. */
static bool is_next(const struct ledger *ledger, int32_t index)
{
  struct vessel vessel = vessel_of(ledger, index);
  return ledger->member[index].id && share_at(vessel, ledger->level + 1) > share_at(vessel, ledger->level);
}

static bool has_used_extra(const struct ledger *ledger, int32_t index)
{
  const struct ledger_member *member = &ledger->member[index];
  return member->has_extra && member->granted > share_at(vessel_of(ledger, index), ledger->level);
}

static bool may_get_extra(const struct ledger *ledger, int32_t index, int64_t since_ns)
{
  const struct ledger_member *member = &ledger->member[index];
  return !member->has_extra && member->waits_ns <= since_ns && is_next(ledger, index);
}

/* How many of those that are next have waited since moments that begin with the same bits, by the next digit. */
static void count_digits(const struct ledger *ledger, int64_t since_ns, int shift, int32_t counts[DIGITS])
{
  memset(counts, 0, DIGITS * sizeof *counts);
  for (int32_t i = 0; i < ledger->used; i++) {
    int64_t waits_ns = latest(ledger->member[i].waits_ns, 0);
    int64_t difference = waits_ns ^ since_ns;
    if (difference >> shift < DIGITS && may_get_extra(ledger, i, NEVER))
      counts[waits_ns >> shift & (DIGITS - 1)]++;
  }
}

/* The moment since when so many that are next have waited, the longest waiting of them; found digit by digit.  NEVER:
   there are no more. */
static int64_t waiting_since(const struct ledger *ledger, int64_t count)
{
  int64_t since_ns = 0;
  for (int shift = 64 - DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
    int32_t counts[DIGITS];
    int64_t digit = 0, last = (NEVER >> shift) & (DIGITS - 1);
    count_digits(ledger, since_ns, shift, counts);
    for (; digit < last && count > counts[digit]; digit++)
      count -= counts[digit];
    since_ns |= digit << shift;
  }
  return since_ns;
}

static int64_t give_extras_to(struct ledger *ledger, int64_t left, int64_t since_ns)
{
  for (int32_t i = 0; i < ledger->used && left > 0; i++)
    if (may_get_extra(ledger, i, since_ns)) {
      ledger->member[i].has_extra = true;
      left--;
    }
  return left;
}

/* One each to those that are next, first to those that had one before and have used it: else connections would be
   closed in one place and opened in another for nothing.  Then to those whose first waiters wait longest. */
static void give_extras(struct ledger *ledger, int64_t left)
{
  for (int32_t i = 0; i < ledger->used; i++) {
    bool stays = left > 0 && has_used_extra(ledger, i) && is_next(ledger, i);
    ledger->member[i].has_extra = stays;
    left -= stays;
  }
  if (left <= 0)
    return;
  int64_t since_ns = waiting_since(ledger, left);
  left = give_extras_to(ledger, left, since_ns - 1);
  give_extras_to(ledger, left, since_ns);
}

static void note_lack(struct ledger *ledger, struct ledger_member *member, int32_t share)
{
  bool lacks = member->granted < share;
  ledger->lacking += lacks - member->lacks;
  member->lacks = lacks;
}

/* Each member's share is another now. */
static void apply_level(struct ledger *ledger)
{
  for (int32_t i = 0; i < ledger->used; i++)
    if (ledger->member[i].id)
      note_lack(ledger, &ledger->member[i], share_of(ledger, &ledger->member[i]));
  ledger->next = 0;
}

static void find_level(struct ledger *ledger, int64_t now)
{
  struct vessels vessels = {.at = vessel_of, .owner = ledger, .count = ledger->used};
  ledger->keeps = false;
  ledger->level = share_level(&vessels, ledger->limit);
  if (ledger->level == SHARE_FULL) {
    ledger->keeps = true;
    ledger->level = share_level(&vessels, ledger->limit);
  }
  give_extras(ledger, is_pressed(ledger) ? share_left(&vessels, ledger->limit, ledger->level) : 0);
  apply_level(ledger);
  ledger->moved = false;
  ledger->level_due_ns = now + ledger->manners.pause_ns + PAUSE_PER_MEMBER_NS * ledger->members;
}

/* ---- what becomes of what a member says ---- */

/* The floors of all are never more than there is: a member that comes late gets less of one. */
static void note_floor(struct ledger *ledger, struct ledger_member *member, int32_t floor)
{
  ledger->floors -= member->floor;
  member->floor = least(floor, latest(ledger->limit - ledger->floors, 0));
  ledger->floors += member->floor;
}

static bool differs(const struct ledger_member *member, const struct ledger_member *from)
{
  return member->open != from->open || member->wants != from->wants || member->weight != from->weight ||
         member->floor != from->floor;
}

static void note_ask(struct ledger *ledger, struct ledger_member *member, const struct ledger_ask *ask, int64_t now)
{
  struct ledger_member before = *member;
  member->open = ask->open;
  member->wants = ask->wants;
  member->waiting = ask->waiting;
  member->weight = ask->weight;
  note_floor(ledger, member, ask->floor);
  member->waits_ns = ask->waits_ns < 0 ? NEVER : now - ask->waits_ns;
  member->asked_ns = now;
  member->ends_ns = later(now, term_of(ledger));
  set_told(ledger, member, LEDGER_NOT_TOLD);
  ledger->forget_ns = sooner(ledger->forget_ns, member->ends_ns);
  ledger->moved = ledger->moved || differs(member, &before);
}

/* (L1, L2) */
static void grant(struct ledger *ledger, struct ledger_member *member, int32_t target)
{
  int64_t free = latest(ledger->limit - (ledger->granted - member->granted), 0);
  int32_t granted = most(member->open, least(target, free));
  ledger->granted += granted - member->granted;
  member->granted = granted;
  member->target = target;
}

/* ---- who is told ---- */

/* No more are told than the manners allow; a few may be at once. */
static bool may_tell(const struct ledger *ledger, int64_t now)
{
  return ledger->told_ns + HALVES * ledger->manners.gap_ns <= now;
}

static void tell(struct ledger *ledger, struct ledger_member *member, int64_t now)
{
  int64_t gap = HALVES * ledger->manners.gap_ns;
  ledger->told_ns = latest(ledger->told_ns, now - TOLD_AT_ONCE * gap) + gap;
  set_told(ledger, member, LEDGER_TO_BE_TOLD);
}

/* The member that lacks and whose first waiter waits longest, of those that have not been told. */
static struct ledger_member *neediest(struct ledger *ledger)
{
  struct ledger_member *found = NULL;
  for (int32_t i = 0; i < ledger->used; i++) {
    struct ledger_member *member = &ledger->member[i];
    if (member->lacks && member->told == LEDGER_NOT_TOLD && (!found || member->waits_ns < found->waits_ns))
      found = member;
  }
  return found;
}

/* It was told a higher target; or it does not know that others lack, and what it wants may have become less.  It may
   have open what it was granted since it asked. */
static bool has_too_much(const struct ledger *ledger, const struct ledger_member *member)
{
  int32_t share = share_of(ledger, member);
  return (member->granted > share && member->target > share) || (!member->pressed && member->granted > 0);
}

/* Each is looked at once after the level was found, for later none comes to have too much. */
static struct ledger_member *next_rich(struct ledger *ledger)
{
  for (; ledger->next < ledger->used; ledger->next++) {
    struct ledger_member *member = &ledger->member[ledger->next];
    if (member->id && member->told == LEDGER_NOT_TOLD && has_too_much(ledger, member))
      return member;
  }
  return NULL;
}

/* Whether any member wants more than it has, though that may be its share: it has none of what others need no more. */
static bool is_scarce(const struct ledger *ledger)
{
  return ledger->lacking > 0 || is_pressed(ledger);
}

/* (L5)  The member that asks is not among the poor: where something is left free it has got its share.  Where nothing
   is free, those that have too much are told, also where all have their shares: who asked before the others came may
   want less by now.  Returns whether there are more than may be told now. */
static bool tell_others(struct ledger *ledger, int64_t now)
{
  int64_t free = ledger->limit - ledger->granted;
  for (int told = 0;; told++) {
    struct ledger_member *poor = free > 0 && ledger->lacking > 0 ? neediest(ledger) : NULL;
    struct ledger_member *member = poor || (!is_scarce(ledger) && free >= 0) ? poor : next_rich(ledger);
    if (!member)
      return false;
    if (told == TOLD_AT_ONCE || !may_tell(ledger, now))
      return true;
    free -= poor ? share_of(ledger, poor) - poor->granted : 0;
    tell(ledger, member, now);
  }
}

static void tell_of_free(struct ledger *ledger, int64_t now)
{
  if (!ledger->learns)
    tell_others(ledger, now);
}

/* What becomes free is told at once, unless many are leaving. */
void ledger_leave(struct ledger *ledger, struct ledger_member *member, int64_t now)
{
  int64_t moment = hear(ledger, now);
  remove_member(ledger, member);
  if (moment >= ledger->level_due_ns - ledger->manners.pause_ns)
    find_level(ledger, moment);
  tell_of_free(ledger, moment);
}

int64_t ledger_due(const struct ledger *ledger)
{
  return ledger->moved && is_scarce(ledger) ? ledger->level_due_ns : NEVER;
}

void ledger_settle(struct ledger *ledger, int64_t now)
{
  int64_t moment = hear(ledger, now);
  find_level(ledger, moment);
  tell_of_free(ledger, moment);
}

static bool is_sound(const struct ledger_member *member)
{
  return member->id && member->open >= 0 && member->wants >= 0 && member->granted >= member->open &&
         member->weight > 0 && member->floor >= 0 && member->text <= LEDGER_TEXT;
}

int32_t ledger_share(const struct ledger *ledger, const struct ledger_member *member)
{
  return share_of(ledger, member);
}

void ledger_mend(struct ledger *ledger, int64_t now)
{
  ledger->granted = ledger->floors = 0;
  ledger->members = ledger->lacking = ledger->to_tell = 0;
  ledger->forget_ns = 0;
  if (ledger->used < 0 || ledger->used > ledger->room)
    ledger->used = ledger->room;
  for (int32_t i = 0; i < ledger->used; i++) {
    struct ledger_member *member = &ledger->member[i];
    if (!is_sound(member)) {
      *member = (struct ledger_member){0};
      continue;
    }
    member->lacks = false;
    member->told = LEDGER_NOT_TOLD;
    set_told(ledger, member, LEDGER_TO_BE_TOLD);
    ledger->granted += member->granted;
    ledger->floors += member->floor;
    ledger->members++;
  }
  find_level(ledger, now);
}

/* ---- a member asks ---- */

/* When the ledger has learned, its members ask one behind the other. */
static int64_t learned_in(const struct ledger *ledger, const struct ledger_member *member, int64_t now)
{
  return ledger->learns_from_ns + term_of(ledger) - now + HALVES * ledger->manners.gap_ns * (member - ledger->member);
}

/* `more`: others are to be told when it asks again. */
static int64_t again_of(const struct ledger *ledger, const struct ledger_member *member, bool more, int64_t now)
{
  int64_t term = term_of(ledger), again = term == NEVER ? NEVER : term / 3;
  if (ledger->learns)
    again = sooner(ledger->manners.term_ns / LEARNS_ASKING, learned_in(ledger, member, now));
  else if (ledger->moved && (member->lacks || is_pressed(ledger)))
    again = sooner(again, ledger->level_due_ns - now);
  if (more)
    again = sooner(again, ledger->told_ns + HALVES * ledger->manners.gap_ns - now);
  return latest(again, gap_of(ledger));
}

void ledger_sync(struct ledger *ledger, struct ledger_member *member, const struct ledger_ask *ask, int64_t now,
                 struct ledger_answer *answer)
{
  assert_that(member->id && ask->open >= 0 && ask->wants >= 0 && ask->weight > 0 && ask->floor >= 0);
  int64_t moment = hear(ledger, now);
  note_ask(ledger, member, ask, moment);
  forget(ledger, moment);
  if (ledger->moved && moment >= ledger->level_due_ns)
    find_level(ledger, moment);
  int32_t share = share_of(ledger, member);
  grant(ledger, member, ledger->learns ? member->open : share);
  note_lack(ledger, member, share);
  member->pressed = is_scarce(ledger);
  bool more = !ledger->learns && tell_others(ledger, moment);
  *answer = (struct ledger_answer){.epoch = ledger->epoch,
                                   .granted = member->granted,
                                   .target = member->target,
                                   .limit = ledger->limit,
                                   .pressed = member->pressed,
                                   .learns = ledger->learns,
                                   .term_ns = term_of(ledger),
                                   .gap_ns = gap_of(ledger),
                                   .again_ns = again_of(ledger, member, more, moment)};
}

void ledger_note_told(struct ledger *ledger, struct ledger_member *member)
{
  set_told(ledger, member, LEDGER_TOLD);
}

struct ledger_member *ledger_next_told(struct ledger *ledger, int32_t *cursor)
{
  while (ledger->to_tell > 0 && *cursor < ledger->used) {
    struct ledger_member *member = &ledger->member[(*cursor)++];
    if (member->id && member->told == LEDGER_TO_BE_TOLD) {
      ledger_note_told(ledger, member);
      return member;
    }
  }
  return NULL;
}
