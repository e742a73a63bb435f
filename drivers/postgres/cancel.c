/* SPDX-License-Identifier: MIT */
#include "postgres/cancel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "support/deadline.h"
#include "support/errand.h"

#define NOBODY      -1
#define REPETITIONS 2
#define PAUSE_NS    INT64_C(100000000)
#define GRACE_NS    INT64_C(30000000000) /* after which a request that has not begun is not sent */

struct request {
  struct errand errand; /* first */
  PGcancel *cancel;
  int told; /* the eventfd for its end, or NOBODY */
  int repetitions;
};

static int64_t request_run(struct errand *errand)
{
  struct request *request = (struct request *)errand;
  char why[256];
  PQcancel(request->cancel, why, sizeof why); /* if it fails, the statement goes on */
  return request->repetitions-- > 0 ? PAUSE_NS : ERRAND_DONE;
}

static void request_end(struct errand *errand)
{
  struct request *request = (struct request *)errand;
  if (request->told != NOBODY) {
    eventfd_write(request->told, 1);
    close(request->told);
  }
  PQfreeCancel(request->cancel);
  free(request);
}

static struct request *request_new(PGconn *conn, int repetitions)
{
  struct request *request = malloc(sizeof *request);
  PGcancel *cancel = request ? PQgetCancel(conn) : NULL;
  if (!cancel) {
    free(request);
    return NULL;
  }
  int64_t until_ns = deadline_clock() + GRACE_NS;
  *request = (struct request){.errand = {.run = request_run, .end = request_end, .until_ns = until_ns},
                              .cancel = cancel,
                              .told = NOBODY,
                              .repetitions = repetitions};
  return request;
}

/* Makes the descriptor for the request and the one for the caller.  Returns the caller's, or -1. */
static int tell_caller(struct request *request)
{
  request->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return request->told == NOBODY ? -1 : fcntl(request->told, F_DUPFD_CLOEXEC, 0);
}

int cancel_send(PGconn *conn)
{
  struct request *request = request_new(conn, 0);
  int ended = request ? tell_caller(request) : -1;
  if (ended >= 0 && errand_send(&request->errand))
    return ended;
  if (ended >= 0)
    close(ended);
  if (request)
    request_end(&request->errand);
  return -1;
}

void cancel_send_last(PGconn *conn)
{
  struct request *request = request_new(conn, REPETITIONS);
  if (request && !errand_send(&request->errand))
    request_end(&request->errand);
}
