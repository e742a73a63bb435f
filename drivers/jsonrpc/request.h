/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a request: head, the caller's args, tail.
 *
 * `args` is the text of one JSON value, or empty for null.  It is checked to be JSON without a tree of it, and it is
 * not copied: it must stay until the request is sent.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <pool/pool.h>

struct request {
  struct iovec parts[3];
  int first; /* of the parts that are not sent yet */
  bool begun;
  char *head;
  char tail[40];
};

/* Makes all of the request but the id.  Returns 0, or a code that *error explains; then there is nothing to free. */
int request_make(struct request *request, const char *method, pool_bytes_t args, int64_t deadline_ns,
                 pool_error_t *error);

void request_set_id(struct request *request, uint64_t id);

/* `sent` more bytes are sent.  True: these were the last. */
bool request_advance(struct request *request, size_t sent);

void request_free(struct request *request);

/* Says that the deadline passed before the request was sent, and returns POOL_E_TIMEOUT. */
int request_say_expired(pool_error_t *error);

#endif
