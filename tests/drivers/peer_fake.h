/* SPDX-License-Identifier: MIT */
/*
 * A server that says what a test wants it to say, and understands nothing: a thread with a listening socket.
 *
 * It serves one connection after the other.  Each time that it receives something it sends the next answer.
 */
#ifndef PEER_FAKE_H
#define PEER_FAKE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#define PEER_ANSWERS 8

struct peer {
  /* Set before the start. */
  const char *answers[PEER_ANSWERS]; /* to what is received first, second, ...; NULL is behind the last */
  bool at_once;                      /* the first is sent to whoever connects */
  bool endless;                      /* the last is sent again and again */
  bool closes;                       /* the connection is closed behind the last */

  int port;
  int listener;
  int wake; /* an eventfd: end */
  pthread_t thread;
  _Atomic int connections; /* so many have come */
};

void peer_start(struct peer *peer);
void peer_end(struct peer *peer);

#endif
