/* SPDX-License-Identifier: MIT */
/*
 * The order in which the library reads and writes what it shares without a lock: one call is interrupted before each of
 * its instructions in turn, and at that moment something else happens from its beginning to its end, as if another
 * thread had done it.  So each order of the two is tried, which threads that race would hardly ever meet.
 *
 * The processor traps after each instruction (the trap flag of x86); where the call holds the pool's lock, what else
 * happens waits until it has left that.
 */
#include "support.h"

#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "base/clock.h"
#include "base/park.h"
#include "decide/asker.h"
#include "decide/give.h"
#include "decide/lend.h"
#include "decide/look.h"
#include "decide/pool.h"
#include "decide/steer.h"
#include "decide/step.h"
#include "decide/work.h"
#include "virtual.h"

#define TRAP_FLAG 0x100

/* ---- interruptions ---- */

static struct {
  pool_t *pool;
  long left; /* instructions of this program before it is interrupted */
  void (*other)(void);
  bool done;
  bool (*is_time)(void); /* after that, a third call happens at the first instruction where this is true */
  void (*third)(void);
} interruption;

/* The program without the libraries that it is linked with at run time. */
extern const char __executable_start, etext;

static bool is_in_program(uintptr_t place)
{
  return place >= (uintptr_t)&__executable_start && place < (uintptr_t)&etext;
}

static bool is_unlocked(pool_t *of)
{
  return !virtual_is_busy() && pthread_mutex_trylock(&of->lock) == 0 && pthread_mutex_unlock(&of->lock) == 0;
}

static void trapped(int number, siginfo_t *info, void *data)
{
  greg_t *registers = ((ucontext_t *)data)->uc_mcontext.gregs;
  (void)number, (void)info;
  if (!is_in_program((uintptr_t)registers[REG_RIP]) || --interruption.left > 0 || !is_unlocked(interruption.pool))
    return;
  if (interruption.done && !interruption.is_time())
    return;
  void (*now)(void) = interruption.done ? interruption.third : interruption.other;
  if (interruption.done || !interruption.third)
    registers[REG_EFL] &= ~(greg_t)TRAP_FLAG;
  interruption.done = true;
  now();
}

/* The numbers that lie below the stack pointer are those of the function around this. */
static inline __attribute__((always_inline)) void trap(bool on)
{
  if (on)
    __asm__ volatile("leaq -128(%%rsp), %%rsp; pushfq; orq %0, (%%rsp); popfq; leaq 128(%%rsp), %%rsp" ::"i"(TRAP_FLAG)
                     : "cc", "memory");
  else
    __asm__ volatile(
        "leaq -128(%%rsp), %%rsp; pushfq; andq %0, (%%rsp); popfq; leaq 128(%%rsp), %%rsp" ::"i"(~TRAP_FLAG)
        : "cc", "memory");
}

static bool interrupt(void (*call)(void))
{
  interruption.done = false;
  trap(true);
  call();
  trap(false);
  return interruption.done;
}

/* Calls `call`, interrupted before its nth instruction.  False: it had fewer, and nothing else happened. */
static bool interrupted(long nth, pool_t *of, void (*call)(void), void (*other)(void))
{
  interruption.pool = of;
  interruption.left = nth;
  interruption.other = other;
  interruption.third = NULL;
  return interrupt(call);
}

/* The same, and once more when it is time, if that comes. */
static bool interrupted_twice(long nth, pool_t *of, void (*call)(void), void (*other)(void), bool (*is_time)(void),
                              void (*third)(void))
{
  interruption.pool = of;
  interruption.left = nth;
  interruption.other = other;
  interruption.is_time = is_time;
  interruption.third = third;
  return interrupt(call);
}

static int set_up(void **state)
{
  struct sigaction action = {.sa_flags = SA_SIGINFO};
  (void)state;
  action.sa_sigaction = trapped;
  return sigaction(SIGTRAP, &action, NULL);
}

/* ---- connections are numbers ---- */

static intptr_t opened;
static int open_now;

static int count_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)error;
  *conn = (void *)++opened;
  open_now++;
  return 0;
}

static int count_close(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  open_now--;
  return 0;
}

static pool_t *pool;
static pool_lease_t first, second;
static void *conn;
static int code;

