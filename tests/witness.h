/* SPDX-License-Identifier: MIT */
/* Threads that get and put, and notes of what they, asynchronous gets and events told. */
#ifndef WITNESS_H
#define WITNESS_H

#include "support.h"

/* A thread that gets, notes what it got and in which turn, and puts when its gate opens, or at once without one.  With
 * `keeps` it ends with its lease, which the test puts. */
struct getter {
  pool_t *pool;
  int64_t timeout_ms;
  bool keeps;
  struct gate *release;
  _Atomic int *turns;
  pthread_t thread;
  _Atomic int turn, number;
  _Atomic pool_lease_t result;
  pool_error_t error;
};
void getter_start(struct getter *getter, pool_t *pool, int64_t timeout_ms);

/* The same, and returns when it stands in the queue, behind all that stood there; and several. */
void getter_queue(struct getter *getter, pool_t *pool, int64_t timeout_ms);
void getters_queue(struct getter *getters, int count, pool_t *pool, int64_t timeout_ms);

/* The same, and returns when it waits at a gate of its pool's server, which is closed for it. */
void getter_hold_up(struct getter *getter, pool_t *pool, int64_t timeout_ms, struct gate *gate);

/* Ends the thread and returns what it got. */
pool_lease_t getter_end(struct getter *getter);

/* They end, each with a lease, or each with the same POOL_E_*. */
#define getters_end(getters, count)                                                                                    \
  do                                                                                                                   \
    for (int i_ = 0; i_ < (count); i_++)                                                                               \
      assert_true(getter_end(&(getters)[i_]) > 0);                                                                     \
  while (0)
#define getters_fail(getters, count, code)                                                                             \
  do                                                                                                                   \
    for (int i_ = 0; i_ < (count); i_++)                                                                               \
      assert_int_equal(getter_end(&(getters)[i_]), code);                                                              \
  while (0)

/* How an asynchronous get ended: what it was told, how often, where, and before and after which others. */
struct heard {
  bool put;       /* the lease is put from within */
  int64_t ticket; /* of ask() */
  _Atomic int times;
  _Atomic pool_lease_t result;
  pool_error_t error;
  pthread_t thread;
  int order;
};
void told_got(void *user, pool_lease_t result);

/* An asynchronous get that tells, and several. */
#define ask(pool, timeout_ms, told) assert_true(((told)->ticket = pool_get_async(pool, timeout_ms, told_got, told)) > 0)
#define ask_all(pool, timeout_ms, told, count)                                                                         \
  do                                                                                                                   \
    for (int i_ = 0; i_ < (count); i_++)                                                                               \
      ask(pool, timeout_ms, &(told)[i_]);                                                                              \
  while (0)

/* It ends with a POOL_E_*, with a lease, or with one that is put. */
#define assert_failed(told, code)                                                                                      \
  do {                                                                                                                 \
    wait_until((told)->times == 1);                                                                                    \
    assert_int_equal((told)->result, code);                                                                            \
  } while (0)
#define assert_given(told)                                                                                             \
  do {                                                                                                                 \
    wait_until((told)->times == 1);                                                                                    \
    assert_true((told)->result > 0);                                                                                   \
  } while (0)
#define put_all_given(told, count)                                                                                     \
  do                                                                                                                   \
    for (int i_ = 0; i_ < (count); i_++)                                                                               \
      put_given(&(told)[i_]);                                                                                          \
  while (0)
#define put_given(told)                                                                                                \
  do {                                                                                                                 \
    assert_given(told);                                                                                                \
    assert_int_equal(pool_put((told)->result), 0);                                                                     \
  } while (0)

/* Notes events and lines of a log; given to a pool as `user` of both. */
struct entry {
  int32_t event, reason, code, level;
  pool_lease_t lease;
  int64_t connection, thread, duration_ns;
  pthread_t on;
  char pool[48], tag[64], message[512];
};
struct diary {
  pthread_mutex_t lock;
  int length;
  struct entry entries[512];
};
void diary_init(struct diary *diary, pool_config_t *config);
int diary_count(struct diary *diary, int32_t event);
int diary_lines(struct diary *diary, int32_t level);

/* The last event, or line of the log, of its kind; fails the test if there is none. */
struct entry diary_last(struct diary *diary, int32_t event);
struct entry diary_last_line(struct diary *diary, int32_t level);

#endif
