/* SPDX-License-Identifier: MIT */
/* What top shows: a row for each pool of each process, made of their answers. */
#ifndef VIEW_H
#define VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "peer.h"

struct view_row {
  long pid;
  int64_t id;
  const char *program, *pool;
  int64_t lent, idle, open, max_open, waiting, p99_ns, gets;
  int64_t held_ns;   /* by the lease that is out for longest */
  double rate;       /* leases that ended in a second since the last view; below 0: not known */
  const char *state; /* "", or what is unusual */
  json_t *leases;
};

struct view_lease {
  const struct view_row *row;
  int64_t thread, held_ns;
  const char *tag;
};

struct view {
  struct peers peers; /* the texts are theirs */
  int64_t taken_ns;
  struct view_row *rows;
  size_t count, silent; /* `silent`: processes that did not answer */
};

/* Columns by which a view is sorted. */
enum view_column {
  VIEW_PID,
  VIEW_PROGRAM,
  VIEW_POOL,
  VIEW_LENT,
  VIEW_IDLE,
  VIEW_OPEN,
  VIEW_WAITING,
  VIEW_P99,
  VIEW_RATE,
  VIEW_HELD,
  VIEW_COLUMNS
};
const char *view_column_name(enum view_column column);

/* The column of a name, or VIEW_COLUMNS. */
enum view_column view_column_of(const char *name);

/* Takes a view; `before` is the last one, or NULL. */
void view_take(struct view *view, const struct view *before);
void view_sort(struct view *view, enum view_column column);
void view_free(struct view *view);

/* The leases of some rows, longest held first; free() frees them.  Returns how many. */
size_t view_leases(const struct view_row *rows, size_t count, struct view_lease **leases);

/* A line for a row, and the one above all of them; `room` may cut it. */
void view_head(char *line, size_t room);
void view_line(const struct view_row *row, char *line, size_t room);
void view_lease_head(char *line, size_t room);
void view_lease_line(const struct view_lease *lease, char *line, size_t room);

#endif
