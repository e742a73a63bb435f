/* SPDX-License-Identifier: MIT */
#include "tcp/stream.h"

#include "support/failure.h"

int64_t stream_read(struct stream *stream, void *data, size_t size, int64_t deadline_ns, pool_error_t *error)
{
  int64_t got = wire_read(&stream->wire, data, size, deadline_ns, error);
  stream->awaits = got == POOL_E_TIMEOUT;
  if (got <= 0 && got != POOL_E_TIMEOUT)
    stream->broken = true;
  return got;
}

int stream_write(struct stream *stream, const void *data, size_t size, int64_t deadline_ns, pool_error_t *error)
{
  if (stream->broken)
    return failure_set(error, POOL_E_BROKEN, 0, "writing: the connection broke before, or a part was not written");
  int code = wire_write(&stream->wire, data, size, deadline_ns, error);
  if (code)
    stream->broken = true;
  return code;
}

int stream_check(struct stream *stream, pool_error_t *error)
{
  if (stream->broken)
    return failure_set(error, POOL_E_BROKEN, 0, "the connection broke while it was used");
  if (stream->awaits)
    return failure_set(error, POOL_E_BROKEN, 0, "a read passed its deadline, so its bytes may still come");
  return wire_check(&stream->wire, error);
}
