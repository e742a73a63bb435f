/* SPDX-License-Identifier: MIT */
#include "run/local.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ledger.h"
#include "base/park.h"
#include "base/text.h"
#include "run/board.h"
#include "run/seat.h"

/* While a member wants more than it has, its speaker looks that often whether others have died. */
#define DEATHS_NS INT64_C(20000000)

/* A ledger as its engine knows it. */
struct local {
  struct board_place place;
  struct board *board;  /* NULL: not opened yet */
  _Atomic int32_t seat; /* -1: it has none; the board stays as long as it has one */
  _Atomic bool woken;
  _Atomic uint32_t signal; /* without a seat it sleeps on this */
};

static int local_open(const pool_budget_place_t *place, bool is_host, void **ledger, pool_error_t *error)
{
  struct local *local = calloc(1, sizeof *local);
  if (!local)
    return error_set(error, POOL_E_NOMEM, 0, "no memory for a budget");
  local->place.is_host = is_host;
  local->place.limit = place->limit;
  local->seat = -1;
  text_copy(local->place.name, sizeof local->place.name, place->name);
  *ledger = local;
  return 0;
}

static int process_open(const pool_budget_place_t *place, void **ledger, pool_error_t *error)
{
  return local_open(place, false, ledger, error);
}

static int host_open(const pool_budget_place_t *place, void **ledger, pool_error_t *error)
{
  return local_open(place, true, ledger, error);
}

static void close_board(struct local *local)
{
  board_close(&local->place, local->board);
  local->board = NULL;
}

/* The lock of a board that has a name. */
static int lock_board(struct local *local, int64_t deadline_ns, pool_error_t *error)
{
  for (int tries = 0; tries < 100; tries++) {
    int code = local->board ? 0 : board_open(&local->place, &local->board, error);
    if (code == 0)
      code = board_lock(local->board, deadline_ns, error);
    if (code || !local->board->gone || local->seat >= 0)
      return code;
    board_take_name_away(&local->place);
    board_unlock(local->board);
    close_board(local);
  }
  return error_set(error, POOL_E_OPEN, 0, "the ledger of '%s' comes and goes", local->place.name);
}

static struct ledger_member *member_of(struct local *local, const pool_budget_ask_t *ask)
{
  struct ledger *ledger = board_ledger(local->board);
  struct ledger_member *member = ledger_find(ledger, ask->member);
  if (member)
    return member;
  member = ledger_join(ledger, ask->member, ask->who, (size_t)ask->who_size, clock_now());
  if (member)
    member->seat = local->seat;
  return member;
}

static int64_t ms_of(int64_t ns)
{
  return ns == INT64_MAX ? -1 : (ns + 999999) / 1000000;
}

static void write_answer(pool_budget_answer_t *theirs, const struct ledger_answer *answer)
{
  theirs->epoch = answer->epoch;
  theirs->term_ms = ms_of(answer->term_ns);
  theirs->gap_ms = ms_of(answer->gap_ns);
  theirs->again_ms = ms_of(answer->again_ns);
  theirs->granted = answer->granted;
  theirs->target = answer->target;
  theirs->limit = answer->limit;
  theirs->pressed = answer->pressed;
  theirs->learns = answer->learns;
}

static int sit_down(struct local *local, pool_error_t *error)
{
  int32_t seat;
  int code = seat_take(local->board, local->place.limit, &seat, error);
  if (code == 0)
    local->seat = seat;
  return code;
}

static int sync_locked(struct local *local, const pool_budget_ask_t *ask, pool_budget_answer_t *theirs,
                       pool_error_t *error)
{
  int code = local->seat < 0 ? sit_down(local, error) : 0;
  if (code)
    return code;
  struct ledger_member *member = member_of(local, ask);
  int64_t now = clock_now();
  if (!member)
    return error_set(error, POOL_E_OVERLOAD, 0, "%d pools are members already; set budget of some of them to another",
                     BOARD_MEMBERS);
  struct ledger_ask asks = {.open = ask->open,
                            .wants = ask->wants,
                            .waiting = ask->waiting,
                            .weight = ask->weight,
                            .floor = ask->floor,
                            .waits_ns = ask->since_ns < 0 || ask->since_ns > now ? -1 : now - ask->since_ns};
  struct ledger_answer answer;
  struct ledger *ledger = board_ledger(local->board);
  ledger_sync(ledger, member, &asks, now, &answer);
  if (answer.granted < answer.target && seat_reap(local->board, local->seat))
    ledger_sync(ledger, member, &asks, now, &answer);
  seat_tell_others(local->board, local->place.is_host, local->seat);
  write_answer(theirs, &answer);
  return 0;
}

