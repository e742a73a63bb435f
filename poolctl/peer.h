/* SPDX-License-Identifier: MIT */
/* The processes of this user that expose pools, and what they answer. */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>

#include <jansson.h>

struct peer {
  long pid;
  int fd;     /* -1: it cannot be reached, or is done */
  char *text; /* what it has answered so far */
  size_t size;
  json_t *answer; /* an object; NULL: none came in time, or what came is none */
};

struct peers {
  struct peer *list; /* by pid */
  size_t count;
  char problem[512]; /* of a folder that cannot be used; "": none */
};

/* Asks all processes, or the one of a number, and waits a moment for the answers.  Names of processes that are gone are
   removed.  0 pid: all. */
void peers_ask(struct peers *peers, long pid, const char *request);
void peers_free(struct peers *peers);

#endif
