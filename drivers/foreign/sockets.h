/* SPDX-License-Identifier: MIT */
/*
 * Which socket a connection has that the driver has connected: pool_conn() gives the library's own handle, so it stands
 * beside it.
 *
 * Shared, without a lock: a child of fork reads it in the middle of whatever other threads did.  An entry is claimed by
 * the thread that sets its handle from NULL; it is freed with the table alone.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <stdatomic.h>
#include <stdbool.h>

struct sockets_entry {
  struct sockets_entry *next;
  void *_Atomic handle; /* NULL: free */
  _Atomic int descriptor;
};

struct sockets {
  struct sockets_entry *_Atomic first;
};

/* False without memory. */
bool sockets_add(struct sockets *sockets, void *handle, int descriptor);

/* The descriptor of a handle, or -1. */
int sockets_find(struct sockets *sockets, const void *handle);

/* The same, and forgets it. */
int sockets_remove(struct sockets *sockets, const void *handle);

void sockets_free(struct sockets *sockets);

#endif
