/* SPDX-License-Identifier: MIT */
/* Two ways of doing something are compared in short rounds that take turns, and medians are taken: what else the
   machine does meanwhile meets both alike, and a round that it spoiled does not count for much. */
#ifndef ROUNDS_H
#define ROUNDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROUNDS_CACHE_LINE 64

/* What a thread does from the start of a round until *stop is true.  Returns how often it did it. */
typedef int64_t shift_fn(void *subject, int thread, const atomic_bool *stop);

/* Threads that work in shifts and sleep between them, so that a round starts with threads that have warmed up. */
struct crew;

struct crew *crew_hire(int threads, shift_fn *shift, void *subject);
void crew_dismiss(struct crew *crew);

/* One round.  Returns how much all threads together did in a second. */
double crew_work(struct crew *crew, int64_t round_ms);

/* Threads that do one thing, to be compared with others. */
struct side {
  shift_fn *shift;
  void *subject;
  int threads;
};

struct rounds {
  int count;
  int64_t ms; /* of each */
};

/* Medians: what the two sides did in a second, and what a round of the second was compared with the one before it. */
struct comparison {
  double first;
  double second;
  double ratio;
};

struct comparison compare(struct side first, struct side second, struct rounds rounds);

/* Sorts the values. */
double median(double *values, size_t count);

int64_t now_ns(void);
void sleep_ns(int64_t ns);

/* Where nothing measured would be worth anything: says why and ends the program. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
