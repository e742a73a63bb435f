/* SPDX-License-Identifier: MIT */
/* One connection: a wire, and whether it may be lent again. */
#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "support/wire.h"

struct stream {
  struct wire wire;
  bool broken; /* an operation failed, or the stream ended */
  bool awaits; /* the last read passed its deadline: its bytes may still come */
};

/* As wire_read() and wire_write(), and remembers how that ended. */
int64_t stream_read(struct stream *stream, void *data, size_t size, int64_t deadline_ns, pool_error_t *error);
int stream_write(struct stream *stream, const void *data, size_t size, int64_t deadline_ns, pool_error_t *error);

/* Whether it may be lent: returns 0 or POOL_E_BROKEN. */
int stream_check(struct stream *stream, pool_error_t *error);

#endif
