/* SPDX-License-Identifier: MIT */
/* Texts come from other processes, whose tags and names may hold anything: what is shown of them was cleaned. */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "say.h"

static const char *const columns[VIEW_COLUMNS] = {"pid",  "program", "pool", "lent", "idle",
                                                  "open", "waiting", "p99",  "rate", "held"};

const char *view_column_name(enum view_column column)
{
  return columns[column];
}

enum view_column view_column_of(const char *name)
{
  enum view_column column = 0;
  while (column < VIEW_COLUMNS && strcmp(columns[column], name) != 0)
    column++;
  return column;
}

/* ---- reading ---- */

static int64_t number(const json_t *object, const char *name)
{
  return json_integer_value(json_object_get(object, name));
}

/* The text itself is cleaned, in the document; once that is done it stays where it is. */
static const char *text(json_t *object, const char *name)
{
  json_t *value = json_object_get(object, name);
  const char *text = json_string_value(value);
  char cleaned[64];
  if (!text)
    return "?";
  text_copy(cleaned, sizeof cleaned, text);
  if (strcmp(text, cleaned) != 0)
    json_string_set(value, cleaned);
  return json_string_value(value) ? json_string_value(value) : "?";
}

static const char *state_of(const json_t *pool)
{
  if (json_is_true(json_object_get(pool, "closed")))
    return "closed";
  if (number(pool, "pauses") > 0)
    return "paused";
  return number(pool, "breaker_open") ? "breaker open" : "";
}

static int64_t longest_of(json_t *leases)
{
  size_t i;
  json_t *lease;
  int64_t longest = 0;
  json_array_foreach(leases, i, lease) longest =
      number(lease, "held_ns") > longest ? number(lease, "held_ns") : longest;
  return longest;
}

static double rate_of(const struct view_row *row, const struct view *view, const struct view *before)
{
  for (size_t i = 0; before && i < before->count; i++) {
    const struct view_row *old = &before->rows[i];
    if (old->pid == row->pid && old->id == row->id && view->taken_ns > before->taken_ns)
      return (double)(row->gets - old->gets) * 1e9 / (double)(view->taken_ns - before->taken_ns);
  }
  return -1;
}

static void add_row(struct view *view, const struct peer *peer, json_t *pool, const struct view *before)
{
  struct view_row *longer = realloc(view->rows, (view->count + 1) * sizeof *longer);
  if (!longer)
    return;
  view->rows = longer;
  json_t *leases = json_object_get(pool, "leases");
  struct view_row row = {.pid = peer->pid,
                         .id = number(pool, "id"),
                         .program = text(peer->answer, "program"),
                         .pool = text(pool, "name"),
                         .lent = number(pool, "leased"),
                         .idle = number(pool, "idle"),
                         .open = number(pool, "open"),
                         .max_open = number(pool, "max_open"),
                         .waiting = number(pool, "waiting"),
                         .p99_ns = number(json_object_get(pool, "wait"), "p99_ns"),
                         .gets = number(pool, "lent"),
                         .held_ns = longest_of(leases),
                         .state = state_of(pool),
                         .leases = leases};
  row.rate = rate_of(&row, view, before);
  view->rows[view->count++] = row;
}

void view_take(struct view *view, const struct view *before)
{
  *view = (struct view){0};
  peers_ask(&view->peers, 0, "report");
  view->taken_ns = clock_now();
  for (size_t i = 0; i < view->peers.count; i++) {
    const struct peer *peer = &view->peers.list[i];
    json_t *pools = json_object_get(peer->answer, "pools"), *pool;
    size_t j;
    view->silent += !json_is_array(pools);
    json_array_foreach(pools, j, pool) add_row(view, peer, pool, before);
  }
}

void view_free(struct view *view)
{
  free(view->rows);
  peers_free(&view->peers);
  *view = (struct view){0};
}

/* ---- order ---- */

static int up(double a, double b)
{
  return (a > b) - (a < b);
}

