/* SPDX-License-Identifier: MIT */
/*
 * Above, the pools; below, the leases of the chosen one.
 *
 * up, down, page up, page down, home, end: choose a pool      < and >: sort by another column      q: end
 */
#include "screen.h"

#include <curses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "say.h"

#define LINE 512

enum { PLAIN, HEAD, BUSY, UNUSUAL, QUIET };

struct screen {
  struct view view;
  enum view_column column;
  size_t chosen, first; /* rows: the chosen one, and the first that is shown */
  long pid;             /* of the chosen pool, which may stand elsewhere in the next view */
  int64_t id;
  bool colours;
};

static volatile sig_atomic_t ended;

static void end(int signal)
{
  (void)signal;
  ended = 1;
}

/* ---- drawing ---- */

static attr_t attribute(const struct screen *screen, int kind)
{
  static const attr_t grey[] = {A_NORMAL, A_REVERSE, A_BOLD, A_BOLD, A_DIM};
  return screen->colours && (kind == BUSY || kind == UNUSUAL) ? COLOR_PAIR(kind) | A_BOLD : grey[kind];
}

/* A whole line of the terminal. */
static void draw(const struct screen *screen, int y, int kind, bool chosen, const char *text)
{
  attr_t attributes = attribute(screen, kind) | (chosen ? A_REVERSE : 0);
  attrset(attributes);
  move(y, 0);
  for (int x = 0; x < COLS; x++)
    addch(' ');
  mvaddnstr(y, 0, text, COLS);
  attrset(A_NORMAL);
}

static int kind_of(const struct view_row *row)
{
  return row->state[0] ? UNUSUAL : row->waiting > 0 ? BUSY : row->lent == 0 ? QUIET : PLAIN;
}

static void draw_title(const struct screen *screen)
{
  char line[LINE], hour[16];
  time_t now = time(NULL);
  struct tm local;
  strftime(hour, sizeof hour, "%H:%M:%S", localtime_r(&now, &local));
  const struct view *view = &screen->view;
  snprintf(line, sizeof line, "poolctl top  %s  %zu pool%s of %zu process%s, by %s%s", hour, view->count,
           view->count == 1 ? "" : "s", view->peers.count, view->peers.count == 1 ? "" : "es",
           view_column_name(screen->column), view->silent ? ", some do not answer" : "");
  draw(screen, 0, PLAIN, false, line);
}

/* How many rows of pools there is room for. */
static size_t rows_shown(const struct screen *screen)
{
  size_t room = LINES > 8 ? (size_t)LINES - 5 : 1, half = room / 2 > 0 ? room / 2 : 1;
  return screen->view.count < half ? screen->view.count : half;
}

static int draw_pools(const struct screen *screen)
{
  char line[LINE];
  size_t shown = rows_shown(screen);
  view_head(line, sizeof line);
  draw(screen, 2, HEAD, false, line);
  for (size_t i = 0; i < shown && screen->first + i < screen->view.count; i++) {
    const struct view_row *row = &screen->view.rows[screen->first + i];
    view_line(row, line, sizeof line);
    draw(screen, 3 + (int)i, kind_of(row), screen->first + i == screen->chosen, line);
  }
  return 3 + (int)shown;
}

static void draw_leases(const struct screen *screen, int y)
{
  char line[LINE];
  struct view_lease *leases;
  size_t count = view_leases(&screen->view.rows[screen->chosen], 1, &leases);
  view_lease_head(line, sizeof line);
  draw(screen, y++, HEAD, false, line);
  for (size_t i = 0; i < count && y < LINES - 1; i++, y++) {
    view_lease_line(&leases[i], line, sizeof line);
    draw(screen, y, leases[i].held_ns > INT64_C(60000000000) ? BUSY : PLAIN, false, line);
  }
  free(leases);
}