static pool_config_t by_hand(int32_t max_open)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = max_open;
  config.max_idle = max_open;
  config.keeper = POOL_KEEPER_MANUAL;
  return config;
}

static void make_checking(const pool_config_t *config,
                          int (*check)(void *context, void *conn, int64_t deadline_ns, pool_error_t *error))
{
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  vtable.open = count_open;
  vtable.close = count_close;
  vtable.check = check;
  open_now = 0;
  assert_int_equal(pool_create(config, &vtable, NULL, &pool, NULL), 0);
}

static void make(const pool_config_t *config)
{
  make_checking(config, NULL);
}

static void finish(void)
{
  assert_int_equal(pool_close(pool, 0), 0);
  pool_free(pool);
  assert_int_equal(open_now, 0);
}

static uint64_t word_of(pool_lease_t lease)
{
  return atomic_load(&slot_of(lease)->word);
}

static void replace_connection(void)
{
  if (pool_mark_unusable(first) != 0 || pool_put(first) != 0 || (second = pool_get_for(pool, 0)) <= 0)
    fail_msg("the connection could not be replaced");
}

/* ---- leases ---- */

static void read_conn(void)
{
  conn = pool_conn(first);
}

static void test_order__pool_conn_never_returns_the_next_users_connection(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  make(&config);
  assert_true((first = pool_get(pool)) > 0);
  for (long nth = 1;; nth++) {
    void *own = pool_conn(first);
    assert_non_null(own);
    bool was_interrupted = interrupted(nth, pool, read_conn, replace_connection);
    if (conn && conn != own)
      fail_msg("at %ld the lease showed the connection of the next", nth);
    if (!was_interrupted)
      break;
    assert_ptr_equal(slot_of(second), slot_of(first));
    first = second;
  }
  assert_int_equal(pool_put(first), 0);
  finish();
}

/* ---- pauses ---- */

static int busy;

static void get(void)
{
  first = pool_get_for(pool, 0);
}

static void pause_pool(void)
{
  busy = pool_pause(pool);
}

static void *use_once(void *data)
{
  pool_lease_t lease = pool_get(data);
  must(lease > 0 && pool_put(lease) == 0);
  return NULL;
}

/* `elsewhere`: another thread had the connection last, so the get does not find it on its fast way. */
static void no_get_lends_after_a_pause(bool elsewhere)
{
  pool_config_t config = by_hand(1);
  config.initial = 1;
  make(&config);
  int64_t lent = 1 + elsewhere;
  use_once(pool);
  for (long nth = 1;; nth++) {
    if (elsewhere)
      thread_end(thread_start(use_once, pool));
    bool was_interrupted = interrupted(nth, pool, get, pause_pool);
    if (was_interrupted && first > 0 && busy == 0)
      fail_msg("at %ld a get lent although the pool was quiet", nth);
    lent += (first > 0) + (nth > 1 && elsewhere);
    if (first > 0)
      assert_int_equal(pool_put(first), 0);
    if (!was_interrupted)
      break;
    assert_int_equal(pool_resume(pool), 0);
    assert_int_equal(pool_len(pool), 1);
  }
  assert_int_equal(stats_of(pool).lent, lent);
  finish();
}

static void test_order__no_get_lends_after_a_pause(void **state)
{
  (void)state;
  no_get_lends_after_a_pause(false);
}

static void test_order__no_get_lends_after_a_pause_what_another_thread_used_last(void **state)
{
  (void)state;
  no_get_lends_after_a_pause(true);
}

/* A get whose thread's last slot is lent finds the other by a search. */
static pool_lease_t held;
static struct slot *sought;
static enum slot_state stopped_at; /* how far the get was when the pool stopped lending */
static bool began_check;

static void stop_by_pause(void)
{
  busy = pool_pause(pool);
  stopped_at = state_of(atomic_load(&sought->word));
}

/* The first half of pool_close(): nothing is lent any more, and what is idle is not closed yet. */
static void stop_by_close(void)
{
  steer_close(pool);
  stopped_at = state_of(atomic_load(&sought->word));
}

