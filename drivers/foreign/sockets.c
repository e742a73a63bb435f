/* SPDX-License-Identifier: MIT */
#include "foreign/sockets.h"

#include <stdlib.h>

/* An entry that is claimed and has no handle yet. */
static char claimed;

static struct sockets_entry *claim(struct sockets *sockets)
{
  for (struct sockets_entry *entry = atomic_load(&sockets->first); entry; entry = entry->next) {
    void *none = NULL;
    if (atomic_compare_exchange_strong(&entry->handle, &none, &claimed))
      return entry;
  }
  return NULL;
}

static struct sockets_entry *append(struct sockets *sockets)
{
  struct sockets_entry *entry = calloc(1, sizeof *entry);
  if (!entry)
    return NULL;
  atomic_store(&entry->handle, &claimed);
  entry->next = atomic_load(&sockets->first);
  while (!atomic_compare_exchange_weak(&sockets->first, &entry->next, entry))
    ;
  return entry;
}

bool sockets_add(struct sockets *sockets, void *handle, int descriptor)
{
  struct sockets_entry *entry = claim(sockets);
  if (!entry)
    entry = append(sockets);
  if (!entry)
    return false;
  atomic_store(&entry->descriptor, descriptor);
  atomic_store(&entry->handle, handle);
  return true;
}

static struct sockets_entry *find(struct sockets *sockets, const void *handle)
{
  struct sockets_entry *entry = atomic_load(&sockets->first);
  while (entry && atomic_load(&entry->handle) != handle)
    entry = entry->next;
  return entry;
}

int sockets_find(struct sockets *sockets, const void *handle)
{
  struct sockets_entry *entry = find(sockets, handle);
  return entry ? atomic_load(&entry->descriptor) : -1;
}

int sockets_remove(struct sockets *sockets, const void *handle)
{
  struct sockets_entry *entry = find(sockets, handle);
  if (!entry)
    return -1;
  int descriptor = atomic_load(&entry->descriptor);
  atomic_store(&entry->handle, NULL);
  return descriptor;
}

void sockets_free(struct sockets *sockets)
{
  struct sockets_entry *next;
  for (struct sockets_entry *entry = atomic_load(&sockets->first); entry; entry = next) {
    next = entry->next;
    free(entry);
  }
  atomic_store(&sockets->first, NULL);
}