static int local_sync(void *ledger, const pool_budget_ask_t *ask, pool_budget_answer_t *answer, int64_t deadline_ns,
                      pool_error_t *error)
{
  struct local *local = ledger;
  int code = lock_board(local, deadline_ns, error);
  if (code)
    return code;
  code = sync_locked(local, ask, answer, error);
  board_unlock(local->board);
  return code;
}

static int local_leave(void *ledger, uint64_t id, int64_t deadline_ns, pool_error_t *error)
{
  struct local *local = ledger;
  if (local->seat < 0)
    return 0;
  int code = lock_board(local, deadline_ns, error);
  if (code)
    return code;
  struct ledger_member *member = ledger_find(board_ledger(local->board), id);
  if (member)
    ledger_leave(board_ledger(local->board), member, clock_now());
  seat_tell_others(local->board, local->place.is_host, local->seat);
  board_unlock(local->board);
  return 0;
}

/* The members of this seat that are to be told, and whether any of them wants more than it has.  One that has its share
   does too: the share would be larger without those that have died. */
static int32_t collect(struct local *local, uint64_t *told, int32_t room, bool *lacks)
{
  struct ledger *ledger = board_ledger(local->board);
  int32_t count = 0;
  *lacks = false;
  for (int32_t i = 0; i < ledger->used; i++) {
    struct ledger_member *member = &ledger->member[i];
    if (!member->id || member->seat != local->seat)
      continue;
    *lacks = *lacks || member->granted < member->wants;
    if (member->told == LEDGER_TO_BE_TOLD && count < room) {
      ledger_note_told(ledger, member);
      told[count++] = member->id;
    }
  }
  return count;
}

/* Does what nobody asks for: finds the level after members left, and gives the permits of the dead to others.  Returns
   whether anything is another now. */
static bool tidy(struct local *local, bool lacks)
{
  struct ledger *ledger = board_ledger(local->board);
  int64_t now = clock_now();
  bool due = ledger_due(ledger) <= now;
  if (due)
    ledger_settle(ledger, now);
  return (lacks && seat_reap(local->board, local->seat)) || due;
}

/* Looks once.  Returns how many are to be told, or an error.  *until_ns: it is to look again. */
static int look_around(struct local *local, uint64_t *told, int32_t room, int64_t *until_ns, pool_error_t *error)
{
  bool lacks = false;
  int code = lock_board(local, clock_now() + ns_of(1000), error);
  if (code)
    return code;
  int32_t count = collect(local, told, room, &lacks);
  if (count == 0 && tidy(local, lacks)) {
    seat_tell_others(local->board, local->place.is_host, local->seat);
    count = collect(local, told, room, &lacks);
  }
  int64_t due_ns = ledger_due(board_ledger(local->board)), deaths_ns = clock_now() + DEATHS_NS;
  board_unlock(local->board);
  *until_ns = due_ns < *until_ns ? due_ns : *until_ns;
  if (lacks && local->place.is_host && deaths_ns < *until_ns)
    *until_ns = deaths_ns;
  return count;
}

static _Atomic uint32_t *signal_of(struct local *local)
{
  int32_t seat = atomic_load(&local->seat);
  return seat < 0 ? &local->signal : &local->board->seat[seat].signal;
}

static void nap(struct local *local, uint32_t seen, int64_t until_ns)
{
  if (local->place.is_host && atomic_load(&local->seat) >= 0)
    park_wait_shared(signal_of(local), seen, until_ns);
  else
    park_wait(signal_of(local), seen, until_ns);
}

static int local_wait(void *ledger, int64_t until_ns, uint64_t *told, int32_t room, pool_error_t *error)
{
  struct local *local = ledger;
  for (;;) {
    int64_t look_ns = until_ns;
    uint32_t seen = atomic_load(signal_of(local));
    int count = local->seat < 0 ? 0 : look_around(local, told, room, &look_ns, error);
    if (count || atomic_exchange(&local->woken, false) || clock_now() >= until_ns)
      return count;
    nap(local, seen, look_ns);
  }
}

static void local_wake(void *ledger)
{
  struct local *local = ledger;
  int32_t seat = atomic_load(&local->seat);
  atomic_store(&local->woken, true);
  atomic_fetch_add(signal_of(local), 1);
  if (local->place.is_host && seat >= 0)
    park_wake_shared(signal_of(local));
  else
    park_wake(signal_of(local));
}

/* Where the board cannot be locked it stays in memory, with the seat: that is given back when this thread ends, as that
   of one that died. */
