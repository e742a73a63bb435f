/* SPDX-License-Identifier: MIT */
/*
 * A call under way, and the table of the calls under way on one connection.
 *
 * Shared.  The lock of the connection guards table, lists and calls.
 *
 * A sync call is one of pool_call().  It is on the stack of its caller, who waits for its end.  `changed` is signalled
 * under the lock, and the caller takes the lock to see `done`; so the signal is over when the caller returns.
 *
 * An async call is one of pool_go().  The poller frees it after its callback.
 */
#ifndef PENDING_H
#define PENDING_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/driver.h>

struct pending {
  uint64_t id;
  int64_t deadline_ns;
  struct pending *next_of_bucket;
  int code; /* how it ended */
  pool_bytes_t reply;
  pool_call_t *call; /* async: the library's name for it; sync: NULL */

  /* sync */
  bool done;
  pthread_cond_t changed; /* done, or the role of the reader is free */

  /* sync: neighbours among the calls that sleep; async: by deadline, and after the end the next in the inbox */
  struct pending *previous;
  struct pending *next;
  bool sending; /* async: the sender keeps the deadline until the request is sent */
};

struct pending_list {
  struct pending *first;
  struct pending *last;
};

/* Puts a call behind `before`, or first if that is NULL. */
void pending_list_insert(struct pending_list *list, struct pending *before, struct pending *pending);

void pending_list_remove(struct pending_list *list, struct pending *pending);

struct pending_table {
  uint64_t last_id; /* ids count from 1 */
  struct pending **buckets;
  size_t bucket_count; /* a power of two */
  size_t count;
  struct pending_list async; /* the async calls, by deadline */
};

/* Gives the call its id.  False without memory. */
bool pending_table_add(struct pending_table *table, struct pending *pending);

/* NULL: no call under way has this id. */
struct pending *pending_table_find(struct pending_table *table, uint64_t id);

void pending_table_remove(struct pending_table *table, struct pending *pending);

/* Some call under way.  NULL: there is none. */
struct pending *pending_table_any(struct pending_table *table);

/* Frees what the table has allocated. */
void pending_table_free(struct pending_table *table);

#endif
