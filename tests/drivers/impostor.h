/* SPDX-License-Identifier: MIT */
/* A socket of the test that is no real server: a thread accepts connections, and serves one after the other. */
#ifndef IMPOSTOR_H
#define IMPOSTOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct impostor {
  int listener;
  int port;
  pthread_t thread;
  void (*serve)(struct impostor *impostor, int connection); /* returns when the connection is of no use any more */
  pthread_mutex_t lock;
  char heard[4096]; /* what clients have said to it, as far as it fits */
  size_t heard_size;
};

/* Listens on a free port of 127.0.0.1 and starts the thread. */
void impostor_start(struct impostor *impostor, void (*serve)(struct impostor *impostor, int connection));

/* The same on a Unix socket. */
void impostor_start_unix(struct impostor *impostor, const char *path,
                         void (*serve)(struct impostor *impostor, int connection));

/* Ends the thread, when its client has gone. */
void impostor_stop(struct impostor *impostor);

/* Sends bytes.  False: the client has gone. */
bool impostor_send(int connection, const void *bytes, size_t size);

/* Hears some bytes and notes them.  False: the client has gone. */
bool impostor_hear(struct impostor *impostor, int connection);

/* Hears until the client has gone. */
void impostor_hear_all(struct impostor *impostor, int connection);

/* Whether clients have said these bytes. */
bool impostor_has_heard(struct impostor *impostor, const char *text);

#endif
