/* SPDX-License-Identifier: MIT */
/*
 * Members of budgets: each pool that has one, and the thread of a budget, which asks the ledger for them.
 *
 * Shared: the members, under the lock of all budgets, which is left while the ledger is asked and while a pool is told.
 * A pool that is no more leaves under that lock, so a member's pool is there as long as the lock is held; where the
 * thread goes on without it, it holds the pool as a thread of its own.
 *
 * What a member says it has open it may have open whatever the answer is.  So from the moment at which it is read the
 * pool opens no more than that, until the answer is there (allowance.h), and no answer that comes late does harm.
 *
 * With many keys most pools have and want nothing.  Such a pool rests: the ledger forgets it and the thread does not
 * look at it, so what the others cost does not grow with the keys.  Its next wish makes it a member again.
 *
 * A term counts from before the member asked, less a tenth, on this machine's clock.  So it is over for the member
 * before it is over for the ledger.
 */
#include "run/membership.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/forks.h"
#include "base/park.h"
#include "base/text.h"
#include "decide/allowance.h"
#include "decide/life.h"
#include "decide/pool.h"
#include "decide/steer.h"
#include "decide/step.h"
#include "run/budget.h"
#include "run/crew.h"
#include "run/event.h"

#define WHO_SIZE 128

/* A demand that falls is told after that, so that nothing thrashes. */
#define FALL_NS       INT64_C(1000000000)
#define FALL_LOCAL_NS INT64_C(50000000) /* where nobody is far away */

/* While others lack, what is wanted is looked at so often: a put tells nobody. */
#define LOOK_NS       INT64_C(250000000)
#define LOOK_LOCAL_NS INT64_C(10000000)

/* After a ledger that did not answer was asked, it is asked again. */
#define RETRY_MIN_NS INT64_C(100000000)
#define RETRY_MAX_NS INT64_C(1000000000)

#define PATIENCE_MS 1000 /* at most, for one answer */
#define TOLD        64   /* in one go */

struct member {
  struct member *next, *previous; /* of those that rest, or of the others */
  struct pool *pool;              /* NULL: it has left */
  uint64_t id;
  int64_t epoch;            /* of the ledger that answered last; 0: none has */
  int64_t ends_ns;          /* of its term; 0: it was granted nothing yet */
  int64_t gap_ns, again_ns; /* moments: it asks no sooner, and no later */
  int64_t fell_ns;          /* since when it wants less than it said; 0: it does not */
  struct demand said;
  int32_t limit; /* as its URL says */
  pool_budget_answer_t answer;
  bool keyed; /* it rests while it has and wants nothing */
  bool rests;
  bool asked; /* the ledger may know it */
  bool told;
  bool warned;       /* of a limit that is not the ledger's */
  _Atomic bool lost; /* it was told that the ledger does not answer */
  _Atomic uint32_t settled;
};

static char language[16]; /* "": of C, as none was told */

int membership_set_language(const char *name)
{
  if (!name)
    return error_set(NULL, POOL_E_INVALID, 0, "language is NULL");
  if (!*name || strlen(name) >= sizeof language)
    return error_set(NULL, POOL_E_INVALID, 0, "the name of a language has 1 to %d bytes", (int)sizeof language - 1);
  budget_lock();
  if (!language[0])
    text_copy(language, sizeof language, name);
  budget_unlock();
  return 0;
}

/* ---- members ---- */

static uint64_t new_id(void)
{
  static uint64_t count; /* under the lock */
  uint64_t id = 0;
  if (getrandom(&id, sizeof id, GRND_NONBLOCK) != sizeof id)
    id = ((uint64_t)clock_boot() << 20) ^ ((uint64_t)getpid() << 40) ^ ++count;
  return id ? id : 1;
}

/* The language may have a longer name than the first that was told; nothing of it is cut in the middle. */
static int32_t write_who(const struct pool *pool, char who[WHO_SIZE])
{
  char host[48] = "";
  gethostname(host, sizeof host - 1);
  int size = snprintf(who, WHO_SIZE, "%s%c%ld%c%s%c%s", host, 0, (long)getpid(), 0, language[0] ? language : "c", 0,
                      pool->name);
  return size < WHO_SIZE ? size + 1 : WHO_SIZE;
}

