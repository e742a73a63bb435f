/* SPDX-License-Identifier: MIT */
/* What the tests share: cmocka, threads that meet, and a vtable whose every callback can be made to fail, wait or
 * count. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <pool/pool.h>
#include <pool/step.h>

/* Returns from wait_until() only when it is true; fails the test after a minute. */
#define wait_until(condition)                                                                                          \
  for (int64_t began_ = now_ns(); !(condition); pause_briefly())                                                       \
    if (now_ns() - began_ > LONG_NS)                                                                                   \
      fail_msg("%s:%d: waited a minute for: %s", __FILE__, __LINE__, #condition);

/* Longer than anything takes that comes at all, on a busy machine and under a sanitizer: no test asserts that something
   was faster. */
#define LONG_NS INT64_C(60000000000)

/* For other threads than the test's, and for children: cmocka's assertions work in the test's own thread only. */
#define must(condition) ((condition) ? (void)0 : must_not_be(__FILE__, __LINE__, #condition))
#define must_soon(condition)                                                                                           \
  for (int64_t began_ = now_ns(); !(condition); pause_briefly())                                                       \
  must(now_ns() - began_ < LONG_NS && #condition)
_Noreturn void must_not_be(const char *file, int line, const char *what);

int64_t now_ns(void);
void yield_ns(void);
void pause_briefly(void);

/* A random number; the state belongs to one thread and is not 0. */
uint32_t random_next(uint64_t *state);

/* How many threads this process has. */
int thread_count(void);

/* The same once the threads of earlier tests have ended: one that was joined may still be seen for a moment. */
int thread_count_at_rest(void);

/* A gate: while it is closed each thread that comes waits; when it is open, all pass. */
struct gate {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool open;
  int waiting;
};
void gate_init(struct gate *gate, bool open);
void gate_set(struct gate *gate, bool open);
void gate_pass(struct gate *gate);
int gate_waiting(struct gate *gate);

/* A fake server.  Connections are small objects that know whether they are open and which thread uses them. */
struct fake {
  _Atomic int opened, closed, checked, reset, abandoned, released, calls;
  _Atomic int open_now;
  _Atomic int most_open;
  _Atomic int good_opens; /* how many opens succeed in any case */
  _Atomic int fail_open;  /* and how many fail then */
  _Atomic int fail_check; /* likewise */
  _Atomic int fail_reset;
  _Atomic int fail_close;
  _Atomic int is_clean; /* what fake_is_clean() says */
  pool_call_t *under_way; /* what fake_go() was given last */
  _Atomic int misuse;                                /* used while closed, closed twice, used by two at once */
  struct gate opening, checking, resetting, closing; /* passed by each callback */
};

struct fake_conn {
  struct fake *fake;
  int number;
  _Atomic int is_open;
  _Atomic int users;
};

void fake_init(struct fake *fake);
pool_vtable_t fake_vtable(void); /* open and close */

int fake_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error);
int fake_close(void *context, void *conn, pool_error_t *error);
int fake_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error);
int fake_reset(void *context, void *conn, int64_t deadline_ns, pool_error_t *error);
int fake_is_clean(void *context, void *conn);
int fake_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call);
void fake_abandon(void *context, void *conn);
void fake_release(void *context);

/* Uses a connection for a moment as its only user; counts a misuse otherwise. */
void fake_use(pool_lease_t lease);

/* For pool_go(): what comes of the call is of no interest. */
void drop_reply(void *user, int32_t code, pool_bytes_t reply);

/* A pool on a fake server; fails the test if it cannot be made. */
pool_t *fake_pool(struct fake *fake, const pool_config_t *config, const pool_vtable_t *vtable);

/* What a test asks of its pool.  PLAN() is the default: a fake server's open and close.  A test names what is special
 * to it: PLAN(.config.max_open = 1, .vtable.check = fake_check). */
struct plan {
  pool_config_t config;
  pool_vtable_t vtable;
};
#define PLAN(...)                                                                                                      \
  (&(const struct plan){.config = POOL_CONFIG_INIT,                                                                    \
                        .vtable = POOL_VTABLE_INIT,                                                                    \
                        .vtable.open = fake_open,                                                                      \
                        .vtable.close = fake_close,                                                                    \
                        __VA_ARGS__})

/* A plan of a pool that the test maintains. */
#define BY_HAND(...) PLAN(.config.keeper = POOL_KEEPER_MANUAL, __VA_ARGS__)

/* A fake server as new, and a pool of its connections; fails the test if it cannot be made. */
pool_t *fake_start(struct fake *fake, const struct plan *plan);

/* Whose connection it is, in order of opening, from 0. */
int fake_number(pool_lease_t lease);

/* The pool is closed and freed, and nothing is left open or was misused. */
void fake_finish(struct fake *fake, pool_t *pool);

/* Several leases are taken one after the other, and put in the same order. */
#define leases_get(pool, leases, count)                                                                                \
  do                                                                                                                   \
    for (int i_ = 0; i_ < (count); i_++)                                                                               \
      assert_true(((leases)[i_] = pool_get(pool)) > 0);                                                                \
  while (0)
#define leases_put(leases, count)                                                                                      \
  do                                                                                                                   \
    for (int i_ = 0; i_ < (count); i_++)                                                                               \
      assert_int_equal(pool_put((leases)[i_]), 0);                                                                     \
  while (0)

/* There is a connection for a get without time, and it is put. */
#define get_and_put_now(pool)                                                                                          \
  do {                                                                                                                 \
    pool_lease_t lease_ = pool_get_for(pool, 0);                                                                       \
    assert_true(lease_ > 0);                                                                                           \
    assert_int_equal(pool_put(lease_), 0);                                                                             \
  } while (0)

pool_stats_t stats_of(pool_t *pool);

/* A socket that listens on a free port of 127.0.0.1; fails the test if there can be none. */
int listen_locally(int backlog, int *port);

/* Starts a thread; fails the test if it cannot. */
pthread_t thread_start(void *(*main)(void *), void *data);
void *thread_end(pthread_t thread);

/* The same, and returns when it waits at a gate, which is closed for it. */
pthread_t thread_hold_up(struct gate *gate, void *(*main)(void *), void *data);

/* Several that do the same. */
void threads_start(pthread_t *threads, int count, void *(*main)(void *), void *data);
void threads_end(const pthread_t *threads, int count);

/* A thread that closes a pool. */
struct closer {
  pool_t *pool;
  int64_t drain_ms;
  _Atomic int result; /* 1000: not yet */
  pthread_t thread;
};
void closer_start(struct closer *closer, pool_t *pool, int64_t drain_ms);
bool closer_waits(const struct closer *closer);

/* It ends, and the close returned this. */
void closer_end(struct closer *closer, int expected);

/* What a step's work failed with. */
static const pool_error_t failed_work __attribute__((unused)) = {sizeof failed_work, POOL_E_OPEN, 0, "refused"};

#endif
