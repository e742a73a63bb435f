/* SPDX-License-Identifier: MIT */
/*
 * Boards: a ledger of this machine, and the seats of those that speak to it.
 *
 * Shared, between threads or processes: a board, under its lock.  A board of `host:` is a file in memory, this user's
 * alone.  It gets its name when it is complete.  The last speaker that leaves says on the board that it is gone, for
 * another may have opened it just then, and takes the name away.  Where that speaker was killed in between, the next
 * that opens the board does.
 */
#ifndef BOARD_H
#define BOARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pool/budget.h>

#include "base/ledger.h"
#include "run/budget.h"

#define BOARD_SEATS   1024
#define BOARD_MEMBERS 16384

/* What seat.h is about. */
struct seat {
  pthread_mutex_t alive;
  _Atomic uint32_t signal;
  bool taken;
  int64_t process;
  int64_t died_ns; /* when its speaker was found dead; 0: it was not */
};

struct board {
  uint64_t magic;
  uint32_t version, size;
  pthread_mutex_t lock;
  bool gone;     /* it is to have no name any more: a new speaker opens another */
  int32_t seats; /* the first so many have been used */
  struct seat seat[BOARD_SEATS];
};

/* Which board it is. */
struct board_place {
  bool is_host;
  int32_t limit; /* 0: it is only looked at */
  char name[BUDGET_NAME];
  ino_t file; /* of `host:`, once it was opened: which of those that had the name one after the other */
};

struct ledger *board_ledger(struct board *board);

/* Opens a board, or makes one where there is a limit.  It may be gone.  Without memory, or a file that is right: an
   error. */
int board_open(struct board_place *place, struct board **board, pool_error_t *error);
void board_close(const struct board_place *place, struct board *board);

/* The lock; an error: the process that has it is stopped. */
int board_lock(struct board *board, int64_t deadline_ns, pool_error_t *error);
void board_unlock(struct board *board);

/* Nobody finds it by its name any more.  Under its lock. */
void board_take_name_away(const struct board_place *place);

/* A mutex that processes share, and that is given back when its owner dies. */
void board_make_mutex(pthread_mutex_t *mutex);

/* For a fork.  In the child, under the lock: the boards of `process:` are the parent's. */
void board_names_lock(void);
void board_names_unlock(void);
void board_forget(void);

#endif
