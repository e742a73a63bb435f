/* SPDX-License-Identifier: MIT */
/*
 * The stream of bytes to a server, plain or by TLS, with deadlines.
 *
 * One thread uses a wire at a time.  It never raises SIGPIPE, and waits only until the deadline, whether the socket
 * blocks or not.  Plain wires have no buffer: what the wire was not asked for is in the socket.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include <pool/pool.h>

#include "support/tls.h"

struct wire {
  int descriptor;
  SSL *ssl; /* NULL: plain */
};

/* Begins TLS on a wire that is plain so far, and verifies the server.  `host` as in tls_session().  Returns 0, or a
   code that *error explains; the wire is then only good for closing. */
int wire_begin_tls(struct wire *wire, const struct tls *tls, const char *host, int64_t deadline_ns,
                   pool_error_t *error);

/* Reads what there is, from 1 to `size` bytes.  Returns how many; 0 at the end of the stream; POOL_E_TIMEOUT: nothing
   came; POOL_E_BROKEN. */
int64_t wire_read(struct wire *wire, void *data, size_t size, int64_t deadline_ns, pool_error_t *error);

/* Writes all.  Returns 0, POOL_E_TIMEOUT or POOL_E_BROKEN; after either a part may have been written. */
int wire_write(struct wire *wire, const void *data, size_t size, int64_t deadline_ns, pool_error_t *error);

/* Looks, without waiting, whether the connection stands and nothing is to be read.  Messages of TLS itself, session
   tickets for example, are taken and are nothing.  Returns 0 or POOL_E_BROKEN. */
int wire_check(struct wire *wire, pool_error_t *error);

/* Closes, without waiting.  TLS tells the server if the socket takes it.  The descriptor is -1 then. */
void wire_close(struct wire *wire);

/* Closes without a word to the server, in a child of fork: the connection is the parent's. */
void wire_forget(struct wire *wire);

#endif
