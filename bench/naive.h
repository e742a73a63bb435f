/* SPDX-License-Identifier: MIT */
/* The pool that one writes first: a mutex, a condition variable and a stack.  What the real one is compared with. */
#ifndef NAIVE_H
#define NAIVE_H

#include <pthread.h>

#define NAIVE_SIZE 64

struct naive {
  pthread_mutex_t lock;
  pthread_cond_t returned;
  int idle;
  void *stack[NAIVE_SIZE];
};

void naive_create(struct naive *naive, int connections, void *conn);
void naive_destroy(struct naive *naive);
void *naive_get(struct naive *naive);
void naive_put(struct naive *naive, void *conn);

#endif
