/* SPDX-License-Identifier: MIT */
/* poolctl budget: the members of a budget, on a terminal live. */
#include <curses.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <pool/budget.h>

#include "arguments.h"
#include "base/text.h"
#include "commands.h"
#include "lend.h"
#include "say.h"

#define TEXT 64

/* A member, with texts of its own. */
struct row {
  pool_budget_member_t member;
  char host[TEXT], language[TEXT], pool[TEXT];
};

/* What the ledger has at one moment. */
struct table {
  pool_budget_stats_t sums;
  struct row *rows;
  size_t count, room;
};

/* ---- a look ---- */

static int add(void *user, const pool_budget_member_t *member)
{
  struct table *table = user;
  if (table->count == table->room) {
    size_t room = table->room ? 2 * table->room : 64;
    struct row *rows = realloc(table->rows, room * sizeof *rows);
    if (!rows)
      return POOL_E_NOMEM;
    table->rows = rows;
    table->room = room;
  }
  struct row *row = &table->rows[table->count++];
  row->member = *member;
  text_copy(row->host, sizeof row->host, member->host); /* whatever a ledger has, it steers no terminal */
  text_copy(row->language, sizeof row->language, member->language);
  text_copy(row->pool, sizeof row->pool, member->pool);
  return 0;
}

static int take(pool_budget_t *budget, struct table *table, pool_error_t *error)
{
  table->count = 0;
  table->sums = (pool_budget_stats_t)POOL_BUDGET_STATS_INIT;
  int code = pool_budget_stats(budget, &table->sums, error);
  if (code == 0)
    code = pool_budget_members(budget, add, table, error);
  return code < 0 ? code : 0;
}

/* ---- lines ---- */

static void write_sums(const pool_budget_stats_t *sums, char *line, size_t room)
{
  int used = snprintf(line, room, "%lld of %lld permits granted, %lld open, %lld wanted, %lld waiting, %lld members",
                      (long long)sums->granted, (long long)sums->limit, (long long)sums->open, (long long)sums->wants,
                      (long long)sums->waiting, (long long)sums->members);
  if (sums->granted > sums->limit)
    used += snprintf(line + used, room - (size_t)used, "; overdraft %lld", (long long)(sums->granted - sums->limit));
  if (sums->learns_ms > 0)
    snprintf(line + used, room - (size_t)used, "; learning for %lld ms", (long long)sums->learns_ms);
}

static void write_head(char *line, size_t room)
{
  snprintf(line, room, "%-20s %8s %-6s %-20s %7s %6s %5s %5s %7s %8s", "HOST", "PID", "IN", "POOL", "GRANTED", "SHARE",
           "OPEN", "WANTS", "WAITING", "WAITS");
}

static void write_row(const struct row *row, char *line, size_t room)
{
  char waits[24] = "-";
  const pool_budget_member_t *member = &row->member;
  if (member->waits_ms >= 0)
    snprintf(waits, sizeof waits, "%.1f s", (double)member->waits_ms / 1000);
  snprintf(line, room, "%-20.20s %8lld %-6.6s %-20.20s %7d %6d %5d %5d %7d %8s", row->host, (long long)member->process,
           row->language, row->pool, member->granted, member->share, member->open, member->wants, member->waiting,
           waits);
}

static void print(const struct table *table)
{
  char line[256];
  write_sums(&table->sums, line, sizeof line);
  puts(line);
  write_head(line, sizeof line);
  puts(line);
  for (size_t i = 0; i < table->count; i++) {
    write_row(&table->rows[i], line, sizeof line);
    puts(line);
  }
}

/* ---- JSON ---- */

static json_t *json_of_row(const struct row *row)
{
  const pool_budget_member_t *member = &row->member;
  return json_pack("{s:s, s:I, s:s, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I}", "host", row->host, "process",
                   (json_int_t)member->process, "language", row->language, "pool", row->pool, "granted",
                   member->granted, "share", member->share, "open", member->open, "wants", member->wants, "waiting",
                   member->waiting, "weight", member->weight, "floor", member->floor, "waits_ms",
                   (json_int_t)member->waits_ms, "asked_ms", (json_int_t)member->asked_ms);
}