static bool is_local(const struct member *member)
{
  return member->answer.term_ms < 0;
}

static struct member **list_of(struct budget *budget, const struct member *member)
{
  return member->rests ? &budget->resting : &budget->members;
}

static void enlist(struct budget *budget, struct member *member)
{
  struct member **list = list_of(budget, member);
  member->previous = NULL;
  member->next = *list;
  if (*list)
    (*list)->previous = member;
  *list = member;
}

static void delist(struct budget *budget, struct member *member)
{
  if (budget->next_looked == member)
    budget->next_looked = member->next;
  *(member->previous ? &member->previous->next : list_of(budget, member)) = member->next;
  if (member->next)
    member->next->previous = member->previous;
}

static void set_rest(struct budget *budget, struct member *member, bool rests)
{
  delist(budget, member);
  member->rests = rests;
  enlist(budget, member);
}

/* One that rests nobody else knows. */
static void leave(struct pool *pool)
{
  budget_lock();
  struct budget *budget = pool->allowance.budget;
  struct member *member = pool->allowance.member;
  pool->allowance.budget = NULL; /* the next pool in this memory may have none */
  pool->allowance.member = NULL;
  member->pool = NULL;
  if (member->rests) {
    delist(budget, member);
    free(member);
  }
  budget_wake_locked(budget);
  budget_unlock();
  budget_give(budget);
}

/* The pool may have left, and be another one by now. */
static void rouse(struct budget *budget, struct pool *pool)
{
  struct member *member = pool->allowance.budget == budget ? pool->allowance.member : NULL;
  if (member && member->rests)
    set_rest(budget, member, false);
}

static void *serve(void *budget);

int membership_join(struct pool *pool, const struct budget_place *place, const pool_budget_engine_t *engine)
{
  struct member *member = calloc(1, sizeof *member);
  struct budget *budget = member ? budget_take(place, engine, serve, rouse) : NULL;
  if (!budget) {
    free(member);
    return POOL_E_NOMEM;
  }
  member->pool = pool;
  member->limit = place->limit;
  budget_lock();
  member->id = new_id();
  member->keyed = member->rests = pool->keyed && pool->config.budget_floor == 0 && pool->config.initial == 0 &&
                                  pool->config.min_idle == 0 && pool->config.min_open == 0;
  enlist(budget, member);
  pthread_mutex_lock(&pool->lock);
  allowance_reset(&pool->allowance);
  pool->allowance.end = leave;
  pool->allowance.budget = budget;
  pool->allowance.member = member;
  pthread_mutex_unlock(&pool->lock);
  budget_wake_locked(budget);
  budget_unlock();
  return 0;
}

/* A member stays as long as its pool. */
static struct member *member_of(struct pool *pool)
{
  budget_lock();
  struct member *member = pool->allowance.member;
  budget_unlock();
  return member;
}

bool membership_is_cut_off(struct pool *pool)
{
  const struct member *member = member_of(pool);
  return member && atomic_load(&member->lost);
}

bool membership_await(struct pool *pool, uint32_t *seen, int64_t deadline_ns)
{
  struct member *member = member_of(pool);
  while (member && atomic_load(&member->settled) == *seen && clock_now() < deadline_ns) {
    int64_t again_ns = clock_now() + ALLOWANCE_AGAIN_NS;
    park_wait(&member->settled, *seen, again_ns < deadline_ns ? again_ns : deadline_ns);
    if (atomic_load(&member->settled) == *seen)
      budget_wake(pool->allowance.budget, pool); /* which may have had no thread */
  }
  uint32_t now = member ? atomic_load(&member->settled) : *seen;
  bool changed = now != *seen;
  *seen = now;
  return changed && !atomic_load(&member->lost);
}

static void settle(struct member *member)
{
  atomic_fetch_add(&member->settled, 1);
  park_wake(&member->settled);
}

/* ---- what a pool is told ---- */

/* What was decided for a pool, done without the lock: callbacks may run.  False: this is a child of fork. */
static bool finish(struct pool *pool, const struct step *step)
{
  uint64_t forks = forks_count();
  struct step end;
  crew_finish(pool, step);
  if (forks_since(forks))
    return false;
  pthread_mutex_lock(&pool->lock);
  life_thread_ends(pool, &end);
  crew_finish(pool, &end);
  return !forks_since(forks);
}

