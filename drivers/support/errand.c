/* SPDX-License-Identifier: MIT */
#include "support/errand.h"

#include <pthread.h>
#include <stddef.h>

#include "base/thread.h"
#include "support/deadline.h"

#define THREADS_MOST     16
#define AT_A_SERVER_MOST 12
#define WAITING_MOST     1000

/* Where a thread is. */
struct visit {
  uint64_t server;
  struct visit *next;
};

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed; /* there is an errand that is due */
  struct errand *first;   /* of those that no thread is at, by the time at which they are due */
  struct visit *visits;
  int waiting;
  int threads;
} errands = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- fork, during which the lock is held: the child finds the list as its parent left it ---- */

static void before_fork(void)
{
  pthread_mutex_lock(&errands.lock);
}

static void after_fork_in_parent(void)
{
  pthread_mutex_unlock(&errands.lock);
}

/* The threads and the errands are the parent's. */
static void after_fork_in_child(void)
{
  deadline_condition_init(&errands.changed);
  errands.first = NULL;
  errands.visits = NULL;
  errands.waiting = errands.threads = 0;
  pthread_mutex_unlock(&errands.lock);
}

static void begin(void)
{
  deadline_condition_init(&errands.changed);
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* ---- the list, whose lock the caller holds ---- */

static void put_in(struct errand *errand, int64_t due_ns)
{
  struct errand **link = &errands.first;
  while (*link && (*link)->due_ns <= due_ns)
    link = &(*link)->next;
  errand->due_ns = due_ns;
  errand->next = *link;
  *link = errand;
  errands.waiting++;
}

static struct errand *take_out(struct errand **link)
{
  struct errand *errand = *link;
  if (errand) {
    *link = errand->next;
    errands.waiting--;
  }
  return errand;
}

static struct errand **find(const struct errand *errand)
{
  struct errand **link = &errands.first;
  while (*link && *link != errand)
    link = &(*link)->next;
  return link;
}

static bool is_late(const struct errand *errand)
{
  return deadline_is_past(errand->until_ns);
}

/* Whether no more threads may be at this server. */
static bool is_crowded(uint64_t server)
{
  int threads = 0;
  for (const struct visit *visit = errands.visits; visit; visit = visit->next)
    threads += visit->server == server;
  return threads >= AT_A_SERVER_MOST;
}

/* The first that a thread may begin.  NULL: there is none, and *next_ns is when there may be one. */
static struct errand **find_ready(int64_t *next_ns)
{
  struct errand **link = &errands.first;
  for (; *link && deadline_is_past((*link)->due_ns); link = &(*link)->next)
    if (is_late(*link) || !is_crowded((*link)->server))
      return link;
  *next_ns = *link ? (*link)->due_ns : POOL_NO_DEADLINE;
  return NULL;
}

/* Waits for one.  NULL: there is none any more.  One whose server is crowded is for the threads that are there. */
static struct errand *take_ready(void)
{
  struct errand **link = NULL;
  int64_t next_ns;
  while (errands.first && !(link = find_ready(&next_ns)))
    deadline_wait(&errands.changed, &errands.lock, next_ns);
  return link ? take_out(link) : NULL;
}

/* All threads may be at servers that are silent: those who send free what is late. */
static struct errand *take_late(void)
{
  return errands.first && is_late(errands.first) ? take_out(&errands.first) : NULL;
}

static void begin_visit(struct visit *visit, uint64_t server)
{
  *visit = (struct visit){.server = server, .next = errands.visits};
  errands.visits = visit;
}

static void end_visit(struct visit *visit)
{
  struct visit **link = &errands.visits;
  while (*link != visit)
    link = &(*link)->next;
  *link = visit->next;
  pthread_cond_broadcast(&errands.changed); /* there is room at that server */
}

/* ---- the threads ---- */

/* Returns when it is to be run again, or ERRAND_DONE. */
static int64_t run(struct errand *errand)
{
  int64_t pause_ns = is_late(errand) ? ERRAND_DONE : errand->run(errand);
  if (pause_ns != ERRAND_DONE)
    return deadline_clock() + pause_ns;
  errand->end(errand);
  return ERRAND_DONE;
}

static void *errand_main(void *data)
{
  struct errand *errand;
  struct visit visit;
  pthread_mutex_lock(&errands.lock);
  while ((errand = take_ready())) {
    begin_visit(&visit, errand->server);
    pthread_mutex_unlock(&errands.lock);
    int64_t due_ns = run(errand);
    pthread_mutex_lock(&errands.lock);
    end_visit(&visit);
    if (due_ns != ERRAND_DONE)
      put_in(errand, due_ns);
  }
  errands.threads--;
  pthread_mutex_unlock(&errands.lock);
  return data;
}

/* Those that wait for the time of an errand are no reason not to begin one more: they are few, and soon at work. */
static void begin_thread(void)
{
  if (errands.threads < THREADS_MOST && thread_detach(errand_main, NULL) == 0)
    errands.threads++;
}

/* FNV-1a. */
uint64_t errand_server(const char *host, const char *port)
{
  const char *parts[] = {host, port};
  uint64_t number = UINT64_C(0xcbf29ce484222325);
  for (int i = 0; i < 2; i++)
    for (const char *at = parts[i]; at && *at; at++)
      number = (number ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
  return number;
}

bool errand_send(struct errand *errand)
{
  pthread_once(&once, begin);
  pthread_mutex_lock(&errands.lock);
  struct errand *late = take_late();
  begin_thread();
  bool taken = errands.threads > 0 && errands.waiting < WAITING_MOST;
  if (taken) {
    put_in(errand, deadline_clock());
    pthread_cond_signal(&errands.changed);
  }
  pthread_mutex_unlock(&errands.lock);
  if (late)
    late->end(late);
  return taken;
}

bool errand_withdraw(struct errand *errand)
{
  pthread_mutex_lock(&errands.lock);
  bool withdrawn = take_out(find(errand)) != NULL;
  pthread_mutex_unlock(&errands.lock);
  return withdrawn;
}
