/* SPDX-License-Identifier: MIT */
/* Threads that get and put, and notes of what they, asynchronous gets and events told. */
#ifndef WITNESS_H
#define WITNESS_H

#include "support.h"

/* A thread that gets, notes what it got and in which turn, and puts when its gate opens, or at once without one. */
struct getter {
  pool_t *pool;
  int64_t timeout_ms;
  struct gate *release;
  _Atomic int *turns;
  pthread_t thread;
  _Atomic int turn, number;
  _Atomic pool_lease_t result;
  pool_error_t error;
};
void getter_start(struct getter *getter, pool_t *pool, int64_t timeout_ms);

/* The same, and returns when it stands in the queue, behind all that stood there. */
void getter_queue(struct getter *getter, pool_t *pool, int64_t timeout_ms);

/* Ends the thread and returns what it got. */
pool_lease_t getter_end(struct getter *getter);

/* How an asynchronous get ended: what it was told, and how often. */
struct told {
  _Atomic int times;
  _Atomic pool_lease_t result;
  pool_error_t error;
};
void told_got(void *user, pool_lease_t result);

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