/* Leaves the lock of all budgets and takes it again.  False: this is a child of fork, and no lock is held. */
static bool allow(struct pool *pool, const struct permits *permits)
{
  struct step step;
  if (!life_hold(pool))
    return true;
  budget_unlock();
  steer_allow(pool, permits, &step);
  if (!finish(pool, &step))
    return false;
  budget_lock();
  return true;
}

static bool tell_lost(struct pool *pool, const struct budget *budget, bool yields)
{
  struct step none = {0};
  pool_error_t error = budget->error;
  char name[BUDGET_NAME];
  if (!life_hold(pool))
    return true;
  text_copy(name, sizeof name, budget->place.name);
  budget_unlock();
  event_budget_lost(pool, name, yields, &error);
  if (!finish(pool, &none))
    return false;
  budget_lock();
  return true;
}

static bool tell_found(struct pool *pool, const struct budget *budget, const pool_budget_answer_t *answer)
{
  struct step none = {0};
  char name[BUDGET_NAME];
  if (!life_hold(pool))
    return true;
  text_copy(name, sizeof name, budget->place.name);
  budget_unlock();
  event_budget_found(pool, name, answer->granted, answer->limit);
  if (!finish(pool, &none))
    return false;
  budget_lock();
  return true;
}

static bool tell_other_limit(struct pool *pool, const struct budget *budget, int32_t limit, int32_t own)
{
  struct step none = {0};
  char text[160];
  if (!life_hold(pool))
    return true;
  snprintf(text, sizeof text, "the budget '%s' has the limit %d in its ledger, not %d as here; the ledger's holds",
           budget->place.name, limit, own);
  budget_unlock();
  event_warning(pool, text);
  if (!finish(pool, &none))
    return false;
  budget_lock();
  return true;
}

/* ---- an answer ---- */

static int64_t moment_of(int64_t now, int64_t ms)
{
  return ms < 0 ? POOL_NO_DEADLINE : now + ns_of(ms);
}

static int64_t end_of(int64_t asked_ns, int64_t term_ms)
{
  return term_ms < 0 ? POOL_NO_DEADLINE : asked_ns + ns_of(term_ms) - ns_of(term_ms) / 10;
}

static bool take_answer(struct budget *budget, struct member *member, const pool_budget_answer_t *answer,
                        int64_t asked_ns)
{
  int64_t now = clock_now();
  bool found = member->lost, other = !member->warned && answer->limit != member->limit;
  member->answer = *answer;
  member->epoch = answer->epoch;
  member->ends_ns = end_of(asked_ns, answer->term_ms);
  budget->terms_end_ns = member->ends_ns > budget->terms_end_ns ? member->ends_ns : budget->terms_end_ns;
  member->gap_ns = moment_of(asked_ns, answer->gap_ms);
  member->again_ns = moment_of(now, answer->again_ms);
  member->told = false;
  atomic_store(&member->lost, false);
  member->warned = member->warned || other;
  struct pool *pool = member->pool;
  if (!pool)
    return true;
  struct permits permits = {answer->granted, answer->target, answer->limit, answer->pressed, false};
  if (!allow(pool, &permits))
    return false;
  settle(member);
  if (found && member->pool == pool && !tell_found(pool, budget, answer))
    return false;
  return !other || member->pool != pool || tell_other_limit(pool, budget, answer->limit, member->limit);
}

/* ---- the ledger does not answer ---- */

static int32_t floor_of(const struct pool *pool)
{
  return pool->config.budget_floor;
}

/* A member that was never granted anything has its floor; one whose term is over keeps what it has, or yields.  What it
   has is no more than it said when it asked last, for the ledger may have granted others the rest. */
static struct permits permits_without(const struct budget *budget, const struct member *member)
{
  struct permits permits;
  allowance_read(member->pool, &permits);
  if (member->ends_ns == 0 || budget->place.yields)
    permits.granted = permits.target = floor_of(member->pool);
  permits.pressed = false;
  permits.cut_off = true;
  return permits;
}

