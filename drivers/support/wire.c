/* SPDX-License-Identifier: MIT */
#include "support/wire.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "support/deadline.h"
#include "support/disconnect.h"
#include "support/failure.h"

#define MESSAGES 16 /* of TLS itself that are taken where there is no time to wait */

static int say_late(const char *doing, pool_error_t *error)
{
  return failure_set(error, POOL_E_TIMEOUT, 0, "%s: the deadline passed", doing);
}

/* Waits for an event of the socket.  Returns 0 or a code. */
static int await(const struct wire *wire, short events, int64_t deadline_ns, const char *doing, pool_error_t *error)
{
  enum outcome outcome = deadline_wait_ready(wire->descriptor, events, deadline_ns);
  if (outcome == EXPIRED)
    return say_late(doing, error);
  return outcome == OK ? 0 : failure_set(error, POOL_E_BROKEN, errno, "%s: %s", doing, strerror(errno));
}

static bool is_temporary(int number)
{
  return number == EAGAIN || number == EWOULDBLOCK || number == EINTR;
}

/* ---- plain ---- */

/* Waits first: an answer is hardly ever there already. */
static int64_t read_plain(struct wire *wire, void *data, size_t size, int64_t deadline_ns, pool_error_t *error)
{
  for (;;) {
    int code = await(wire, POLLIN, deadline_ns, "reading", error);
    if (code)
      return code;
    ssize_t got = recv(wire->descriptor, data, size, MSG_DONTWAIT);
    if (got >= 0)
      return got;
    if (!is_temporary(errno))
      return failure_set(error, POOL_E_BROKEN, errno, "reading: %s", strerror(errno));
  }
}

/* Returns how many bytes, or a code.  0: the socket takes none now. */
static int64_t send_plain(struct wire *wire, const void *data, size_t size, pool_error_t *error)
{
  ssize_t sent = send(wire->descriptor, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0)
    return sent;
  return is_temporary(errno) ? 0 : failure_set(error, POOL_E_BROKEN, errno, "writing: %s", strerror(errno));
}

/* ---- TLS ---- */

/* What a session waits for after an operation that moved nothing, as events for poll().  0: it waits for nothing, and
 *code says why: 0 at the end of the stream. */
static short events_of(struct wire *wire, int result, const char *doing, int *code, pool_error_t *error)
{
  int number = errno;
  switch (SSL_get_error(wire->ssl, result)) {
  case SSL_ERROR_WANT_READ:
    return POLLIN;
  case SSL_ERROR_WANT_WRITE:
    return POLLOUT;
  case SSL_ERROR_ZERO_RETURN:
    *code = 0;
    return 0;
  case SSL_ERROR_SYSCALL:
    *code = tls_say(wire->ssl, POOL_E_BROKEN, number, doing, error);
    return 0;
  default:
    *code = tls_say(wire->ssl, POOL_E_BROKEN, 0, doing, error);
    return 0;
  }
}

static int say_end(const char *doing, pool_error_t *error)
{
  return failure_set(error, POOL_E_BROKEN, 0, "%s: the server closed the connection", doing);
}

/* A record may come byte by byte, and messages of TLS itself without end: keys, tickets. */
static int64_t read_tls(struct wire *wire, void *data, size_t size, int64_t deadline_ns, pool_error_t *error)
{
  for (int left = MESSAGES;;) {
    size_t got;
    int code;
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(wire->ssl, data, size, &got);
    if (result == 1)
      return (int64_t)got;
    short events = events_of(wire, result, "reading", &code, error);
    if (events)
      code = await(wire, events, deadline_ns, "reading", error);
    if (code || !events)
      return code;
    if (deadline_is_past(deadline_ns) && left-- == 0)
      return say_late("reading", error);
  }
}

static int64_t send_tls(struct wire *wire, const void *data, size_t size, short *events, pool_error_t *error)
{
  size_t sent;
  int code;
  ERR_clear_error();
  errno = 0;
  int result = SSL_write_ex(wire->ssl, data, size, &sent);
  if (result == 1)
    return (int64_t)sent;
  *events = events_of(wire, result, "writing", &code, error);
  if (*events)
    return 0;
  return code ? code : say_end("writing", error);
}

static int shake_hands(struct wire *wire, int64_t deadline_ns, pool_error_t *error)
{
  for (;;) {
    int code;
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(wire->ssl);
    if (result == 1)
      return 0;
    short events = events_of(wire, result, "TLS handshake", &code, error);
    if (!events)
      return code ? code : say_end("TLS handshake", error);
    if (deadline_is_past(deadline_ns))
      return say_late("TLS handshake", error);
    code = await(wire, events, deadline_ns, "TLS handshake", error);
    if (code)
      return code;
  }
}

