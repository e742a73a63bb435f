/* SPDX-License-Identifier: MIT */
/*
 * The engine "etcd" of budgets: ledgers in etcd, 3.4 or newer, by its gateway that speaks JSON.
 *
 * A file calls only files below it in this list:
 *
 *   engine      the functions of pool/budget.h
 *   roll        the members of a ledger, for those that look
 *   store       the ledger's key, read and written
 *   bell        who is told
 *   book        the ledger as a text
 *   gateway     what etcd is asked
 *   http        one connection, by libcurl
 *   place       where a ledger is
 *
 * Below them are the files of support/, the ledger itself (base/ledger.h), jansson and libcurl.
 *
 * Each member changes the ledger in its own memory and writes the whole, if nobody else has written meanwhile; else it
 * does so again with what the other wrote.
 */
#include <stdlib.h>
#include <string.h>

#include "budget-etcd/bell.h"
#include "budget-etcd/book.h"
#include "budget-etcd/gateway.h"
#include "budget-etcd/place.h"
#include "budget-etcd/roll.h"
#include "budget-etcd/store.h"
#include "support/deadline.h"
#include "support/failure.h"
#include "support/members.h"

struct keeper {
  struct place place;
  struct store store;
  struct bell bell;
};

static void keeper_close(void *ledger)
{
  struct keeper *keeper = ledger;
  store_end(&keeper->store);
  bell_free(&keeper->bell);
  place_free(&keeper->place);
  free(keeper);
}

static int keeper_open(const pool_budget_place_t *place, void **ledger, pool_error_t *error)
{
  struct keeper *keeper = calloc(1, sizeof *keeper);
  if (!keeper)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for a budget");
  store_begin(&keeper->store, &keeper->place);
  int code = bell_make(&keeper->bell, error);
  if (code == 0)
    code = place_read(&keeper->place, place, error);
  if (code)
    keeper_close(keeper);
  else
    *ledger = keeper;
  return code;
}

/* ---- a member asks, or leaves ---- */

static int64_t ms_of(int64_t ns)
{
  return (ns + 999999) / 1000000;
}

static void write_answer(pool_budget_answer_t *theirs, const struct ledger_answer *answer)
{
  theirs->epoch = answer->epoch;
  theirs->term_ms = answer->term_ns / 1000000;
  theirs->gap_ms = ms_of(answer->gap_ns);
  theirs->again_ms = ms_of(answer->again_ns);
  theirs->granted = answer->granted;
  theirs->target = answer->target;
  theirs->limit = answer->limit;
  theirs->pressed = answer->pressed;
  theirs->learns = answer->learns;
}

/* What a member says, and what it is told. */
struct word {
  const struct place *place;
  const pool_budget_ask_t *ask;
  pool_budget_answer_t *answer;
  int32_t seat;
};

static struct ledger_member *join(struct ledger *ledger, const struct word *word, int64_t now)
{
  const pool_budget_ask_t *ask = word->ask;
  ledger_renew(ledger, word->place->limit, word->place->term_ms * 1000000, now);
  return ledger_join(ledger, ask->member, ask->who, (size_t)ask->who_size, now);
}

static int change_sync(struct ledger *ledger, int64_t now, void *user, pool_error_t *error)
{
  struct word *word = user;
  const pool_budget_ask_t *ask = word->ask;
  struct ledger_ask asks = {.open = ask->open,
                            .wants = ask->wants,
                            .waiting = ask->waiting,
                            .weight = ask->weight,
                            .floor = ask->floor,
                            .waits_ns = members_wait_ns(ask)};
  struct ledger_answer answer;
  struct ledger_member *member = ledger_find(ledger, ask->member);
  if (!member)
    member = join(ledger, word, now);
  if (!member || ledger->members > BOOK_MEMBERS)
    return failure_set(error, POOL_E_OVERLOAD, 0,
                       "%d pools are members already; set budget of some of them to another", BOOK_MEMBERS);
  member->seat = word->seat;
  ledger_sync(ledger, member, &asks, now, &answer);
  write_answer(word->answer, &answer);
  return 0;
}

/* Watched before it asks, so that it hears what is told from then on. */
static int keeper_sync(void *ledger, const pool_budget_ask_t *ask, pool_budget_answer_t *answer, int64_t deadline_ns,
                       pool_error_t *error)
{
  struct keeper *keeper = ledger;
  struct word word = {.place = &keeper->place, .ask = ask, .answer = answer, .seat = bell_seat(&keeper->bell)};
  int code = bell_watch(&keeper->bell, &keeper->store.gateway, deadline_ns, error);
  if (code)
    return code;
  int32_t echo = bell_wants_echo(&keeper->bell, &keeper->place) ? word.seat : STORE_NO_SEAT;
  code = store_change(&keeper->store, change_sync, &word, echo, deadline_ns, error);
  if (code == 0 && echo != STORE_NO_SEAT)
    bell_awaits_echo(&keeper->bell);
  return code;
}

static int change_leave(struct ledger *ledger, int64_t now, void *user, pool_error_t *error)
{
  (void)error;
  struct ledger_member *member = ledger_find(ledger, *(const uint64_t *)user);
  if (!member)
    return STORE_SAME;
  ledger_leave(ledger, member, now);
  return 0;
}

static int keeper_leave(void *ledger, uint64_t member, int64_t deadline_ns, pool_error_t *error)
{
  struct keeper *keeper = ledger;
  return store_change(&keeper->store, change_leave, &member, STORE_NO_SEAT, deadline_ns, error);
}

/* ---- the others ---- */

static int keeper_wait(void *ledger, int64_t until_ns, uint64_t *told, int32_t room, pool_error_t *error)
{
  return bell_wait(&((struct keeper *)ledger)->bell, until_ns, told, room, error);
}

static void keeper_wake(void *ledger)
{
  bell_ring(&((struct keeper *)ledger)->bell);
}

static int keeper_look(void *ledger, pool_budget_stats_t *stats, pool_budget_seen_fn *seen, void *user,
                       int64_t deadline_ns, pool_error_t *error)
{
  struct keeper *keeper = ledger;
  int code = store_read(&keeper->store, deadline_ns, error);
  return code ? code : roll_tell(&keeper->store.book, stats, seen, user, error);
}

/* Another thread of the parent may have been anywhere in it, so what it has in memory stays there. */
static void keeper_forget(void *ledger)
{
  struct keeper *keeper = ledger;
  store_forget(&keeper->store);
  bell_forget(&keeper->bell);
}

POOL_API pool_budget_engine_fn pool_budget_engine_etcd;

int pool_budget_engine_etcd(uint32_t version, pool_budget_engine_t *engine)
{
  if (version != POOL_BUDGET_ENGINE_VERSION || engine->size < sizeof *engine)
    return POOL_E_UNSUPPORTED;
  *engine = (pool_budget_engine_t){
      .size = sizeof *engine,
      .needs = "etcd 3.4, jansson " JANSSON_VERSION ", libcurl " LIBCURL_VERSION,
      .open = keeper_open,
      .sync = keeper_sync,
      .leave = keeper_leave,
      .wait = keeper_wait,
      .wake = keeper_wake,
      .look = keeper_look,
      .forget = keeper_forget,
      .close = keeper_close,
  };
  return 0;
}
