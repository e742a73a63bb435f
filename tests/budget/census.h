/* SPDX-License-Identifier: MIT */
/*
 * Counts the connections of a server every 10 ms, as the kernel knows them: the established sockets of its clients,
 * which are in this network namespace and in those of the machines.  One that its client has closed is none, though on
 * a busy machine the server's kernel or the server itself may not have seen that yet.
 *
 * The kernel's lists are no picture of one moment.  Where they have more than the limit they are read again at once:
 * what is in both was open at the moment between.
 *
 * Shared by the test and the thread that counts: everything, under the lock.
 */
#ifndef CENSUS_H
#define CENSUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CENSUS_LISTS 10

struct census {
  int port;
  int lists;
  char list[CENSUS_LISTS][32]; /* where the kernel has them */
  bool ends;
  pthread_mutex_t lock;
  pthread_t thread;
  int limit;
  int now;              /* the last count */
  int most, least;      /* of all counts since the limit was set */
  int64_t counts;       /* and how many there were */
  int64_t low_since_ns; /* since when fewer than 0.95 of the limit; 0: there are not */
  int64_t longest_low_ns;
};

/* Also the clients in the network namespaces of these processes. */
void census_start(struct census *census, int port, const pid_t *processes, int count);
void census_end(struct census *census);

/* From now on. */
void census_limit(struct census *census, int limit);

struct census census_read(struct census *census);

#endif