int wire_begin_tls(struct wire *wire, const struct tls *tls, const char *host, int64_t deadline_ns, pool_error_t *error)
{
  pool_phase("tls", host);
  wire->ssl = tls_session(tls, wire->descriptor, host, error);
  if (!wire->ssl)
    return error->code;
  int code = shake_hands(wire, deadline_ns, error);
  return code == POOL_E_BROKEN ? error->code = POOL_E_OPEN : code;
}

/* Whether a part of a record is there: its rest may be somebody's late reply. */
static bool has_part(const SSL *ssl)
{
  return SSL_has_pending(ssl) || strcmp(SSL_rstate_string(ssl), "RB") == 0;
}

enum sight { NOTHING_UNREAD, SOMETHING_UNREAD, MORE_TO_SEE, ENDED };

static enum sight look_tls(struct wire *wire, int *code, pool_error_t *error)
{
  char byte;
  size_t seen;
  ERR_clear_error();
  errno = 0;
  int result = SSL_peek_ex(wire->ssl, &byte, 1, &seen);
  if (result == 1)
    return SOMETHING_UNREAD;
  short events = events_of(wire, result, "looking at the TLS session", code, error);
  if (!events)
    return ENDED;
  bool more = has_part(wire->ssl) || deadline_wait_ready(wire->descriptor, POLLIN, 0) == OK;
  return events == POLLIN && more ? MORE_TO_SEE : NOTHING_UNREAD;
}

/* Where more than a few messages of TLS itself come, what is behind them is not seen. */
static int check_tls(struct wire *wire, pool_error_t *error)
{
  int code = 0;
  enum sight sight = MORE_TO_SEE;
  for (int left = MESSAGES; sight == MORE_TO_SEE && left > 0; left--)
    sight = look_tls(wire, &code, error);
  if (sight == NOTHING_UNREAD)
    return 0;
  if (sight != ENDED)
    return failure_set(error, POOL_E_BROKEN, 0, "a reply that nobody has read is waiting");
  return code ? code : say_end("looking at the TLS session", error);
}

/* A session that memory has failed is broken.  POOL_E_NOMEM would say that nothing was sent. */
static int64_t or_broken(int64_t result, pool_error_t *error)
{
  return result == POOL_E_NOMEM ? error->code = POOL_E_BROKEN : result;
}

/* ---- both ---- */

int64_t wire_read(struct wire *wire, void *data, size_t size, int64_t deadline_ns, pool_error_t *error)
{
  return wire->ssl ? or_broken(read_tls(wire, data, size, deadline_ns, error), error)
                   : read_plain(wire, data, size, deadline_ns, error);
}

int wire_write(struct wire *wire, const void *data, size_t size, int64_t deadline_ns, pool_error_t *error)
{
  const char *next = data;
  while (size > 0) {
    short events = POLLOUT;
    int64_t sent = wire->ssl ? or_broken(send_tls(wire, next, size, &events, error), error)
                             : send_plain(wire, next, size, error);
    if (sent < 0)
      return (int)sent;
    next += sent;
    size -= (size_t)sent;
    if (size == 0)
      return 0;
    /* The deadline counts also while the socket takes a few bytes each time. */
    if (deadline_is_past(deadline_ns))
      return say_late("writing", error);
    int code = sent ? 0 : await(wire, events, deadline_ns, "writing", error);
    if (code)
      return code;
  }
  return 0;
}

int wire_check(struct wire *wire, pool_error_t *error)
{
  if (wire->ssl)
    return (int)or_broken(check_tls(wire, error), error);
  int64_t unread = pool_socket_idle(wire->descriptor);
  if (unread == 0)
    return 0;
  if (unread > 0)
    return failure_set(error, POOL_E_BROKEN, 0, "%lld bytes are waiting, of a reply that nobody has read",
                       (long long)unread);
  pool_error_t why = POOL_ERROR_INIT;
  pool_failure(&why);
  return failure_set(error, POOL_E_BROKEN, why.native, "%s", why.message);
}

static void clear(struct wire *wire)
{
  SSL_free(wire->ssl);
  *wire = (struct wire){.descriptor = -1};
}

void wire_close(struct wire *wire)
{
  if (wire->ssl) {
    ERR_clear_error();
    if (SSL_is_init_finished(wire->ssl))
      SSL_shutdown(wire->ssl);
    ERR_clear_error();
  }
  disconnect(wire->descriptor);
  clear(wire);
}

void wire_forget(struct wire *wire)
{
  close(wire->descriptor);
  clear(wire);
}