static int print_json(const struct table *table, bool many)
{
  const pool_budget_stats_t *sums = &table->sums;
  json_t *members = json_array();
  for (size_t i = 0; i < table->count; i++)
    json_array_append_new(members, json_of_row(&table->rows[i]));
  json_t *document =
      json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "limit", (json_int_t)sums->limit, "granted",
                (json_int_t)sums->granted, "open", (json_int_t)sums->open, "wants", (json_int_t)sums->wants, "waiting",
                (json_int_t)sums->waiting, "learns_ms", (json_int_t)sums->learns_ms, "members", members);
  if (!many)
    return say_json(document);
  int code = json_dumpf(document, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
  json_decref(document);
  putchar('\n');
  return code || fflush(stdout) ? EXIT_FAILED : EXIT_OK;
}

/* ---- again and again ---- */

static int refuse(const pool_error_t *error)
{
  return say_failure(lend_exit_code(error->code), "%s", error->message);
}

static void draw(const struct table *table, const pool_error_t *error)
{
  char line[256];
  erase();
  if (error->code) {
    mvaddnstr(0, 0, error->message, COLS);
  } else {
    write_sums(&table->sums, line, sizeof line);
    mvaddnstr(0, 0, line, COLS);
  }
  write_head(line, sizeof line);
  attron(A_BOLD);
  mvaddnstr(1, 0, line, COLS);
  attroff(A_BOLD);
  for (size_t i = 0; i < table->count && (int)i + 3 < LINES; i++) {
    write_row(&table->rows[i], line, sizeof line);
    mvaddnstr((int)i + 2, 0, line, COLS);
  }
  mvaddnstr(LINES - 1, 0, "q: quit", COLS);
  refresh();
}

/* An error stands there until the ledger answers again. */
static void watch_screen(pool_budget_t *budget, struct table *table, int64_t interval_ms)
{
  initscr();
  noecho();
  curs_set(0);
  timeout((int)interval_ms);
  do {
    pool_error_t error = POOL_ERROR_INIT;
    take(budget, table, &error);
    draw(table, &error);
  } while (getch() != 'q');
  endwin();
}

static int watch_lines(pool_budget_t *budget, struct table *table, const struct arguments *arguments)
{
  struct timespec pause = {.tv_sec = arguments->interval_ms / 1000, .tv_nsec = arguments->interval_ms % 1000 * 1000000};
  for (bool first = true; !ferror(stdout); first = false) {
    pool_error_t error = POOL_ERROR_INIT;
    if (take(budget, table, &error))
      return refuse(&error);
    if (arguments->json)
      print_json(table, true);
    else {
      fputs(first ? "" : "\n", stdout);
      print(table);
    }
    if (fflush(stdout) != 0)
      break;
    nanosleep(&pause, NULL);
  }
  return EXIT_OK;
}

static int show_once(pool_budget_t *budget, struct table *table, bool json)
{
  pool_error_t error = POOL_ERROR_INIT;
  if (take(budget, table, &error))
    return refuse(&error);
  if (json)
    return print_json(table, false);
  print(table);
  return EXIT_OK;
}

/* A budget without a server is kept by its members, and is there only if a process has it. */
static int refuse_budget(const char *url, const pool_error_t *error)
{
  bool absent = error->code == POOL_E_OPEN && !strstr(url, "://");
  return absent ? say_failure(EXIT_ABSENT, "%s", error->message) : refuse(error);
}

int budget_run(const struct arguments *arguments)
{
  struct table table = {0};
  pool_budget_t *budget = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_budget_open(arguments->url, &budget, &error))
    return refuse_budget(arguments->url, &error);
  int code = EXIT_OK;
  if (arguments->once)
    code = show_once(budget, &table, arguments->json);
  else if (!arguments->json && !arguments->plain && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))
    watch_screen(budget, &table, arguments->interval_ms);
  else
    code = watch_lines(budget, &table, arguments);
  pool_budget_close(budget);
  free(table.rows);
  return code;
}
