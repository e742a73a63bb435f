/* SPDX-License-Identifier: MIT */
#include "rounds.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WARM_UP_ROUNDS 2

/* Each on a line of its own: what one thread of a crew counts must not slow down another. */
struct member {
  struct crew *crew;
  pthread_t thread;
  int number;
  int64_t done;
} __attribute__((aligned(ROUNDS_CACHE_LINE)));

struct crew {
  atomic_bool stop; /* read all the time, written once in a round */
  pthread_barrier_t begin __attribute__((aligned(ROUNDS_CACHE_LINE)));
  pthread_barrier_t end;
  shift_fn *shift;
  void *subject;
  int threads;
  bool dismissed;
  struct member members[];
};

void give_up(const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  fputs("bench: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

int64_t now_ns(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void sleep_ns(int64_t ns)
{
  struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &time) != 0)
    ;
}

static int compare_doubles(const void *left, const void *right)
{
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

double median(double *values, size_t count)
{
  qsort(values, count, sizeof *values, compare_doubles);
  return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static void *work_in_shifts(void *argument)
{
  struct member *member = argument;
  struct crew *crew = member->crew;
  for (;;) {
    pthread_barrier_wait(&crew->begin);
    if (crew->dismissed)
      return NULL;
    member->done = crew->shift(crew->subject, member->number, &crew->stop);
    pthread_barrier_wait(&crew->end);
  }
}

/* A processor for each thread, where there is one: the question is what threads that run at one time do to each other,
   and not how long the scheduler leaves two of them on one processor.  A single thread may go where there is room. */
static void spread(struct crew *crew)
{
  cpu_set_t allowed;
  if (crew->threads == 1 || sched_getaffinity(0, sizeof allowed, &allowed) != 0 || crew->threads > CPU_COUNT(&allowed))
    return;
  int processor = 0;
  for (int i = 0; i < crew->threads; i++, processor++) {
    while (!CPU_ISSET(processor, &allowed))
      processor++;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    pthread_setaffinity_np(crew->members[i].thread, sizeof one, &one);
  }
}

struct crew *crew_hire(int threads, shift_fn *shift, void *subject)
{
  struct crew *crew = aligned_alloc(ROUNDS_CACHE_LINE, sizeof *crew + (size_t)threads * sizeof *crew->members);
  if (!crew)
    give_up("no memory for %d threads", threads);
  crew->shift = shift;
  crew->subject = subject;
  crew->threads = threads;
  crew->dismissed = false;
  pthread_barrier_init(&crew->begin, NULL, (unsigned)threads + 1);
  pthread_barrier_init(&crew->end, NULL, (unsigned)threads + 1);
  for (int i = 0; i < threads; i++) {
    crew->members[i] = (struct member){.crew = crew, .number = i};
    if (pthread_create(&crew->members[i].thread, NULL, work_in_shifts, &crew->members[i]) != 0)
      give_up("cannot start %d threads", threads);
  }
  spread(crew);
  return crew;
}

void crew_dismiss(struct crew *crew)
{
  crew->dismissed = true;
  pthread_barrier_wait(&crew->begin);
  for (int i = 0; i < crew->threads; i++)
    pthread_join(crew->members[i].thread, NULL);
  pthread_barrier_destroy(&crew->begin);
  pthread_barrier_destroy(&crew->end);
  free(crew);
}

double crew_work(struct crew *crew, int64_t round_ms)
{
  atomic_store(&crew->stop, false);
  /* Before the barrier: the threads may keep this one from running after it. */
  int64_t begun = now_ns();
  pthread_barrier_wait(&crew->begin);
  sleep_ns(round_ms * 1000000);
  atomic_store(&crew->stop, true);
  int64_t ended = now_ns();
  pthread_barrier_wait(&crew->end);
  int64_t done = 0;
  for (int i = 0; i < crew->threads; i++)
    done += crew->members[i].done;
  return (double)done * 1e9 / (double)(ended - begun);
}

static struct comparison take_turns(struct crew *first, struct crew *second, struct rounds rounds)
{
  double firsts[rounds.count], seconds[rounds.count], ratios[rounds.count];
  for (int i = 0; i < WARM_UP_ROUNDS; i++) {
    crew_work(first, rounds.ms);
    crew_work(second, rounds.ms);
  }
  for (int i = 0; i < rounds.count; i++) {
    firsts[i] = crew_work(first, rounds.ms);
    seconds[i] = crew_work(second, rounds.ms);
    ratios[i] = seconds[i] / firsts[i];
  }
  size_t count = (size_t)rounds.count;
  return (struct comparison){median(firsts, count), median(seconds, count), median(ratios, count)};
}

struct comparison compare(struct side first, struct side second, struct rounds rounds)
{
  struct crew *one = crew_hire(first.threads, first.shift, first.subject);
  struct crew *other = crew_hire(second.threads, second.shift, second.subject);
  struct comparison result = take_turns(one, other, rounds);
  crew_dismiss(one);
  crew_dismiss(other);
  return result;
}
