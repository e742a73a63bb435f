/* SPDX-License-Identifier: MIT */
#include "run/seat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/park.h"

/* A process whose speaker has died has closed its connections after that, also where its end cannot be seen: another
   may have its number by now.  The kernel may take seconds to end a process with much memory on a busy machine. */
#define DYING_NS INT64_C(10000000000)

void seat_wake(struct seat *seat, bool is_host)
{
  atomic_fetch_add(&seat->signal, 1);
  if (is_host)
    park_wake_shared(&seat->signal);
  else
    park_wake(&seat->signal);
}

void seat_tell_others(struct board *board, bool is_host, int32_t own)
{
  struct ledger *ledger = board_ledger(board);
  for (int32_t i = 0, left = ledger->to_tell; left > 0 && i < ledger->used; i++) {
    struct ledger_member *member = &ledger->member[i];
    if (!member->id || member->told != LEDGER_TO_BE_TOLD)
      continue;
    left--;
    if (member->seat != own)
      seat_wake(&board->seat[member->seat], is_host);
  }
}

static void clear_seat(struct board *board, int32_t index)
{
  struct ledger *ledger = board_ledger(board);
  for (int32_t i = ledger->used - 1; i >= 0; i--)
    if (i < ledger->used && ledger->member[i].id && ledger->member[i].seat == index)
      ledger_leave(ledger, &ledger->member[i], clock_now());
  ledger_settle(ledger, clock_now());
  board->seat[index].taken = false;
}

/* A process that is being ended closes its files when the last of its threads ends, which may be long after the first.
 */
static bool has_ended(int64_t process)
{
  char path[40], text[1024], state = 0;
  int threads = 0;
  snprintf(path, sizeof path, "/proc/%lld/stat", (long long)process);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return errno == ENOENT;
  ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  text[size > 0 ? size : 0] = 0;
  const char *rest = strrchr(text, ')'); /* the name before may have anything in it */
  int read =
      rest ? sscanf(rest, ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d", &state, &threads)
           : 0;
  return read != 2 || ((state == 'Z' || state == 'X') && threads <= 1);
}

/* Finds out whether the speaker has died. */
static void note_death(struct seat *seat)
{
  int error = pthread_mutex_trylock(&seat->alive);
  if (error != 0 && error != EOWNERDEAD)
    return;
  if (error == EOWNERDEAD)
    pthread_mutex_consistent(&seat->alive);
  seat->died_ns = clock_now();
  pthread_mutex_unlock(&seat->alive);
}

/* Whether a seat that is taken belongs to a process that has died; then it is free.  The speaker dies before the
   connections of its process are closed: until then they need their permits. */
static bool reap_seat(struct board *board, int32_t index)
{
  struct seat *seat = &board->seat[index];
  if (seat->died_ns == 0)
    note_death(seat);
  if (seat->died_ns == 0 || (clock_now() - seat->died_ns < DYING_NS && !has_ended(seat->process)))
    return false;
  clear_seat(board, index);
  return true;
}

bool seat_reap(struct board *board, int32_t own)
{
  bool found = false;
  for (int32_t i = 0; i < board->seats; i++)
    if (i != own && board->seat[i].taken && reap_seat(board, i))
      found = true;
  return found;
}

static int32_t free_seat(struct board *board)
{
  for (int32_t i = 0; i < board->seats; i++)
    if (!board->seat[i].taken)
      return i;
  if (board->seats == BOARD_SEATS)
    return -1;
  board_make_mutex(&board->seat[board->seats].alive);
  return board->seats++;
}

/* The first at a board that all others have left, if without a word, says what the limit is. */
static void begin_again(struct board *board, int32_t limit)
{
  seat_reap(board, -1);
  ledger_renew(board_ledger(board), limit, 0, clock_now());
}

int seat_take(struct board *board, int32_t limit, int32_t *own, pool_error_t *error)
{
  begin_again(board, limit);
  int32_t index = free_seat(board);
  if (index < 0)
    return error_set(error, POOL_E_OPEN, 0, "%d processes are members already", BOARD_SEATS);
  int problem = pthread_mutex_trylock(&board->seat[index].alive);
  if (problem == EOWNERDEAD) {
    pthread_mutex_consistent(&board->seat[index].alive);
    problem = 0;
  }
  if (problem)
    return error_set(error, POOL_E_OPEN, problem, "a seat at the ledger is lost: %s", strerror(problem));
  board->seat[index].taken = true;
  board->seat[index].process = getpid();
  board->seat[index].died_ns = 0;
  *own = index;
  return 0;
}

bool seat_leave(struct board *board, bool is_host, int32_t own)
{
  clear_seat(board, own);
  seat_tell_others(board, is_host, own);
  pthread_mutex_unlock(&board->seat[own].alive);
  for (int32_t i = 0; i < board->seats; i++)
    if (board->seat[i].taken && !reap_seat(board, i))
      return false;
  return true;
}
