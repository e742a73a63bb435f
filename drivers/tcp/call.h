/* SPDX-License-Identifier: MIT */
/* Calls: bytes are sent, and a reply is read up to where the settings say that it ends. */
#ifndef CALL_H
#define CALL_H

#include <stdint.h>

#include <pool/pool.h>

#include "tcp/settings.h"
#include "tcp/stream.h"

/* As the call of a vtable. */
int call_sync(struct stream *stream, const struct settings *settings, const char *method, pool_bytes_t args,
              pool_bytes_t *reply, int64_t deadline_ns, pool_error_t *error);

#endif