static bool live_without(struct budget *budget, struct member *member, int64_t now)
{
  struct pool *pool = member->pool;
  if (!pool || member->lost || now < member->ends_ns)
    return true;
  atomic_store(&member->lost, true);
  if (!tell_lost(pool, budget, budget->place.yields))
    return false;
  if (member->pool == pool) {
    struct permits permits = permits_without(budget, member);
    if (!allow(pool, &permits))
      return false;
  }
  settle(member);
  return true;
}

/* The longest that nobody asks: a ledger that is back learns for a term, in which it is to hear of every member. */
static int64_t backoff_most(const struct budget *budget)
{
  int64_t quarter_ns = ns_of(budget->place.term_ms / 4);
  return quarter_ns < RETRY_MAX_NS ? quarter_ns : RETRY_MAX_NS;
}

static void note_failure(struct budget *budget, const pool_error_t *error)
{
  int64_t now = clock_now(), most_ns = backoff_most(budget);
  if (!budget->cut_off)
    budget->backoff_ns = RETRY_MIN_NS;
  budget->cut_off = true;
  budget->error = *error;
  budget->retry_ns = now + budget->backoff_ns;
  budget->backoff_ns = 2 * budget->backoff_ns < most_ns ? 2 * budget->backoff_ns : most_ns;
  for (struct member *member = budget->members; member; member = member->next)
    member->told = true; /* it asks when the ledger is back */
}

/* The ledger answers, and has no place for a member: that one asks again later, and the others go on. */
static bool note_refusal(struct budget *budget, struct member *member, const pool_error_t *error)
{
  int64_t now = clock_now();
  budget->cut_off = false;
  budget->error = *error;
  member->gap_ns = member->again_ns = now + backoff_most(budget);
  member->told = false;
  return live_without(budget, member, now);
}

/* ---- a turn of the thread ---- */

/* Since when a member wants less than it said. */
static void note_fall(struct member *member, const struct demand *demand, int64_t now)
{
  if (demand->wants >= member->said.wants)
    member->fell_ns = 0;
  else if (member->fell_ns == 0)
    member->fell_ns = now;
}

/* When a demand that falls is told. */
static int64_t fall_of(const struct member *member)
{
  return member->fell_ns + (is_local(member) ? FALL_LOCAL_NS : FALL_NS);
}

/* Whether the ledger is to hear at once what a member has and wants. */
static bool has_news(const struct member *member, const struct demand *demand, int64_t now)
{
  const struct demand *said = &member->said;
  bool has_fewer = demand->open < said->open, wants_less = demand->wants < said->wants;
  if (demand->wants > said->wants)
    return true;
  if (demand->closed && (has_fewer || wants_less || !said->closed)) /* its floor is free too */
    return true;
  if (wants_less && now >= fall_of(member))
    return true;
  return member->answer.pressed && (has_fewer || (is_local(member) && demand->open != said->open));
}

/* Whether a member is to ask now, and if not when. */
static bool is_due(struct member *member, const struct demand *demand, int64_t now, int64_t *due_ns)
{
  if (!member->asked || member->told || now >= member->again_ns)
    return true;
  note_fall(member, demand, now);
  bool news = has_news(member, demand, now);
  if (news && now >= member->gap_ns)
    return true;
  set_earlier(due_ns, member->again_ns);
  if (news)
    set_earlier(due_ns, member->gap_ns);
  if (member->fell_ns)
    set_earlier(due_ns, fall_of(member) > now ? fall_of(member) : member->gap_ns);
  if (member->answer.pressed)
    set_earlier(due_ns, now + (is_local(member) ? LOOK_LOCAL_NS : LOOK_NS));
  return false;
}

/* Where a demand fell, the ledger has heard of that, so that a pool does not come and go with each of its leases. */
static bool may_rest(const struct member *member, const struct demand *demand)
{
  return member->keyed && demand->open == 0 && demand->wants == 0 && (!member->asked || member->said.wants == 0);
}