static void draw_all(const struct screen *screen)
{
  erase();
  draw_title(screen);
  int y = draw_pools(screen);
  if (screen->view.count == 0)
    draw(screen, y + 1, PLAIN, false,
         "no process of this user exposes a pool: POOL_EXPOSE=1 in its environment, or pool_expose()");
  else
    draw_leases(screen, y + 1);
  draw(screen, LINES - 1, QUIET, false, "up/down, page up/down: choose a pool   < >: sort by another column   q: quit");
  refresh();
}

/* ---- choosing ---- */

static void choose(struct screen *screen, size_t chosen)
{
  size_t count = screen->view.count, shown = rows_shown(screen);
  if (count == 0) {
    screen->chosen = screen->first = 0;
    return;
  }
  screen->chosen = chosen < count ? chosen : count - 1;
  if (screen->first > screen->chosen)
    screen->first = screen->chosen;
  if (shown > 0 && screen->first + shown <= screen->chosen)
    screen->first = screen->chosen + 1 - shown;
  screen->pid = screen->view.rows[screen->chosen].pid;
  screen->id = screen->view.rows[screen->chosen].id;
}

/* The pool that was chosen stays so, wherever it stands now. */
static void arrange(struct screen *screen)
{
  view_sort(&screen->view, screen->column);
  size_t chosen = screen->chosen;
  for (size_t i = 0; i < screen->view.count; i++)
    if (screen->view.rows[i].pid == screen->pid && screen->view.rows[i].id == screen->id)
      chosen = i;
  choose(screen, chosen);
}

static void look(struct screen *screen)
{
  struct view before = screen->view;
  view_take(&screen->view, &before);
  view_free(&before);
  arrange(screen);
}

static void turn(struct screen *screen, int by)
{
  screen->column = (enum view_column)(((int)screen->column + by + VIEW_COLUMNS) % VIEW_COLUMNS);
  arrange(screen);
}

/* False: the user wants to end. */
static bool press(struct screen *screen, int key)
{
  size_t page = rows_shown(screen), chosen = screen->chosen;
  if (key == KEY_UP && chosen > 0)
    choose(screen, chosen - 1);
  else if (key == KEY_DOWN)
    choose(screen, chosen + 1);
  else if (key == KEY_PPAGE)
    choose(screen, chosen > page ? chosen - page : 0);
  else if (key == KEY_NPAGE)
    choose(screen, chosen + page);
  else if (key == KEY_HOME)
    choose(screen, 0);
  else if (key == KEY_END)
    choose(screen, SIZE_MAX);
  else if (key == '<' || key == KEY_LEFT)
    turn(screen, -1);
  else if (key == '>' || key == KEY_RIGHT)
    turn(screen, 1);
  return key != 'q' && key != 'Q' && key != 27;
}

/* ---- the whole ---- */

static void begin(struct screen *screen)
{
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  cbreak();
  noecho();
  curs_set(0);
  keypad(stdscr, TRUE);
  screen->colours = say_may_colour(stdout) && has_colors() && start_color() == OK;
  if (!screen->colours)
    return;
  use_default_colors();
  init_pair(BUSY, COLOR_YELLOW, -1);
  init_pair(UNUSUAL, COLOR_RED, -1);
}

int screen_run(const struct arguments *arguments, enum view_column column)
{
  struct screen screen = {.column = column};
  SCREEN *terminal = newterm(NULL, stdout, stdin);
  if (!terminal)
    return say_failure(EXIT_FAILED, "this terminal is not known (TERM); use --plain");
  begin(&screen);
  int64_t next = 0;
  for (bool goes_on = true; goes_on && !ended;) {
    int64_t now = clock_now() / 1000000;
    if (now >= next) {
      look(&screen);
      next = now + arguments->interval_ms;
    }
    draw_all(&screen);
    now = clock_now() / 1000000;
    timeout((int)(next > now ? next - now : 0));
    int key = getch();
    goes_on = key == ERR || press(&screen, key);
  }
  endwin();
  delscreen(terminal);
  view_free(&screen.view);
  return EXIT_OK;
}