/* The search of a get, and the check that it may ask for. */
static void search(void)
{
  struct step asked = {0};
  struct outcome outcome = {.succeeded = true, .lend = true, .took_ns = -1};
  first = asker_take_idle(pool, &asked);
  began_check = asked.work == POOL_WORK_CHECK;
  if (began_check)
    first = work_done(asked.claim, &outcome, &asked);
}

static int check_nothing(void *context, void *asked, int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)asked, (void)deadline_ns, (void)error;
  return 0;
}

/* Two are open; the one that this thread got last is held, and the other is sought. */
static void make_sought(bool checks)
{
  pool_config_t config = by_hand(2);
  if (checks)
    config.check_after_ms = 0;
  make_checking(&config, checks ? check_nothing : NULL);
  assert_true((first = pool_get(pool)) > 0);
  assert_true((held = pool_get(pool)) > 0);
  sought = slot_of(first);
  assert_int_equal(pool_put(first), 0);
}

static void no_search_lends_after(void (*stop)(void), bool checks)
{
  int refused = 0;
  began_check = false;
  for (long nth = 1;; nth++) {
    make_sought(checks);
    bool was_interrupted = interrupted(nth, pool, checks ? search : get, stop);
    if (was_interrupted && first > 0 && stopped_at != LEASED)
      fail_msg("at %ld a get kept what it found after the pool had stopped lending", nth);
    if (was_interrupted && began_check && stopped_at == IDLE)
      fail_msg("at %ld a check began after the pool had stopped lending", nth);
    refused += first <= 0;
    if (first > 0) {
      assert_ptr_equal(slot_of(first), sought);
      assert_int_equal(pool_put(first), 0);
    }
    assert_int_equal(pool_put(held), 0);
    assert_int_equal(pool_close(pool, 10000), 0); /* a library thread closes what the get may not */
    finish();
    if (!was_interrupted)
      break;
  }
  assert_true(refused > 0);
  assert_int_equal(began_check, checks);
}

static void test_order__no_get_keeps_what_it_finds_by_a_search_after_a_pause(void **state)
{
  (void)state;
  no_search_lends_after(stop_by_pause, false);
}

static void test_order__no_get_keeps_what_it_finds_by_a_search_after_a_close(void **state)
{
  (void)state;
  no_search_lends_after(stop_by_close, false);
}

static void test_order__no_get_checks_and_keeps_what_it_finds_after_a_pause(void **state)
{
  (void)state;
  no_search_lends_after(stop_by_pause, true);
}

/* ---- steps: the same, and tickets that wait ---- */

static pool_step_t step, other_step;

static void make_stepped(const pool_config_t *config)
{
  assert_int_equal(pool_step_create(config, 0, &pool, NULL), 0);
}

static void open_idle(int count)
{
  pool_lease_t leases[8];
  for (int i = 0; i < count; i++) {
    step = (pool_step_t)POOL_STEP_INIT;
    assert_int_equal(pool_step_begin(pool, 0, 0, &step), 0);
    assert_int_equal(step.work, POOL_WORK_OPEN);
    assert_true((leases[i] = pool_step_done(step.claim, NULL, (void *)++opened, &step)) > 0);
  }
  for (int i = 0; i < count; i++)
    assert_int_equal(pool_step_end(leases[i], &step), 0);
}

static void finish_steps(void)
{
  assert_int_equal(pool_close(pool, 0), open_now = 1);
  step = (pool_step_t)POOL_STEP_INIT;
  while (pool_step_next(pool, &step) == 1)
    if (step.work == POOL_WORK_CLOSE)
      assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
  pool_free(pool);
}

static void begin(void)
{
  step = (pool_step_t)POOL_STEP_INIT;
  first = pool_step_begin(pool, 0, 0, &step);
}

static void test_order__no_step_lends_after_a_pause(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  make_stepped(&config);
  open_idle(1);
  for (long nth = 1;; nth++) {
    bool was_interrupted = interrupted(nth, pool, begin, pause_pool);
    if (was_interrupted && first > 0 && busy == 0)
      fail_msg("at %ld a step lent although the pool was quiet", nth);
    if (first > 0)
      assert_int_equal(pool_step_end(first, &step), 0);
    if (!was_interrupted)
      break;
    assert_int_equal(pool_resume(pool), 0);
  }
  finish_steps();
}

