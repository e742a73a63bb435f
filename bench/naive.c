/* SPDX-License-Identifier: MIT */
#include "naive.h"

void naive_create(struct naive *naive, int connections, void *conn)
{
  pthread_mutex_init(&naive->lock, NULL);
  pthread_cond_init(&naive->returned, NULL);
  for (naive->idle = 0; naive->idle < connections; naive->idle++)
    naive->stack[naive->idle] = conn;
}

void naive_destroy(struct naive *naive)
{
  pthread_cond_destroy(&naive->returned);
  pthread_mutex_destroy(&naive->lock);
}

void *naive_get(struct naive *naive)
{
  pthread_mutex_lock(&naive->lock);
  while (naive->idle == 0)
    pthread_cond_wait(&naive->returned, &naive->lock);
  void *conn = naive->stack[--naive->idle];
  pthread_mutex_unlock(&naive->lock);
  return conn;
}

void naive_put(struct naive *naive, void *conn)
{
  pthread_mutex_lock(&naive->lock);
  naive->stack[naive->idle++] = conn;
  pthread_mutex_unlock(&naive->lock);
  /* After the unlock: whoever is woken need not wait for the mutex. */
  pthread_cond_signal(&naive->returned);
}
