/* SPDX-License-Identifier: MIT */
/*
 * The ledger of a budget, as a text that etcd keeps, and in memory.
 *
 * Times in it are those of the ledger, which no machine's clock says.  A ledger says what time it was when it was
 * written.  This machine adds what has passed on its own clock since it read that, which is later.  Of all that it has
 * read, what says the latest time holds.  So the time of the ledger runs as the clocks of its members do, and is never
 * ahead: no term is over here before it is over for its member.
 */
#ifndef BOOK_H
#define BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <pool/budget.h>

#include "base/ledger.h"
#include "budget-etcd/place.h"
#include "support/json_text.h"

#define BOOK_MEMBERS 4096 /* at most */

struct book {
  struct ledger *ledger; /* NULL: not read */
  int64_t revision;      /* of the text in etcd; 0: there is none */
  int64_t cluster;       /* which has it */
  int64_t epoch;         /* of the ledger whose time is known */
  int64_t ahead_ns;      /* of this machine's clock is the ledger's time, as far as is known */
};

/* A new ledger, for there is none.  Returns 0, or a code that *error explains. */
int book_begin(struct book *book, const struct place *place, int64_t cluster, pool_error_t *error);

/* Reads a text that has a 0 behind it, and of which this process may know the revision already.  Returns 0, or a code
   that *error explains: somebody else wrote it. */
int book_read(struct book *book, const struct place *place, const char *text, int64_t revision, int64_t cluster,
              pool_error_t *error);

/* Makes room for one member more.  False: there is no memory. */
bool book_make_room(struct book *book);

void book_write(const struct book *book, struct json_text *text);

/* What time it is for the ledger. */
int64_t book_now(const struct book *book);

void book_free(struct book *book);

#endif