static void end(void)
{
  step = (pool_step_t)POOL_STEP_INIT;
  code = pool_step_end(first, &step);
}

static void begin_waiting(void)
{
  other_step = (pool_step_t)POOL_STEP_INIT;
  second = pool_step_begin(pool, 1000, 0, &other_step);
}

static void test_order__a_ticket_is_lent_what_ends_or_is_woken_by_it(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  make_stepped(&config);
  open_idle(1);
  for (long nth = 1;; nth++) {
    begin();
    assert_true(first > 0);
    bool was_interrupted = interrupted(nth, pool, end, begin_waiting);
    assert_int_equal(code, 0);
    if (!was_interrupted)
      break;
    if (second == 0 && step.wake != other_step.ticket)
      fail_msg("at %ld the end of a lease did not wake who waits", nth);
    if (second == 0)
      second = pool_step_begin(pool, 1000, other_step.ticket, &other_step);
    assert_true(second > 0);
    assert_int_equal(pool_step_end(second, &step), 0);
  }
  finish_steps();
}

/* ---- a step that comes late, to a pool with callbacks ---- */

static pool_t *next_pool; /* NULL: the lease of the step has not ended yet */
static pthread_t getter;

static void *get_and_put(void *of)
{
  pool_lease_t lease = pool_get_for(of, -1);
  must(lease > 0 && pool_put(lease) == 0);
  return NULL;
}

/* The pool of the step is closed and gone, and in its memory is one with callbacks.  There a thread waits, and another
   has just put the only connection, but did not look yet whether anybody waits. */
static void pass_memory_on(void)
{
  pool_config_t config = by_hand(1);
  pool_vtable_t vtable = {.size = sizeof vtable, .open = count_open, .close = count_close};
  next_pool = NULL;
  open_now = 0;
  other_step = (pool_step_t)POOL_STEP_INIT;
  pool_lease_t lease = pool_step_begin(pool, 0, 0, &other_step);
  if (lease <= 0)
    return;
  must(pool_mark_unusable(lease) == 0 && pool_step_end(lease, &other_step) == 0);
  must(pool_step_done(other_step.claim, NULL, NULL, &other_step) == 0);
  pool_free(pool);
  must(pool_create(&config, &vtable, NULL, &next_pool, NULL) == 0 && next_pool == pool);
  must((second = pool_get_for(pool, 0)) > 0);
  getter = thread_start(get_and_put, pool);
  must_soon(stats_of(pool).waiting == 1 && virtual_sleepers() == 1);
  must(slot_put(slot_of(second), second, 0));
}

/* The thread that has put it goes on. */
static void look_who_waits(void)
{
  struct step late = {0};
  idle_mark(slot_of(second));
  give_idle(pool, slot_of(second), slot_put_word(second), &late);
  if (late.signal)
    park_wake(late.signal);
}

static void test_order__the_end_of_a_step_that_comes_late_swallows_no_nudge_of_the_next_pool(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  for (long nth = 1;; nth++) {
    make_stepped(&config);
    open_idle(1);
    begin();
    assert_true(first > 0);
    bool was_interrupted = interrupted(nth, pool, end, pass_memory_on);
    assert_int_equal(code, 0);
    if (was_interrupted && next_pool) {
      look_who_waits();
      thread_end(getter);
      finish();
    } else
      finish_steps();
    if (!was_interrupted)
      break;
  }
}

/* A connection is opened for nobody in particular, and is ready while a get looks for one. */
static int64_t claim;
static int32_t reserved;

static struct step wanted;

static void begin_inside(void)
{
  wanted = (struct step){0};
  first = asker_begin(pool, false, false, &wanted);
}

static void open_ends(void)
{
  reserved = pool->room.opening;
  other_step = (pool_step_t)POOL_STEP_INIT;
  code = (int)pool_step_done(claim, NULL, (void *)++opened, &other_step);
}

