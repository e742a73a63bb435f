/* SPDX-License-Identifier: MIT */
/* What will happen in a simulation, in order of its time, and what happened last. */
#ifndef EVENTS_H
#define EVENTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/ledger.h"

enum event_kind { ASK, ANSWER, TELL, LEAVE, TIMER, PUT, DEMAND, CHAOS, LOOK, KINDS };

struct event {
  int64_t at_ns;
  uint64_t order; /* of two at the same time, the first that was added comes first */
  enum event_kind kind;
  int32_t who;
  uint64_t id; /* of the member that it is of, or for */
  uint64_t turn;
  int32_t limit; /* of an ask: as the member's URL says */
  union {
    struct ledger_ask ask;
    struct ledger_answer answer;
    const char *what;
  };
};

struct events {
  struct event *heap;
  size_t count, room;
  uint64_t added;
};

void events_add(struct events *events, struct event event);

/* The earliest, which is removed.  There is one. */
struct event events_next(struct events *events);

void events_free(struct events *events);

/* One line for people. */
void event_print(const struct event *event);

#endif
