/* SPDX-License-Identifier: MIT */
#include "budget/events.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_before(const struct event *a, const struct event *b)
{
  return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void make_room(struct events *events)
{
  if (events->count < events->room)
    return;
  events->room = events->room ? 2 * events->room : 1024;
  events->heap = realloc(events->heap, events->room * sizeof *events->heap);
  if (!events->heap)
    abort();
}

void events_add(struct events *events, struct event event)
{
  make_room(events);
  event.order = events->added++;
  size_t at = events->count++;
  for (; at > 0 && is_before(&event, &events->heap[(at - 1) / 2]); at = (at - 1) / 2)
    events->heap[at] = events->heap[(at - 1) / 2];
  events->heap[at] = event;
}

struct event events_next(struct events *events)
{
  struct event first = events->heap[0], last = events->heap[--events->count];
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < events->count; at = child) {
    if (child + 1 < events->count && is_before(&events->heap[child + 1], &events->heap[child]))
      child++;
    if (!is_before(&events->heap[child], &last))
      break;
    events->heap[at] = events->heap[child];
  }
  events->heap[at] = last;
  return first;
}

void events_free(struct events *events)
{
  free(events->heap);
  *events = (struct events){0};
}

void event_print(const struct event *event)
{
  static const char *const names[KINDS] = {"ask", "answer", "tell", "leave", "timer", "put", "demand", "chaos", "look"};
  printf("%12.6f s  %-6s of %d (%llu)", (double)event->at_ns / 1e9, names[event->kind], event->who,
         (unsigned long long)event->id);
  if (event->kind == ASK)
    printf("  turn %llu: open %d, wants %d", (unsigned long long)event->turn, event->ask.open, event->ask.wants);
  if (event->kind == ANSWER)
    printf("  turn %llu: granted %d, target %d%s%s", (unsigned long long)event->turn, event->answer.granted,
           event->answer.target, event->answer.pressed ? ", pressed" : "", event->answer.learns ? ", learns" : "");
  if (event->kind == CHAOS)
    printf("  %s", event->what);
  printf("\n");
}