static void test_order__a_get_opens_none_beside_one_that_was_ready_before_it_decided(void **state)
{
  (void)state;
  pool_config_t config = by_hand(8);
  config.min_idle = 1;
  for (long nth = 1;; nth++) {
    make_stepped(&config);
    step = (pool_step_t)POOL_STEP_INIT;
    assert_int_equal(pool_step_next(pool, &step), 1);
    assert_int_equal(step.work, POOL_WORK_OPEN);
    claim = step.claim;
    bool was_interrupted = interrupted(nth, pool, begin_inside, open_ends);
    if (was_interrupted && reserved == 1 && first == 0 && wanted.work == POOL_WORK_OPEN)
      fail_msg("at %ld a get opened one although another had just been opened", nth);
    if (first == 0 && wanted.work == POOL_WORK_OPEN)
      assert_true((first = pool_step_done(wanted.claim, NULL, (void *)++opened, &step)) > 0);
    if (first > 0)
      assert_int_equal(pool_step_end(first, &step), 0);
    if (!was_interrupted)
      open_ends();
    assert_int_equal(code, 0);
    pool_close(pool, 0);
    step = (pool_step_t)POOL_STEP_INIT;
    while (pool_step_next(pool, &step) == 1)
      if (step.work == POOL_WORK_CLOSE)
        assert_int_equal(pool_step_done(step.claim, NULL, NULL, &step), 0);
    pool_free(pool);
    if (!was_interrupted)
      break;
  }
}

/* ---- asynchronous gets ---- */

struct heard {
  int times;
  pool_lease_t result;
};

static void hear(void *user, pool_lease_t result)
{
  struct heard *heard = user;
  heard->times++;
  heard->result = result;
}

static struct heard heard[2];
static int64_t tickets[2];

static void put(void)
{
  code = pool_put(first);
}

static void ask(void)
{
  heard[0] = (struct heard){0};
  tickets[0] = pool_get_async(pool, 1000, hear, &heard[0]);
}

static void test_order__a_put_serves_who_came_meanwhile(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  make(&config);
  for (long nth = 1;; nth++) {
    assert_true((first = pool_get(pool)) > 0);
    bool was_interrupted = interrupted(nth, pool, put, ask);
    assert_int_equal(code, 0);
    if (!was_interrupted)
      break;
    assert_true(tickets[0] > 0);
    pool_maintain(pool);
    if (heard[0].times != 1 || heard[0].result <= 0)
      fail_msg("at %ld a put served nobody", nth);
    assert_int_equal(pool_put(heard[0].result), 0);
  }
  finish();
}

static void cancel(void)
{
  code = pool_cancel(tickets[0]);
}

/* Tickets follow each other, so the next can be guessed before its get has a place in the queue. */
static int64_t guess;

static void cancel_guess(void)
{
  code = pool_cancel(guess);
}

static void test_order__a_ticket_that_was_guessed_too_early_cancels_nothing(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  make(&config);
  assert_true((first = pool_get(pool)) > 0);
  ask();
  code = POOL_E_STALE;
  for (long nth = 1; code == POOL_E_STALE; nth++) {
    assert_int_equal(pool_cancel(tickets[0]), 0);
    pool_maintain(pool);
    if (heard[0].times != 1 || heard[0].result != POOL_E_CANCELLED)
      fail_msg("at %ld a get was not cancelled once", nth);
    guess = tickets[0] + (INT64_C(1) << 20);
    assert_true(interrupted(nth, pool, ask, cancel_guess));
    assert_int_equal(tickets[0], guess);
  }
  assert_int_equal(code, 0); /* it has its place, and is a ticket like others */
  pool_maintain(pool);
  assert_int_equal(heard[0].times, 1);
  assert_int_equal(pool_put(first), 0);
  finish();
}

static void pass_ticket_on(void)
{
  virtual_advance(2 * SECOND);
  pool_maintain(pool);
  heard[1] = (struct heard){0};
  tickets[1] = pool_get_async(pool, 1000, hear, &heard[1]);
}

