/* SPDX-License-Identifier: MIT */
#include "redis/later.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "redis/call.h"
#include "support/failure.h"
#include "base/thread.h"

struct later {
  struct arguments arguments;
  pool_call_t *call;
  struct later *next;
};

/* The list has one at least. */
static struct later *first_of(struct session *session)
{
  pthread_mutex_lock(&session->lock);
  struct later *first = session->first;
  pthread_mutex_unlock(&session->lock);
  return first;
}

/* Takes the first away, which is done.  Returns whether there is another; if not, the thread is over. */
static bool take_away(struct session *session)
{
  pthread_mutex_lock(&session->lock);
  session->first = session->first->next;
  session->has_thread = session->first != NULL;
  if (!session->first)
    session->last = NULL;
  bool more = session->has_thread;
  pthread_mutex_unlock(&session->lock);
  return more;
}

/* The receiver of a failed call gets the server's text as the reply. */
static pool_bytes_t text_of(const pool_error_t *error)
{
  pool_bytes_t text = {NULL, 0};
  size_t size = strlen(error->message);
  if (pool_bytes_new(size, &text) == 0)
    memcpy(text.data, error->message, size);
  return text;
}

/* The callback of a call may fork: in the child this is no thread of the driver, and the session is the parent's. */
static void *later_main(void *data)
{
  struct session *session = data;
  pid_t process = getpid();
  for (bool more = true; more && getpid() == process;) {
    struct later *later = first_of(session);
    pool_error_t error = POOL_ERROR_INIT;
    pool_bytes_t reply = {NULL, 0};
    int code = call_run(session, &later->arguments, &reply, pool_call_deadline(later->call), &error);
    if (code == POOL_E_REMOTE)
      reply = text_of(&error);
    more = take_away(session);
    pool_call_t *call = later->call;
    arguments_free(&later->arguments);
    free(later);
    pool_call_done(call, code, reply);
  }
  return NULL;
}

/* Appends a call.  Returns whether there is a thread to do it; if not, it is not in the list. */
static bool append(struct session *session, struct later *later)
{
  pthread_mutex_lock(&session->lock);
  if (session->last)
    session->last->next = later;
  else
    session->first = later;
  session->last = later;
  bool has_thread = session->has_thread || thread_detach(later_main, session) == 0;
  session->has_thread = has_thread;
  if (!has_thread)
    session->first = session->last = NULL;
  pthread_mutex_unlock(&session->lock);
  return has_thread;
}

int later_begin(struct session *session, const char *method, pool_bytes_t args, pool_call_t *call)
{
  pool_error_t error = POOL_ERROR_INIT;
  struct later *later = calloc(1, sizeof *later);
  int code = later ? arguments_read(&later->arguments, method, args, &error) : POOL_E_NOMEM;
  if (code == 0)
    code = traces_admit(&later->arguments.command, 1, &error);
  if (later)
    later->call = call;
  if (code == 0 && append(session, later))
    return 0;
  if (later)
    arguments_free(&later->arguments);
  free(later);
  return code ? code : POOL_E_SYSTEM;
}