/* Goes round from where the last was found, so that a burst of wishes costs a look or two at each member. */
static struct member *next_due(struct budget *budget, struct demand *demand, int64_t now, int64_t *due_ns)
{
  struct member *first = budget->next_looked ? budget->next_looked : budget->members, *member = first;
  while (member) {
    struct member *next = member->next ? member->next : budget->members;
    budget->next_looked = next;
    if (!member->pool)
      return member;
    allowance_look(member->pool, demand);
    if (may_rest(member, demand) || is_due(member, demand, now, due_ns))
      return member;
    member = next == first ? NULL : next;
  }
  return NULL;
}

/* A quarter of a term, where one runs: the others are to ask too, and to know when theirs is over.  Else there is time
   to connect, which takes several round trips. */
static int64_t patience_ns(const struct budget *budget)
{
  int64_t ms = budget->place.term_ms / 4;
  bool runs = budget->terms_end_ns > clock_now();
  return ns_of(runs && ms < PATIENCE_MS ? ms : PATIENCE_MS);
}

static int open_ledger(struct budget *budget, pool_error_t *error)
{
  void *ledger = NULL;
  if (budget->ledger)
    return 0;
  pool_budget_place_t place = {.size = sizeof place,
                               .url = budget->place.url,
                               .name = budget->place.name,
                               .term_ms = budget->place.term_ms,
                               .limit = budget->place.limit};
  int code = budget->engine.open(&place, &ledger, error);
  budget->ledger = code ? NULL : ledger;
  return code;
}

/* Where permits hold for ever, the ledger has to hear that a member is no more, however long that takes. */
static bool is_to_hear(const struct budget *budget, const struct member *member)
{
  return member->asked && budget->ledger && (is_local(member) || !budget->cut_off);
}

/* Tells the ledger that a member is no more.  Leaves the lock meanwhile; the member stays, for it does not rest.
   False: the ledger is to be told later. */
static bool tell_ledger(struct budget *budget, const struct member *member)
{
  pool_error_t error = POOL_ERROR_INIT;
  int64_t deadline_ns = clock_now() + patience_ns(budget);
  uint64_t id = member->id;
  budget_unlock();
  int code = budget->engine.leave(budget->ledger, id, deadline_ns, &error);
  budget_lock();
  if (code == 0)
    budget->cut_off = false;
  else if (is_local(member))
    note_failure(budget, &error);
  return code == 0 || !is_local(member); /* else its term ends */
}

static void say_goodbye(struct budget *budget, struct member *member)
{
  if (is_to_hear(budget, member) && !tell_ledger(budget, member))
    return;
  delist(budget, member);
  free(member);
}

/* A pool that has and wants nothing.  First the ledger forgets it; then it rests, unless it wants something by then. */
static void let_rest(struct budget *budget, struct member *member)
{
  if (is_to_hear(budget, member)) {
    if (tell_ledger(budget, member))
      member->asked = false;
    return;
  }
  member->asked = member->told = false;
  member->ends_ns = member->fell_ns = 0;
  member->said = (struct demand){0};
  member->answer.pressed = 0;
  atomic_store(&member->lost, false);
  set_rest(budget, member, true);
}

/* Asks for one member.  The members may be others when the lock is taken again.  `until_ns`: when the first of those
   that are cut off is to be told that its term is over. */
static bool ask(struct budget *budget, struct member *member, int64_t until_ns)
{
  char who[WHO_SIZE];
  pool_error_t error = POOL_ERROR_INIT;
  pool_budget_answer_t answer = {.size = sizeof answer};
  struct pool *pool = member->pool;
  int64_t now = clock_now(), deadline_ns = now + patience_ns(budget);
  set_earlier(&deadline_ns, until_ns);
  allowance_demand(pool, &member->said);
  member->asked = true;
  member->fell_ns = 0;
  pool_budget_ask_t asks = {.size = sizeof asks,
                            .member = member->id,
                            .epoch = member->epoch,
                            .since_ns = member->said.since_ns,
                            .open = member->said.open,
                            .wants = member->said.wants,
                            .waiting = member->said.waiting,
                            .weight = pool->config.budget_weight,
                            .floor = member->said.closed ? 0 : pool->config.budget_floor,
                            .who_size = write_who(pool, who),
                            .who = who};
  int code = open_ledger(budget, &error);
  if (code == 0) {
    budget_unlock();
    code = budget->engine.sync(budget->ledger, &asks, &answer, deadline_ns, &error);
    budget_lock();
  }
  if (code == POOL_E_OVERLOAD)
    return note_refusal(budget, member, &error);
  if (code) {
    note_failure(budget, &error);
    return true;
  }
  budget->cut_off = false;
  return take_answer(budget, member, &answer, now);
}

