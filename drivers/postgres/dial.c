/* SPDX-License-Identifier: MIT */
#include "postgres/dial.h"

#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "postgres/exit.h"
#include "support/address.h"
#include "support/deadline.h"
#include "support/disconnect.h"
#include "support/failure.h"
#include "support/lookup.h"
#include "support/phase.h"

/* An attempt to get a connection from one of the servers. */
struct dial {
  const struct options *options;
  int64_t deadline_ns; /* of all tries */
  const char *session; /* target_session_attrs, in place of the user's; NULL: the user's */
  size_t left;         /* servers to try, the one under way included */
  PGconn *conn;        /* that has logged in */
  bool refused;        /* a password was wrong, so no other server is tried */
  pool_error_t *error; /* what went wrong with each server */
};

/* ---- failures ---- */

/* Adds what went wrong with one more server. */
static void note_failure(struct dial *dial, const char *text, const char *password)
{
  char *message = dial->error->message;
  size_t size = sizeof dial->error->message, length = strlen(message);
  if (length > 0 && length < size - 3)
    length += (size_t)sprintf(message + length, "; ");
  failure_line_without(password, message + length, size - length, text);
  pool_phase(NULL, message + length);
}

static void note_late(struct dial *dial, const struct options_server *server, const char *doing)
{
  char text[320];
  snprintf(text, sizeof text, "%s %.255s: no answer in time", doing, *server->host ? server->host : server->address);
  note_failure(dial, text, NULL);
}

/* Where libpq tries with TLS and then without, or the other way round, it says the same twice. */
static const char *last_half(const char *text)
{
  size_t half = strlen(text) / 2;
  return half * 2 == strlen(text) && memcmp(text, text + half, half) == 0 ? text + half : text;
}

/* ---- phases ---- */

/* What libpq is about. */
struct phase {
  const char *name;
  const char *doing; /* for messages */
};

static const struct phase connecting = {"connect", "connecting to"};

/* CONNECTION_MADE comes before TLS and after it, and lasts for no time.  NULL: then it is still what it was. */
static const struct phase *phase_of(PGconn *conn)
{
  static const struct phase tls = {"tls", "TLS handshake with"}, gss = {"gss", "GSSAPI handshake with"},
                            login = {"login", "logging in at"}, setup = {"setup", "asking what kind of server is"};
  switch (PQstatus(conn)) {
  case CONNECTION_NEEDED:
  case CONNECTION_STARTED:
    return &connecting;
  case CONNECTION_SSL_STARTUP:
    return &tls;
  case CONNECTION_GSS_STARTUP:
    return &gss;
  case CONNECTION_MADE:
    return NULL;
  case CONNECTION_AWAITING_RESPONSE:
  case CONNECTION_AUTH_OK:
  case CONNECTION_SETENV:
    return &login;
  default:
    return &setup;
  }
}

static void say_connect(const struct options_server *server, const char *address)
{
  if (*address)
    phase_connect(address, *server->port ? server->port : "5432");
  else
    pool_phase("connect", server->host);
}

/* libpq connects anew to try without TLS what has failed with it, or the other way round. */
static void follow_phase(PGconn *conn, const struct phase **phase)
{
  const struct phase *now = phase_of(conn);
  if (!now || now == *phase)
    return;
  if (now == &connecting)
    pool_phase(NULL, "it is tried in another way");
  pool_phase(now->name, NULL);
  *phase = now;
}

/* ---- one try ---- */

/* The moment at which the first of several tries ends: at its share of the time, or at connect_timeout. */
static int64_t share(const struct dial *dial, size_t addresses)
{
  int64_t until_ns = deadline_share(dial->deadline_ns, addresses + dial->left - 1);
  int64_t limit_ns = dial->options->server_ns, now = deadline_clock();
  return limit_ns && (until_ns == POOL_NO_DEADLINE || until_ns > now + limit_ns) ? now + limit_ns : until_ns;
}

static PGconn *begin(const struct dial *dial, const struct options_server *server, const char *address)
{
  const struct options *options = dial->options;
  const char *keywords[options->count + OPTIONS_SPARE], *values[options->count + OPTIONS_SPARE];
  size_t count = options->count;
  memcpy(keywords, options->keywords, count * sizeof *keywords);
  memcpy(values, options->values, count * sizeof *values);
  const char *own[][2] = {{"host", server->host},
                          {"hostaddr", address},
                          {"port", server->port},
                          {dial->session ? "target_session_attrs" : NULL, dial->session}};
  for (size_t i = 0; i < sizeof own / sizeof *own && own[i][0]; i++) {
    keywords[count] = own[i][0];
    values[count++] = own[i][1];
  }
  keywords[count] = NULL;
  values[count] = NULL;
  return PQconnectStartParams(keywords, values, 0);
}

static PostgresPollingStatusType go_on(PGconn *conn)
{
  if (!exit_enter())
    return PGRES_POLLING_FAILED;
  PostgresPollingStatusType status = PQconnectPoll(conn);
  exit_leave();
  return status;
}

