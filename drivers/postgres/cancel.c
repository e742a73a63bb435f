/* SPDX-License-Identifier: MIT */
#include "postgres/cancel.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/deadline.h"
#include "support/errand.h"

#define NOBODY      -1
#define REPETITIONS 3
#define PAUSE_NS    INT64_C(100000000)  /* before the first, and each time four times that */
#define GRACE_NS    INT64_C(30000000000) /* after which a request that has not begun is not sent */

struct cancel {
  struct errand errand; /* first */
  PGcancel *request;
  int told; /* the eventfd for its end, or NOBODY */
  int repetitions;
  int64_t pause_ns;
  _Atomic int holders;
};

void cancel_forget(struct cancel *cancel)
{
  if (atomic_fetch_sub(&cancel->holders, 1) > 1)
    return;
  if (cancel->told != NOBODY)
    close(cancel->told);
  PQfreeCancel(cancel->request);
  free(cancel);
}

static int64_t cancel_run(struct errand *errand)
{
  struct cancel *cancel = (struct cancel *)errand;
  char why[256];
  PQcancel(cancel->request, why, sizeof why); /* if it fails, the statement goes on */
  int64_t pause_ns = cancel->repetitions-- > 0 ? cancel->pause_ns : ERRAND_DONE;
  cancel->pause_ns *= 4;
  return pause_ns;
}

static void cancel_end(struct errand *errand)
{
  struct cancel *cancel = (struct cancel *)errand;
  if (cancel->told != NOBODY)
    eventfd_write(cancel->told, 1);
  cancel_forget(cancel);
}

static struct cancel *cancel_new(PGconn *conn, int repetitions)
{
  struct cancel *cancel = malloc(sizeof *cancel);
  PGcancel *request = cancel ? PQgetCancel(conn) : NULL;
  if (!request) {
    free(cancel);
    return NULL;
  }
  *cancel = (struct cancel){.errand = {.run = cancel_run,
                                       .end = cancel_end,
                                       .until_ns = deadline_clock() + GRACE_NS,
                                       .server = errand_server(PQhost(conn), PQport(conn))},
                            .request = request,
                            .told = NOBODY,
                            .repetitions = repetitions,
                            .pause_ns = PAUSE_NS,
                            .holders = 1};
  return cancel;
}

struct cancel *cancel_send(PGconn *conn)
{
  struct cancel *cancel = cancel_new(conn, 0);
  if (!cancel)
    return NULL;
  cancel->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  cancel->holders = 2;
  if (cancel->told != NOBODY && errand_send(&cancel->errand))
    return cancel;
  cancel_end(&cancel->errand);
  cancel_forget(cancel);
  return NULL;
}

int cancel_descriptor(const struct cancel *cancel)
{
  return cancel->told;
}

/* A poll that fails, as by a signal, says nothing of the request. */
static bool has_ended(const struct cancel *cancel)
{
  struct pollfd set = {.fd = cancel->told, .events = POLLIN};
  return poll(&set, 1, 0) == 1;
}

bool cancel_settle(struct cancel *cancel)
{
  if (has_ended(cancel))
    return true;
  bool withdrawn = errand_withdraw(&cancel->errand);
  if (withdrawn)
    cancel_end(&cancel->errand);
  return withdrawn;
}

void cancel_send_last(PGconn *conn)
{
  struct cancel *cancel = cancel_new(conn, REPETITIONS);
  if (cancel && !errand_send(&cancel->errand))
    cancel_end(&cancel->errand);
}