/* Those whose terms are over while the ledger does not answer.  Each may leave the lock, so the list is walked anew. */
static bool tend_lost(struct budget *budget, int64_t *due_ns)
{
  int64_t now = clock_now();
  for (struct member *member = budget->members; budget->cut_off && member; member = member->next) {
    if (!live_without(budget, member, now))
      return false;
    if (member->ends_ns > now)
      set_earlier(due_ns, member->ends_ns);
  }
  return true;
}

static void note_told(struct budget *budget, const uint64_t *told, int32_t count)
{
  for (struct member *member = budget->members; member; member = member->next)
    for (int32_t i = 0; i < count; i++)
      if (member->id == told[i])
        member->told = true;
}

/* There is no ledger to wait at: for want of memory, say. */
static void nap(void)
{
  static const struct timespec brief = {.tv_nsec = 20000000};
  budget_unlock();
  nanosleep(&brief, NULL);
  budget_lock();
}

static void rest(struct budget *budget, int64_t until_ns)
{
  uint64_t told[TOLD];
  pool_error_t error = POOL_ERROR_INIT;
  if (!budget->ledger)
    nap();
  if (budget->woken || !budget->ledger) {
    budget->woken = false;
    return;
  }
  budget_unlock();
  int count = budget->engine.wait(budget->ledger, until_ns, told, TOLD, &error);
  budget_lock();
  budget->woken = false;
  if (count < 0 && !budget->cut_off)
    note_failure(budget, &error);
  else
    note_told(budget, told, count);
}

/* One thing to do, or a rest.  False: this is a child of fork. */
static bool turn(struct budget *budget)
{
  int64_t now = clock_now(), due_ns = POOL_NO_DEADLINE;
  struct demand demand;
  struct member *member = NULL;
  if (!tend_lost(budget, &due_ns))
    return false;
  int64_t lost_ns = due_ns;
  if (budget->cut_off && now < budget->retry_ns)
    set_earlier(&due_ns, budget->retry_ns);
  else
    member = next_due(budget, &demand, now, &due_ns);
  if (member && !member->pool)
    say_goodbye(budget, member);
  else if (member && may_rest(member, &demand) && allowance_rest(member->pool))
    let_rest(budget, member);
  else if (member)
    return ask(budget, member, lost_ns);
  else
    rest(budget, due_ns);
  return true;
}

static void end(struct budget *budget)
{
  void *ledger = budget->ledger;
  void (*close)(void *) = budget->engine.close; /* once it runs no more, the budget may be another */
  budget->ledger = NULL;
  budget->runs = false;
  if (budget->users == 0)
    budget_place_free(&budget->place);
  budget_unlock();
  if (ledger)
    close(ledger);
}

static void *serve(void *data)
{
  struct budget *budget = data;
  budget_lock();
  while (budget_has_members(budget))
    if (!turn(budget))
      return NULL;
  end(budget);
  return NULL;
}

/* ---- forks ---- */

void membership_before_fork(void)
{
  budget_lock();
}

void membership_after_fork(void)
{
  budget_unlock();
}

static void begin_anew(struct member *member)
{
  *member = (struct member){.next = member->next,
                            .previous = member->previous,
                            .pool = member->pool,
                            .limit = member->limit,
                            .keyed = member->keyed,
                            .rests = member->rests,
                            .id = new_id()};
}

/* A child is a new member for each of its pools. */
static void forget_members(struct budget *budget)
{
  budget->terms_end_ns = 0;
  for (struct member *member = budget->members, *next; member; member = next) {
    next = member->next;
    if (member->pool) {
      begin_anew(member);
      continue;
    }
    delist(budget, member);
    free(member);
  }
  for (struct member *member = budget->resting; member; member = member->next)
    begin_anew(member);
}

void membership_forget(void)
{
  budget_forget_all(forget_members);
}