/* Waits for the end of a try.  OK: it has logged in. */
static enum outcome finish(PGconn *conn, int64_t until_ns, const struct phase **phase)
{
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  if (PQstatus(conn) == CONNECTION_BAD)
    return FAILED;
  while (status != PGRES_POLLING_OK) {
    follow_phase(conn, phase);
    short events = status == PGRES_POLLING_WRITING ? POLLOUT : POLLIN;
    enum outcome outcome = deadline_wait_ready(PQsocket(conn), events, until_ns);
    if (outcome != OK)
      return outcome;
    status = go_on(conn);
    if (status == PGRES_POLLING_FAILED)
      return FAILED;
    if (status != PGRES_POLLING_OK && deadline_is_past(until_ns))
      return EXPIRED; /* a hostile server may send without a pause */
  }
  return OK;
}

/* Tries one address of a server, or its Unix socket.  True: there is no more to be tried. */
static bool try_address(struct dial *dial, const struct options_server *server, const char *address, int64_t until_ns)
{
  const struct phase *phase = &connecting;
  say_connect(server, address);
  PGconn *conn = begin(dial, server, address);
  if (!conn) {
    note_failure(dial, "no memory for a connection", NULL);
    return false;
  }
  enum outcome outcome = finish(conn, until_ns, &phase);
  if (outcome == OK) {
    dial->conn = conn;
    return true;
  }
  /* A wrong password ends all tries: it is as wrong for the next server, which may count the attempts.  A server that
     was given the password and says its version has taken it, and then is of another kind than the user wants. */
  dial->refused = outcome == FAILED && PQconnectionUsedPassword(conn) && !PQparameterStatus(conn, "server_version");
  if (outcome == EXPIRED)
    note_late(dial, server, phase->doing);
  else
    note_failure(dial, last_half(PQerrorMessage(conn)), PQpass(conn));
  dial_close(conn);
  return dial->refused;
}

/* ---- one server ---- */

static const char *in_digits(const struct addrinfo *info, char text[NI_MAXHOST])
{
  return getnameinfo(info->ai_addr, info->ai_addrlen, text, NI_MAXHOST, NULL, 0, NI_NUMERICHOST) == 0 ? text : "";
}

static bool try_name(struct dial *dial, const struct options_server *server)
{
  struct address name = {0};
  struct addrinfo *found;
  char digits[NI_MAXHOST];
  pool_error_t why = POOL_ERROR_INIT;
  int code = address_set(&name, server->host, *server->port ? server->port : "5432", &why);
  if (code == 0)
    code = lookup_name(&name, share(dial, 1), &found, &why);
  if (code) {
    note_failure(dial, why.message, NULL);
    return false;
  }
  size_t addresses = 0;
  bool ended = false;
  for (const struct addrinfo *info = found; info; info = info->ai_next)
    addresses++;
  for (const struct addrinfo *info = found; info && !ended; info = info->ai_next, addresses--)
    ended = try_address(dial, server, in_digits(info, digits), share(dial, addresses));
  freeaddrinfo(found);
  return ended;
}

static bool needs_lookup(const struct options_server *server)
{
  return !*server->address && *server->host && *server->host != '/' && *server->host != '@';
}

/* ---- all of them ---- */

static bool try_all(struct dial *dial)
{
  const struct options *options = dial->options;
  dial->left = options->server_count;
  for (size_t i = 0; i < options->server_count; i++, dial->left--) {
    const struct options_server *server = &options->servers[i];
    if (i > 0 && deadline_is_past(dial->deadline_ns))
      return false;
    if (needs_lookup(server) ? try_name(dial, server) : try_address(dial, server, server->address, share(dial, 1)))
      return true;
  }
  return false;
}

/* Leaves half of the time for the servers of any kind, which are tried next. */
static bool try_standbys(struct dial *dial)
{
  int64_t now = deadline_clock(), until_ns = dial->deadline_ns;
  if (until_ns != POOL_NO_DEADLINE && until_ns > now)
    dial->deadline_ns = now + (until_ns - now) / 2;
  dial->session = "standby";
  bool ended = try_all(dial);
  dial->deadline_ns = until_ns;
  dial->session = "any";
  if (!ended)
    dial->error->message[0] = 0;
  return ended;
}

int dial_open(const struct options *options, int64_t deadline_ns, PGconn **conn, pool_error_t *error)
{
  struct dial dial = {.options = options, .deadline_ns = deadline_ns, .error = error};
  error->message[0] = 0;
  if (!options->standby_first || !try_standbys(&dial))
    try_all(&dial);
  if (dial.conn) {
    *conn = dial.conn;
    return 0;
  }
  error->native = 0;
  return error->code = !dial.refused && deadline_is_past(deadline_ns) ? POOL_E_TIMEOUT : POOL_E_OPEN;
}

void dial_close(PGconn *conn)
{
  int second = disconnect_begin(PQsocket(conn));
  if (exit_enter()) {
    PQfinish(conn);
    exit_leave();
  }
  disconnect_end(second);
}