/* Names and numbers of processes from small to large, everything else with the largest first. */
static int compare_by(enum view_column column, const struct view_row *a, const struct view_row *b)
{
  switch (column) {
  case VIEW_PROGRAM:
    return strcmp(a->program, b->program);
  case VIEW_POOL:
    return strcmp(a->pool, b->pool);
  case VIEW_LENT:
    return up((double)b->lent, (double)a->lent);
  case VIEW_IDLE:
    return up((double)b->idle, (double)a->idle);
  case VIEW_OPEN:
    return up((double)b->open, (double)a->open);
  case VIEW_WAITING:
    return up((double)b->waiting, (double)a->waiting);
  case VIEW_P99:
    return up((double)b->p99_ns, (double)a->p99_ns);
  case VIEW_RATE:
    return up(b->rate, a->rate);
  case VIEW_HELD:
    return up((double)b->held_ns, (double)a->held_ns);
  default:
    return 0;
  }
}

static int compare(const void *left, const void *right, void *column)
{
  const struct view_row *a = left, *b = right;
  int order = compare_by(*(const enum view_column *)column, a, b);
  if (order == 0)
    order = up((double)a->pid, (double)b->pid);
  return order ? order : up((double)a->id, (double)b->id);
}

void view_sort(struct view *view, enum view_column column)
{
  if (view->count > 0)
    qsort_r(view->rows, view->count, sizeof *view->rows, compare, &column);
}

static int compare_leases(const void *left, const void *right)
{
  const struct view_lease *a = left, *b = right;
  return up((double)b->held_ns, (double)a->held_ns);
}

size_t view_leases(const struct view_row *rows, size_t count, struct view_lease **leases)
{
  size_t room = 0, found = 0;
  for (size_t i = 0; i < count; i++)
    room += json_array_size(rows[i].leases);
  *leases = calloc(room + 1, sizeof **leases);
  for (size_t i = 0; *leases && i < count; i++) {
    size_t j;
    json_t *lease;
    json_array_foreach(rows[i].leases, j, lease)(*leases)[found++] =
        (struct view_lease){&rows[i], number(lease, "thread"), number(lease, "held_ns"), text(lease, "tag")};
  }
  if (found > 0)
    qsort(*leases, found, sizeof **leases, compare_leases);
  return found;
}

/* ---- lines ---- */

static void trim(char *line)
{
  size_t length = strlen(line);
  while (length > 0 && line[length - 1] == ' ')
    line[--length] = 0;
}

/* In the environment's own characters printf counts bytes; a name of 16 columns may lose its end, and no more. */
void view_head(char *line, size_t room)
{
  snprintf(line, room, "%8s %-15s %4s %-20s %6s %6s %6s %6s %6s %9s %9s %10s  %s", "PID", "PROGRAM", "ID", "POOL",
           "LENT", "IDLE", "OPEN", "MAX", "WAIT", "WAIT P99", "HELD MAX", "LEASES/S", "STATE");
}

/* A get reads no clock, so a lease that nobody has seen before is new. */
static const char *held_text(char text[SAY_TIME_ROOM], int64_t ns)
{
  return ns > 0 ? say_time(text, ns) : "new";
}

void view_line(const struct view_row *row, char *line, size_t room)
{
  char p99[SAY_TIME_ROOM], held[SAY_TIME_ROOM], rate[24] = "-", most[24] = "-";
  if (row->rate >= 0)
    snprintf(rate, sizeof rate, "%.0f", row->rate);
  if (row->max_open > 0)
    snprintf(most, sizeof most, "%" PRId64, row->max_open);
  snprintf(line, room,
           "%8ld %-15.15s %4" PRId64 " %-20.20s %6" PRId64 " %6" PRId64 " %6" PRId64 " %6s %6" PRId64
           " %9s %9s %10s  %s",
           row->pid, row->program, row->id, row->pool, row->lent, row->idle, row->open, most, row->waiting,
           row->p99_ns > 0 ? say_time(p99, row->p99_ns) : "-", row->lent > 0 ? held_text(held, row->held_ns) : "-",
           rate, row->state);
  trim(line);
}

void view_lease_head(char *line, size_t room)
{
  snprintf(line, room, "%8s %4s %-20s %9s %8s  %s", "PID", "ID", "POOL", "HELD", "THREAD", "TAG");
}

void view_lease_line(const struct view_lease *lease, char *line, size_t room)
{
  char held[SAY_TIME_ROOM];
  snprintf(line, room, "%8ld %4" PRId64 " %-20.20s %9s %8" PRId64 "  %s", lease->row->pid, lease->row->id,
           lease->row->pool, held_text(held, lease->held_ns), lease->thread, lease->tag);
  trim(line);
}