static void leave_board(struct local *local)
{
  pool_error_t error = POOL_ERROR_INIT;
  if (local->seat >= 0) {
    if (board_lock(local->board, clock_now() + ns_of(1000), &error))
      return;
    local->board->gone = seat_leave(local->board, local->place.is_host, local->seat) && local->place.is_host;
    if (local->board->gone)
      board_take_name_away(&local->place);
    board_unlock(local->board);
  }
  close_board(local);
}

static void local_close(void *ledger)
{
  struct local *local = ledger;
  if (local->board)
    leave_board(local);
  free(local);
}

/* ---- a look at all ---- */

/* The target of such a copy is its member's share as it is now: a member of a fleet may not have been told that. */
static void write_member(const struct ledger_member *ours, int64_t now, pool_budget_member_t *theirs)
{
  const char *host = ours->who, *process = host + strlen(host) + 1, *language = process + strlen(process) + 1;
  *theirs = (pool_budget_member_t){.size = sizeof *theirs,
                                   .host = host,
                                   .language = language,
                                   .pool = language + strlen(language) + 1,
                                   .process = atoll(process),
                                   .asked_ms = (now - ours->asked_ns) / 1000000,
                                   .waits_ms = ours->waits_ns == INT64_MAX ? -1 : (now - ours->waits_ns) / 1000000,
                                   .granted = ours->granted,
                                   .share = ours->target,
                                   .open = ours->open,
                                   .wants = ours->wants,
                                   .waiting = ours->waiting,
                                   .weight = ours->weight,
                                   .floor = ours->floor};
}

static int is_later(const void *a, const void *b)
{
  int64_t one = ((const struct ledger_member *)a)->waits_ns, other = ((const struct ledger_member *)b)->waits_ns;
  return one < other ? -1 : one > other;
}

static void add_up(const struct ledger *ledger, pool_budget_stats_t *stats)
{
  stats->limit = ledger->limit;
  stats->granted = ledger->granted;
  stats->members = ledger->members;
  stats->open = stats->wants = stats->waiting = stats->learns_ms = 0;
  for (int32_t i = 0; i < ledger->used; i++) {
    stats->open += ledger->member[i].open;
    stats->wants += ledger->member[i].wants;
    stats->waiting += ledger->member[i].waiting;
  }
}

/* No callback under the lock: they hear of a copy. */
static int tell_of(struct ledger_member *members, int32_t count, pool_budget_seen_fn *seen, void *user)
{
  int64_t now = clock_now();
  qsort(members, (size_t)count, sizeof *members, is_later);
  for (int32_t i = 0; i < count; i++) {
    pool_budget_member_t member;
    members[i].who[LEDGER_TEXT - 1] = 0;
    write_member(&members[i], now, &member);
    int result = seen(user, &member);
    if (result)
      return result;
  }
  return count;
}

static int32_t copy_members(const struct ledger *ledger, struct ledger_member *members)
{
  int32_t count = 0;
  for (int32_t i = 0; i < ledger->used; i++)
    if (ledger->member[i].id) {
      members[count] = ledger->member[i];
      members[count++].target = ledger_share(ledger, &ledger->member[i]);
    }
  return count;
}

static int local_look(void *ledger, pool_budget_stats_t *stats, pool_budget_seen_fn *seen, void *user,
                      int64_t deadline_ns, pool_error_t *error)
{
  struct local *local = ledger;
  int code = lock_board(local, deadline_ns, error);
  if (code)
    return code;
  struct ledger *all = board_ledger(local->board);
  add_up(all, stats);
  struct ledger_member *members = seen ? malloc((size_t)(all->used + 1) * sizeof *members) : NULL;
  int32_t count = members ? copy_members(all, members) : 0;
  board_unlock(local->board);
  if (!seen)
    return 0;
  if (!members)
    return error_set(error, POOL_E_NOMEM, 0, "no memory for a list of members");
  code = tell_of(members, count, seen, user);
  free(members);
  return code;
}

/* The parent's speaker has the seat.  What it is in memory stays, for the parent may have been anywhere in it. */
static void local_forget_one(void *ledger)
{
  (void)ledger;
}

const pool_budget_engine_t local_process = {.size = sizeof(pool_budget_engine_t),
                                            .open = process_open,
                                            .sync = local_sync,
                                            .leave = local_leave,
                                            .wait = local_wait,
                                            .wake = local_wake,
                                            .look = local_look,
                                            .forget = local_forget_one,
                                            .close = local_close};

const pool_budget_engine_t local_host = {.size = sizeof(pool_budget_engine_t),
                                         .open = host_open,
                                         .sync = local_sync,
                                         .leave = local_leave,
                                         .wait = local_wait,
                                         .wake = local_wake,
                                         .look = local_look,
                                         .forget = local_forget_one,
                                         .close = local_close};
