/* SPDX-License-Identifier: MIT */
/* Processes that share a budget: each runs a member, of any language, and does what it is told. */
#ifndef CROWD_H
#define CROWD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CROWD_MOST 24

struct process {
  pid_t id; /* 0: it has ended */
  bool ready, stopped;
  bool silent; /* it did not answer in a minute */
  int in, out;
};

/* What a pool of a process says of its budget. */
struct said {
  int64_t open, granted, share, cut_off, limit;
};

/* The first argument is the program, NULL is behind the last.  `net` is the network namespace in which it runs; -1:
   that of the test.  The member is waited for when it is told or asked something first, so that many start at a time.
   What a member does not answer in a minute fails the test. */
void process_start(struct process *process, int net, const char *const *arguments);

/* Tells it a line, and returns when it has obeyed. */
void process_tell(struct process *process, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct said process_ask(struct process *process, int pool);

/* The same of one that was asked before, without a failure.  False: it does not say that, or not in time. */
bool process_says(struct process *process, int pool, int64_t patience_ns, struct said *said);

/* Sends a signal.  It returns when SIGKILL has ended it. */
void process_signal(struct process *process, int signal);

/* They close their pools and end.  One that does not, or that was silent, is killed.  Returns how many were. */
int processes_end(struct process *processes, int count);

#endif
