/* SPDX-License-Identifier: MIT */
#include "support/lookup.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/thread.h"
#include "support/deadline.h"
#include "support/failure.h"

#define LOST_MOST 4                   /* threads for one name that nobody waits for, before others wait for them */
#define PAUSE_NS  INT64_C(1000000000) /* after which one more is tried all the same */

struct lookup {
  struct lookup *next;
  int64_t begun_ns;
  bool done;
  bool lost; /* the caller does not wait any more */
  char host[256];
  char port[6];
  int problem;
  int number; /* the errno of EAI_SYSTEM */
  struct addrinfo *found;
};

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed; /* a thread has ended */
  struct lookup *first;   /* of those that a thread is at */
} lookups = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The threads are the parent's. */
static void after_fork_in_child(void)
{
  pthread_mutex_init(&lookups.lock, NULL);
  deadline_condition_init(&lookups.changed);
  lookups.first = NULL;
}

static void begin(void)
{
  deadline_condition_init(&lookups.changed);
  pthread_atfork(NULL, NULL, after_fork_in_child);
}

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

/* ---- the thread ---- */

static struct lookup *lookup_new(const struct address *address)
{
  struct lookup *lookup = calloc(1, sizeof *lookup);
  if (!lookup)
    return NULL;
  memcpy(lookup->host, address->host, sizeof lookup->host);
  memcpy(lookup->port, address->port, sizeof lookup->port);
  return lookup;
}

static void lookup_free(struct lookup *lookup)
{
  if (lookup->found)
    freeaddrinfo(lookup->found);
  free(lookup);
}

/* The caller holds the lock. */
static void take_out(const struct lookup *lookup)
{
  struct lookup **link = &lookups.first;
  while (*link != lookup)
    link = &(*link)->next;
  *link = lookup->next;
}

static void *lookup_main(void *data)
{
  struct lookup *lookup = data;
  struct addrinfo *found;
  int problem = look_up_now(lookup->host, lookup->port, 0, &found);
  int number = errno;
  pthread_mutex_lock(&lookups.lock);
  take_out(lookup);
  lookup->problem = problem;
  lookup->number = number;
  lookup->found = problem ? NULL : found;
  lookup->done = true;
  bool lost = lookup->lost;
  pthread_cond_broadcast(&lookups.changed);
  pthread_mutex_unlock(&lookups.lock);
  if (lost)
    lookup_free(lookup);
  return NULL;
}

/* ---- the caller, who holds the lock ---- */

/* When one more thread for a name may begin; 0: now. */
static int64_t turn_of(const char *host)
{
  int lost = 0;
  int64_t begun_ns = 0;
  for (const struct lookup *lookup = lookups.first; lookup; lookup = lookup->next)
    if (strcmp(lookup->host, host) == 0) {
      lost += lookup->lost;
      begun_ns = lookup->begun_ns > begun_ns ? lookup->begun_ns : begun_ns;
    }
  return lost < LOST_MOST || deadline_is_past(begun_ns + PAUSE_NS) ? 0 : begun_ns + PAUSE_NS;
}

/* False: the deadline has passed. */
static bool await_turn(const char *host, int64_t deadline_ns)
{
  bool in_time = true;
  for (int64_t turn_ns; in_time && (turn_ns = turn_of(host));)
    in_time = deadline_wait(&lookups.changed, &lookups.lock, turn_ns < deadline_ns ? turn_ns : deadline_ns) ||
              !deadline_is_past(deadline_ns);
  return in_time;
}

static bool start(struct lookup *lookup)
{
  lookup->begun_ns = deadline_clock();
  if (thread_detach(lookup_main, lookup) != 0)
    return false;
  lookup->next = lookups.first;
  lookups.first = lookup;
  return true;
}

/* Waits for the thread.  False at the deadline: then the thread frees the lookup when it ends. */
static bool await(struct lookup *lookup, int64_t deadline_ns)
{
  bool in_time = true;
  while (!lookup->done && in_time)
    in_time = deadline_wait(&lookups.changed, &lookups.lock, deadline_ns);
  lookup->lost = !lookup->done;
  return lookup->done;
}

enum end { ENDED, LATE, NO_THREAD };

static enum end run(struct lookup *lookup, int64_t deadline_ns)
{
  enum end end = LATE;
  pthread_mutex_lock(&lookups.lock);
  bool turn = await_turn(lookup->host, deadline_ns), started = turn && start(lookup);
  if (started && await(lookup, deadline_ns))
    end = ENDED;
  else if (turn && !started)
    end = NO_THREAD;
  pthread_mutex_unlock(&lookups.lock);
  if (!started)
    lookup_free(lookup);
  return end;
}

static int look_up_in_thread(const struct address *address, int64_t deadline_ns, struct addrinfo **found,
                             pool_error_t *error)
{
  pthread_once(&once, begin);
  struct lookup *lookup = lookup_new(address);
  enum end end = lookup ? run(lookup, deadline_ns) : NO_THREAD;
  if (end == NO_THREAD)
    return failure_set(error, POOL_E_NOMEM, 0, "looking up %.100s: no memory for a thread", address->host);
  if (end == LATE)
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