static void test_order__a_cancel_never_cancels_the_next_user_of_a_ticket(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  make(&config);
  assert_true((first = pool_get(pool)) > 0);
  for (long nth = 1;; nth++) {
    ask();
    assert_true(tickets[0] > 0);
    tickets[1] = 0;
    bool was_interrupted = interrupted(nth, pool, cancel, pass_ticket_on);
    pool_maintain(pool);
    assert_int_equal(heard[0].times, 1);
    assert_int_equal(heard[0].result, code == 0 ? POOL_E_CANCELLED : POOL_E_TIMEOUT);
    if (!was_interrupted)
      break;
    if (heard[1].times != 0)
      fail_msg("at %ld a cancel ended another get", nth);
    assert_int_equal(pool_cancel(tickets[1]), 0);
    pool_maintain(pool);
    assert_int_equal(heard[1].times, 1);
  }
  assert_int_equal(pool_put(first), 0);
  finish();
}

/* ---- hints ---- */

enum { IN_TWO_BLOCKS = 66, BEHIND_STALE_BITS = 12, MANY = 128 };

static pool_lease_t leases[MANY];

static void get_all(int count)
{
  for (int i = 0; i < count; i++)
    assert_true((leases[i] = pool_get(pool)) > 0);
}

static void put_all(int count)
{
  for (int i = 0; i < count; i++)
    assert_int_equal(pool_put(leases[i]), 0);
}

/* Which of the leases has the last place among the pool's slots, and is not the one that this thread's next get finds
   by itself. */
static int find_last(int count)
{
  int last = 0;
  for (int i = 1; i < count - 1; i++) {
    struct slot *slot = slot_of(leases[i]), *other = slot_of(leases[last]);
    uint32_t block = atomic_load(&slot->block)->bit, other_block = atomic_load(&other->block)->bit;
    if (block > other_block || (block == other_block && atomic_load(&slot->bit) > atomic_load(&other->bit)))
      last = i;
  }
  return last;
}

static int last;

static void put_last(void)
{
  code = pool_put(leases[last]);
}

static void look_for_idle(void)
{
  struct step asked = {0};
  first = lend_any(pool, &asked);
}

/* `cleared`: a get has looked for one in vain before, and cleared what hints it found. */
static void a_put_is_seen_whenever_a_get_looks(int count, bool cleared)
{
  pool_config_t config = by_hand(count);
  make(&config);
  get_all(count);
  for (long nth = 1;; nth++) {
    put_all(count);
    get_all(count);
    last = find_last(count);
    if (cleared) {
      look_for_idle(); /* once: the second time clears the hint of the block, too */
      assert_int_equal(first, 0);
    }
    bool was_interrupted = interrupted(nth, pool, look_for_idle, put_last);
    if (!was_interrupted)
      break;
    assert_int_equal(code, 0);
    if (first <= 0 && (first = pool_get_for(pool, 0)) <= 0)
      fail_msg("at %ld what was put while a get was looking was not seen again", nth);
    leases[last] = first;
  }
  put_all(count);
  finish();
}

static void test_order__a_put_is_seen_whenever_a_get_clears_its_hint(void **state)
{
  (void)state;
  a_put_is_seen_whenever_a_get_looks(BEHIND_STALE_BITS, false);
}

static void test_order__a_put_is_seen_whenever_a_get_clears_the_hint_of_its_block(void **state)
{
  (void)state;
  a_put_is_seen_whenever_a_get_looks(IN_TWO_BLOCKS, true);
}

/* A get looks for one, two come to be idle, and a waiter looks while the hint of their block is cleared. */
static pool_lease_t two[2];
static struct row *row;
static uint32_t block_bit;
static bool missed;

static void take_idle(void)
{
  struct step asked = {0};
  first = asker_take_idle(pool, &asked);
}

static void put_two(void)
{
  code = pool_put(two[0]) + pool_put(two[1]);
}

static bool is_hint_cleared(void)
{
  return !(atomic_load(&row->idle) & block_bit);
}

static void ask_meanwhile(void)
{
  missed = true;
  ask();
}

/* Nothing in the second block is idle, and its row's bit is still set. */
static void leave_block_hint(void)
{
  get_all(IN_TWO_BLOCKS);
  int found = 0;
  for (int i = 0; i < IN_TWO_BLOCKS; i++) {
    struct block *block = atomic_load(&slot_of(leases[i])->block);
    if (block == atomic_load(&pool->rows.block[0]))
      continue;
    assert_true(found < 2);
    two[found++] = leases[i];
    row = block->row;
    block_bit = block->bit;
  }
  assert_int_equal(found, 2);
  look_for_idle();
  assert_int_equal(first, 0);
  assert_false(is_hint_cleared());
}

