/* SPDX-License-Identifier: MIT */
/*
 * A network that can fail: a thread that passes bytes between clients and a server of 127.0.0.1.
 *
 * Shared by the test and the thread: the order, which is atomic; what else there is belongs to the thread while it
 * runs.
 */
#ifndef PROXY_H
#define PROXY_H

#include <pthread.h>
#include <stdbool.h>

enum proxy_order {
  PROXY_PASS, /* all bytes, at once */
  PROXY_HOLD, /* none: they wait */
  PROXY_DRIP, /* those from the server one by one, a millisecond apart */
  PROXY_LATE, /* those from the server, `late_ms` late */
  PROXY_HALF, /* half of what a server says next; then its connection ends by a reset */
  PROXY_MUTE, /* half of what a server says next; then its connection is silent for good */
  PROXY_LOSE, /* every connection is silent for good and hears of no end; then as PASS, for new ones */
  PROXY_CUT,  /* every connection ends by a reset; then as PASS */
  PROXY_END
};

#define PROXY_PAIRS 64

struct proxy {
  int port;    /* where clients connect to */
  int late_ms; /* 20, unless it was set before the order */
  int server_port;
  int listener;
  int wake; /* an eventfd: there is an order */
  _Atomic int order, obeyed;
  pthread_t thread;
  struct {
    int client, server;
    bool lost; /* silent for good */
  } pairs[PROXY_PAIRS];
  int count;
};

void proxy_start(struct proxy *proxy, int server_port);

/* Returns when the thread does so. */
void proxy_do(struct proxy *proxy, enum proxy_order order);

void proxy_end(struct proxy *proxy);

#endif
