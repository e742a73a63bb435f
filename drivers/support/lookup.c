/* SPDX-License-Identifier: MIT */
#include "support/lookup.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/deadline.h"
#include "support/failure.h"
#include "base/thread.h"

struct lookup {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool done;
  bool given_up; /* the caller does not wait any more */
  char host[256];
  char port[6];
  int problem;
  int number; /* the errno of EAI_SYSTEM */
  struct addrinfo *found;
};

static int say_not_found(const struct address *address, int problem, int number, pool_error_t *error)
{
  bool no_memory = problem == EAI_MEMORY || (problem == EAI_SYSTEM && number == ENOMEM);
  return failure_set(error, no_memory ? POOL_E_NOMEM : POOL_E_OPEN, problem == EAI_SYSTEM ? number : 0,
                     "looking up %.100s: %s", address->host, gai_strerror(problem));
}

static int look_up_now(const char *host, const char *port, int flags, struct addrinfo **found)
{
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
  *found = NULL;
  return getaddrinfo(host, port, &hints, found);
}

static struct lookup *lookup_new(const struct address *address)
{
  struct lookup *lookup = calloc(1, sizeof *lookup);
  if (!lookup)
    return NULL;
  memcpy(lookup->host, address->host, sizeof lookup->host);
  memcpy(lookup->port, address->port, sizeof lookup->port);
  pthread_mutex_init(&lookup->lock, NULL);
  deadline_condition_init(&lookup->changed);
  return lookup;
}

static void lookup_free(struct lookup *lookup)
{
  if (lookup->found)
    freeaddrinfo(lookup->found);
  pthread_cond_destroy(&lookup->changed);
  pthread_mutex_destroy(&lookup->lock);
  free(lookup);
}

static void *lookup_main(void *data)
{
  struct lookup *lookup = data;
  struct addrinfo *found;
  int problem = look_up_now(lookup->host, lookup->port, 0, &found);
  int number = errno;
  pthread_mutex_lock(&lookup->lock);
  lookup->problem = problem;
  lookup->number = number;
  lookup->found = problem ? NULL : found;
  lookup->done = true;
  bool given_up = lookup->given_up;
  pthread_cond_signal(&lookup->changed);
  pthread_mutex_unlock(&lookup->lock);
  if (given_up)
    lookup_free(lookup);
  return NULL;
}

/* Waits for the thread.  False at the deadline: then the thread frees the lookup when it ends. */
static bool lookup_await(struct lookup *lookup, int64_t deadline_ns)
{
  bool in_time = true;
  pthread_mutex_lock(&lookup->lock);
  while (!lookup->done && in_time)
    in_time = deadline_wait(&lookup->changed, &lookup->lock, deadline_ns);
  bool done = lookup->done;
  lookup->given_up = !done;
  pthread_mutex_unlock(&lookup->lock);
  return done;
}

static int look_up_in_thread(const struct address *address, int64_t deadline_ns, struct addrinfo **found,
                             pool_error_t *error)
{
  struct lookup *lookup = lookup_new(address);
  if (!lookup || thread_detach(lookup_main, lookup) != 0) {
    if (lookup)
      lookup_free(lookup);
    return failure_set(error, POOL_E_NOMEM, 0, "looking up %.100s: no memory for a thread", address->host);
  }
  if (!lookup_await(lookup, deadline_ns))
    return failure_set(error, POOL_E_TIMEOUT, 0, "looking up %.100s: the deadline passed", address->host);
  int code = lookup->problem ? say_not_found(address, lookup->problem, lookup->number, error) : 0;
  *found = lookup->found;
  lookup->found = NULL;
  lookup_free(lookup);
  return code;
}

/* An address in digits needs no resolver.  Without a deadline the caller can look the name up itself. */
int lookup_name(const struct address *address, int64_t deadline_ns, struct addrinfo **found, pool_error_t *error)
{
  if (look_up_now(address->host, address->port, AI_NUMERICHOST, found) == 0)
    return 0;
  pool_phase("resolve", address->host);
  if (deadline_ns != POOL_NO_DEADLINE)
    return look_up_in_thread(address, deadline_ns, found, error);
  int problem = look_up_now(address->host, address->port, 0, found);
  return problem ? say_not_found(address, problem, errno, error) : 0;
}