static void put_all_but_two(void)
{
  for (int i = 0; i < IN_TWO_BLOCKS; i++)
    if (leases[i] != two[0] && leases[i] != two[1])
      assert_int_equal(pool_put(leases[i]), 0);
}

static void test_order__a_waiter_that_looks_while_the_hint_of_a_block_is_cleared_is_served(void **state)
{
  (void)state;
  pool_config_t config = by_hand(IN_TWO_BLOCKS);
  int times = 0;
  make(&config);
  get_all(IN_TWO_BLOCKS);
  put_all(IN_TWO_BLOCKS);
  for (long nth = 1;; nth++) {
    leave_block_hint();
    missed = false;
    bool was_interrupted = interrupted_twice(nth, pool, take_idle, put_two, is_hint_cleared, ask_meanwhile);
    times += missed;
    if (missed && stats_of(pool).waiting != 0)
      fail_msg("at %ld nobody served a waiter that had missed a block", nth);
    if (!was_interrupted)
      put_two();
    assert_int_equal(code, 0);
    if (first > 0)
      assert_int_equal(pool_put(first), 0);
    pool_maintain(pool);
    if (missed) {
      assert_int_equal(heard[0].times, 1);
      assert_int_equal(pool_put(heard[0].result), 0);
    }
    put_all_but_two();
    if (!was_interrupted)
      break;
  }
  assert_true(times > 0);
  finish();
}

/* ---- looks at the time ---- */

static struct look look;

static void look_at_slots(void)
{
  look = (struct look){.now = clock_now(), .boot = clock_boot(), .open = pool->room.open, .due_ns = POOL_NO_DEADLINE};
  look_over(pool, &look);
}

static void test_order__a_lifetime_ends_no_later_connection(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  config.max_lifetime_ms = 1000;
  config.retire_percent = 100;
  make(&config);
  for (long nth = 1;; nth++) {
    assert_true((first = pool_get(pool)) > 0);
    virtual_advance(2 * SECOND);
    bool was_interrupted = interrupted(nth, pool, look_at_slots, replace_connection);
    if (!was_interrupted)
      break;
    if (word_of(second) & DOOMED)
      fail_msg("at %ld a new connection was to be closed for the age of the one before", nth);
    assert_int_equal(pool_mark_unusable(second), 0);
    assert_int_equal(pool_put(second), 0);
  }
  assert_int_equal(pool_put(first), 0);
  finish();
}

static void use_connection(void)
{
  use_once(pool);
}

static void test_order__what_was_used_during_a_look_is_not_closed_as_idle(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  config.idle_timeout_ms = 1000;
  make(&config);
  for (long nth = 1;; nth++) {
    use_once(pool);
    look_at_slots();
    virtual_advance(2 * SECOND);
    bool was_interrupted = interrupted(nth, pool, look_at_slots, use_connection);
    if (!was_interrupted)
      break;
    assert_true((first = pool_get_for(pool, 0)) > 0);
    conn = pool_conn(first);
    assert_int_equal(pool_put(first), 0);
    pool_maintain(pool);
    assert_true((first = pool_get_for(pool, 0)) > 0);
    if (pool_conn(first) != conn || conn != (void *)opened)
      fail_msg("at %ld a connection that had been used was closed as idle", nth);
    assert_int_equal(pool_mark_unusable(first), 0);
    assert_int_equal(pool_put(first), 0);
  }
  finish();
}

static void get_without_put(void)
{
  first = pool_get_for(pool, 0);
}

static void test_order__the_keeper_rests_only_if_each_move_will_wake_it(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  config.initial = 1;
  config.idle_timeout_ms = 1000000;
  make(&config);
  for (long nth = 1;; nth++) {
    look_at_slots();
    bool was_interrupted = interrupted(nth, pool, look_at_slots, get_without_put);
    if (!was_interrupted)
      break;
    assert_true(first > 0);
    if (atomic_load(&pool->looks.resting) && !(word_of(first) & RESTING))
      fail_msg("at %ld the keeper rested though a lease had begun that will not wake it", nth);
    assert_int_equal(pool_put(first), 0);
  }
  finish();
}

