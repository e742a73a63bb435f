/* SPDX-License-Identifier: MIT */
/* A ledger's key in etcd: read, and written where nobody else has written meanwhile. */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "budget-etcd/book.h"
#include "budget-etcd/gateway.h"
#include "budget-etcd/place.h"

#define STORE_NO_SEAT (-1)
#define STORE_SAME    1 /* nothing is to be written */

struct store {
  struct gateway gateway;
  struct book book;
  bool known;      /* the book is what etcd had when it was asked last */
  int32_t window;  /* others write too: it waits for at most so many times as long as a write takes; 0: it does not */
  int64_t took_ns; /* what the last write took */
  uint64_t random;
};

/* Changes the ledger.  Returns 0, STORE_SAME, or a code that *error explains.  It is called again where another process
   was faster. */
typedef int store_change_fn(struct ledger *ledger, int64_t now, void *user, pool_error_t *error);

void store_begin(struct store *store, struct place *place);

/* Reads the ledger.  book.ledger is NULL where there is none. */
int store_read(struct store *store, int64_t deadline_ns, pool_error_t *error);

/* Changes it, tells those that are to be told, and also the seat `echo` if it is not STORE_NO_SEAT. */
int store_change(struct store *store, store_change_fn *change, void *user, int32_t echo, int64_t deadline_ns,
                 pool_error_t *error);

/* In a child of fork: closes the descriptor, and knows nothing. */
void store_forget(struct store *store);

void store_end(struct store *store);

#endif
