/* SPDX-License-Identifier: MIT */
/* poolctl top: on a terminal a screen, elsewhere lines. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "commands.h"
#include "say.h"
#include "screen.h"
#include "view.h"

#define LINE 512

static void print_leases(const struct view *view, int64_t most)
{
  char line[LINE];
  struct view_lease *leases;
  size_t count = view_leases(view->rows, view->count, &leases);
  if (count > 0 && most > 0) {
    view_lease_head(line, sizeof line);
    printf("\n%s\n", line);
  }
  for (size_t i = 0; i < count && (int64_t)i < most; i++) {
    view_lease_line(&leases[i], line, sizeof line);
    puts(line);
  }
  if ((int64_t)count > most && most > 0)
    printf("%8s and %zu more\n", "", count - (size_t)most);
  free(leases);
}

static void print(const struct view *view, int64_t most)
{
  char line[LINE];
  view_head(line, sizeof line);
  puts(line);
  for (size_t i = 0; i < view->count; i++) {
    view_line(&view->rows[i], line, sizeof line);
    puts(line);
  }
  print_leases(view, most);
}

/* The answers as they are, a process each. */
static int print_json(const struct view *view, bool many)
{
  json_t *list = json_array();
  for (size_t i = 0; i < view->peers.count; i++)
    if (view->peers.list[i].answer)
      json_array_append(list, view->peers.list[i].answer);
  if (!many)
    return say_json(json_pack("{s:o}", "processes", list));
  json_t *document = json_pack("{s:o}", "processes", list);
  int code = json_dumpf(document, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
  json_decref(document);
  putchar('\n');
  return code ? EXIT_FAILED : EXIT_OK;
}

static int tell_absence(const struct view *view)
{
  if (view->silent > 0)
    return say_failure(EXIT_FAILED, "%zu process%s did not answer in time; stopped, perhaps?", view->silent,
                       view->silent == 1 ? "" : "es");
  if (view->peers.problem[0]) /* of a folder that anybody may have made */
    return say_failure(view->count > 0 ? EXIT_OK : EXIT_FAILED, "%s", view->peers.problem);
  if (view->count > 0)
    return EXIT_OK;
  return say_failure(EXIT_ABSENT, "no process of this user exposes a pool; start one with POOL_EXPOSE=1 in its "
                                  "environment, or let it call pool_expose()");
}

static int show_once(const struct arguments *arguments, enum view_column column)
{
  struct view view;
  view_take(&view, NULL);
  view_sort(&view, column);
  if (arguments->json)
    print_json(&view, false);
  else if (view.count > 0)
    print(&view, arguments->rows);
  int code = tell_absence(&view);
  view_free(&view);
  return code;
}

static void sleep_ms(int64_t ms)
{
  nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Again and again, until the reader goes away. */
static int show_lines(const struct arguments *arguments, enum view_column column)
{
  struct view view, before = {0};
  for (bool first = true; !ferror(stdout); first = false) {
    view_take(&view, first ? NULL : &before);
    view_sort(&view, column);
    if (arguments->json)
      print_json(&view, true);
    else {
      fputs(first ? "" : "\n", stdout);
      print(&view, arguments->rows);
    }
    view_free(&before);
    before = view;
    if (fflush(stdout) != 0)
      break;
    sleep_ms(arguments->interval_ms);
  }
  view_free(&before);
  return EXIT_OK;
}

int top_run(const struct arguments *arguments)
{
  char shown[SAY_WORD_ROOM];
  enum view_column column = arguments->sort ? view_column_of(arguments->sort) : VIEW_WAITING;
  if (column == VIEW_COLUMNS)
    return say_failure(EXIT_USAGE,
                       "--sort is \"%s\"; it must be pid, program, pool, lent, idle, open, waiting, p99, "
                       "rate or held",
                       say_word(shown, arguments->sort));
  if (arguments->once)
    return show_once(arguments, column);
  if (!arguments->json && !arguments->plain && isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))
    return screen_run(arguments, column);
  return show_lines(arguments, column);
}