static void put_slowly(void)
{
  code = pool_put(first);
}

static void test_order__the_keeper_rests_only_if_it_knows_when_what_was_put_is_due(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  config.idle_timeout_ms = 1000000;
  make(&config);
  for (long nth = 1;; nth++) {
    assert_true((first = pool_get_for(pool, 0)) > 0);
    look_at_slots();
    look_at_slots();
    assert_true(word_of(first) & RESTING);
    bool was_interrupted = interrupted(nth, pool, look_at_slots, put_slowly);
    if (!was_interrupted)
      put_slowly();
    assert_int_equal(code, 0);
    if (!was_interrupted)
      break;
    if (atomic_load(&pool->looks.resting) && look.due_ns == POOL_NO_DEADLINE)
      fail_msg("at %ld the keeper rested for ever though a connection had become idle", nth);
  }
  finish();
}

static void end_work(void)
{
  other_step = (pool_step_t)POOL_STEP_INIT;
  code = (int)pool_step_done(claim, NULL, NULL, &other_step);
}

static void test_order__the_keeper_rests_only_if_it_knows_when_what_was_reset_is_due(void **state)
{
  (void)state;
  pool_config_t config = by_hand(1);
  config.idle_timeout_ms = 1000000;
  assert_int_equal(pool_step_create(&config, POOL_STEP_RESETS, &pool, NULL), 0);
  open_idle(1);
  claim = step.claim;
  for (long nth = 1;; nth++) {
    bool was_interrupted = interrupted(nth, pool, look_at_slots, end_work);
    if (!was_interrupted)
      end_work();
    assert_int_equal(code, 0);
    if (!was_interrupted)
      break;
    if (atomic_load(&pool->looks.resting) && look.due_ns == POOL_NO_DEADLINE)
      fail_msg("at %ld the keeper rested for ever though a connection had become idle", nth);
    begin();
    assert_true(first > 0);
    end();
    assert_int_equal(step.work, POOL_WORK_RESET);
    claim = step.claim;
  }
  finish_steps();
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order__pool_conn_never_returns_the_next_users_connection),
      cmocka_unit_test(test_order__no_get_lends_after_a_pause),
      cmocka_unit_test(test_order__no_get_lends_after_a_pause_what_another_thread_used_last),
      cmocka_unit_test(test_order__no_get_keeps_what_it_finds_by_a_search_after_a_pause),
      cmocka_unit_test(test_order__no_get_keeps_what_it_finds_by_a_search_after_a_close),
      cmocka_unit_test(test_order__no_get_checks_and_keeps_what_it_finds_after_a_pause),
      cmocka_unit_test(test_order__no_step_lends_after_a_pause),
      cmocka_unit_test(test_order__a_ticket_is_lent_what_ends_or_is_woken_by_it),
      cmocka_unit_test(test_order__the_end_of_a_step_that_comes_late_swallows_no_nudge_of_the_next_pool),
      cmocka_unit_test(test_order__a_get_opens_none_beside_one_that_was_ready_before_it_decided),
      cmocka_unit_test(test_order__a_put_serves_who_came_meanwhile),
      cmocka_unit_test(test_order__a_ticket_that_was_guessed_too_early_cancels_nothing),
      cmocka_unit_test(test_order__a_cancel_never_cancels_the_next_user_of_a_ticket),
      cmocka_unit_test(test_order__a_put_is_seen_whenever_a_get_clears_its_hint),
      cmocka_unit_test(test_order__a_put_is_seen_whenever_a_get_clears_the_hint_of_its_block),
      cmocka_unit_test(test_order__a_waiter_that_looks_while_the_hint_of_a_block_is_cleared_is_served),
      cmocka_unit_test(test_order__a_lifetime_ends_no_later_connection),
      cmocka_unit_test(test_order__what_was_used_during_a_look_is_not_closed_as_idle),
      cmocka_unit_test(test_order__the_keeper_rests_only_if_each_move_will_wake_it),
      cmocka_unit_test(test_order__the_keeper_rests_only_if_it_knows_when_what_was_put_is_due),
      cmocka_unit_test(test_order__the_keeper_rests_only_if_it_knows_when_what_was_reset_is_due),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
