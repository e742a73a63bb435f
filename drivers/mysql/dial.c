/* SPDX-License-Identifier: MIT */
#include "mysql/dial.h"

#include <errmsg.h>
#include <errno.h>
#include <mysqld_error.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "mysql/fault.h"
#include "mysql/handshake.h"
#include "mysql/limit.h"
#include "mysql/progress.h"
#include "mysql/session.h"
#include "support/deadline.h"
#include "support/disconnect.h"
#include "support/failure.h"
#include "support/lookup.h"
#include "support/phase.h"

#define GREETING_MOST (64ul * 1024) /* what a server may send in one packet before it has taken the user */

/* An attempt to get a connection from one of the servers. */
struct dial {
  const struct options *options;
  int64_t deadline_ns; /* of all tries */
  size_t left;         /* servers to try, the one under way included */
  MYSQL *mysql;        /* that has logged in */
  bool refused;        /* another server would refuse the user as well */
  bool late;           /* the last try ended at its share of the time */
  pool_error_t *error; /* what went wrong with each server */
};

/* Where a try goes. */
struct place {
  const struct address *address;
  const char *digits; /* the address of the host */
};

/* ---- failures ---- */

/* Adds what went wrong with one more server. */
static void note_failure(struct dial *dial, const struct place *place, const pool_error_t *why)
{
  char *message = dial->error->message;
  size_t size = sizeof dial->error->message, length = strlen(message);
  const struct address *address = place->address;
  char text[sizeof why->message + 320];
  snprintf(text, sizeof text, "connecting to %.255s%s%s: %s", address->is_unix ? address->path : address->host,
           address->is_unix ? "" : ":", address->port, why->message);
  if (length > 0 && length < size - 3)
    length += (size_t)sprintf(message + length, "; ");
  failure_line(message + length, size - length, text);
  pool_phase(NULL, message + length);
  dial->error->code = why->code;
  dial->error->native = why->native;
  dial->late = why->code == POOL_E_TIMEOUT;
}

/* A user or database that is refused by one server is so by the next, which may count the attempts. */
static bool is_refusal(unsigned number)
{
  return number == ER_ACCESS_DENIED_ERROR || number == ER_ACCESS_DENIED_NO_PASSWORD_ERROR ||
         number == ER_DBACCESS_DENIED_ERROR || number == ER_BAD_DB_ERROR;
}

static int64_t share(const struct dial *dial, size_t addresses)
{
  return deadline_share(dial->deadline_ns, addresses + dial->left - 1);
}

/* ---- one try ---- */

/* Each of these returns whether the library took all options. */

static bool set_tls(MYSQL *mysql, const struct options *options)
{
  const my_bool strict = 1;
  const struct {
    enum mysql_option option;
    const void *value;
  } all[] = {
      {MYSQL_OPT_SSL_ENFORCE, &strict},
      {MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &strict}, /* the handshake relaxes it */
      {MYSQL_DEFAULT_AUTH, HANDSHAKE_PLUGIN},
      {MYSQL_OPT_SSL_CA, options->ssl_ca},
      {MYSQL_OPT_SSL_CAPATH, options->ssl_capath},
      {MYSQL_OPT_SSL_CERT, options->ssl_cert},
      {MYSQL_OPT_SSL_KEY, options->ssl_key},
      {MYSQL_OPT_SSL_CRL, options->ssl_crl},
      {MYSQL_OPT_SSL_CIPHER, options->ssl_cipher},
      {MARIADB_OPT_TLS_VERSION, options->tls_version},
  };
  bool taken = true;
  for (size_t i = 0; i < sizeof all / sizeof *all && options->ssl != SSL_DISABLED; i++)
    taken = mysql_optionsv(mysql, all[i].option, all[i].value) == 0 && taken;
  return taken;
}

static bool set_auth(MYSQL *mysql, const struct options *options)
{
  char *plugins;
  if (asprintf(&plugins, "%s," HANDSHAKE_PLUGIN, options->auth) < 0)
    return false;
  bool taken = mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH, plugins) == 0;
  free(plugins);
  return taken;
}

static bool set_options(MYSQL *mysql, const struct options *options, bool is_unix)
{
  unsigned protocol = is_unix ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
  unsigned infile = (unsigned)options->local_infile;
  unsigned long most = GREETING_MOST;
  const char *program = options->program_name;
  return mysql_optionsv(mysql, MARIADB_OPT_IO_WAIT, limit_wait) == 0 &&
         mysql_optionsv(mysql, MYSQL_OPT_PROTOCOL, &protocol) == 0 &&
         mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &infile) == 0 &&
         mysql_optionsv(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &most) == 0 &&
         mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, options->charset) == 0 &&
         (!options->compress || mysql_optionsv(mysql, MYSQL_OPT_COMPRESS, NULL) == 0) &&
         (!program || mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", program) == 0) &&
         set_tls(mysql, options) && set_auth(mysql, options);
}

static bool log_in(MYSQL *mysql, const struct options *options, const struct place *place)
{
  const struct address *address = place->address;
  unsigned long flags = CLIENT_REMEMBER_OPTIONS | CLIENT_MULTI_RESULTS |
                        (options->multi_statements ? CLIENT_MULTI_STATEMENTS : 0) |
                        (options->found_rows ? CLIENT_FOUND_ROWS : 0);
  return mysql_real_connect(mysql, place->digits, options->user, options->password, options->database,
                            (unsigned)atoi(address->port), address->is_unix ? address->path : NULL, flags) != NULL;
}

static void say_connect(const struct place *place)
{
  if (place->digits)
    phase_connect(place->digits, place->address->port);
  else
    pool_phase("connect", place->address->path);
}

static int connect_and_begin(MYSQL *mysql, const struct options *options, const struct place *place, int64_t until_ns,
                             pool_error_t *error)
{
  struct fault lacks_tls = {.number = 0, .text = "the server has no TLS, which the URL asks for"};
  handshake_expect(place->address->is_unix ? NULL : place->address->host, (enum options_ssl)options->ssl);
  say_connect(place);
  progress_begin(mysql);
  limit_begin(mysql, until_ns);
  bool in = log_in(mysql, options, place);
  const char *doing = progress_end(in);
  int code = in ? session_begin(mysql, options, error) : 0;
  bool late = limit_end(mysql), lacked_tls = handshake_lacked_tls();
  if (in)
    return code;
  code = mysql_errno(mysql) == CR_OUT_OF_MEMORY ? POOL_E_NOMEM : POOL_E_OPEN;
  struct fault fault = lacked_tls ? lacks_tls : fault_of(mysql);
  fault.password = options->password; /* the library has forgotten it by now */
  return fault_say(fault, code, late, doing, error);
}

/* Stores a connection that has logged in at a place. */
static int try_place(const struct options *options, const struct place *place, int64_t until_ns, MYSQL **stored,
                     pool_error_t *error)
{
  MYSQL *mysql = mysql_init(NULL);
  if (!mysql || !set_options(mysql, options, place->address->is_unix)) {
    mysql_close(mysql);
    return failure_set(error, POOL_E_NOMEM, ENOMEM, "no memory for a connection");
  }
  int code = connect_and_begin(mysql, options, place, until_ns, error);
  if (code)
    dial_close(mysql);
  else
    *stored = mysql;
  return code;
}

/* Tries a place as one of several.  True: there is no more to be tried. */
static bool try_next(struct dial *dial, const struct place *place, size_t places)
{
  pool_error_t why = POOL_ERROR_INIT;
  if (try_place(dial->options, place, share(dial, places), &dial->mysql, &why) == 0)
    return true;
  note_failure(dial, place, &why);
  dial->refused = is_refusal((unsigned)why.native);
  return dial->refused;
}

/* ---- the servers ---- */

static bool try_addresses(struct dial *dial, const struct address *address, const struct addrinfo *found)
{
  size_t left = 0;
  bool done = false;
  for (const struct addrinfo *info = found; info; info = info->ai_next)
    left++;
  for (const struct addrinfo *info = found; info && !done; info = info->ai_next) {
    char digits[NI_MAXHOST];
    if (getnameinfo(info->ai_addr, info->ai_addrlen, digits, sizeof digits, NULL, 0, NI_NUMERICHOST) == 0)
      done = try_next(dial, &(struct place){address, digits}, left);
    left--;
  }
  return done;
}

static bool try_server(struct dial *dial, const struct address *address)
{
  struct place place = {address, NULL};
  struct addrinfo *found;
  pool_error_t why = POOL_ERROR_INIT;
  if (address->is_unix)
    return try_next(dial, &place, 1);
  if (lookup_name(address, share(dial, 1), &found, &why) != 0) {
    note_failure(dial, &place, &why);
    return false;
  }
  bool done = try_addresses(dial, address, found);
  freeaddrinfo(found);
  return done;
}

int dial_open(const struct options *options, int64_t deadline_ns, MYSQL **mysql, pool_error_t *error)
{
  struct dial dial = {.options = options, .deadline_ns = deadline_ns, .left = options->address_count, .error = error};
  error->message[0] = 0;
  for (size_t i = 0; i < options->address_count; i++, dial.left--)
    if (try_server(&dial, &options->addresses[i]))
      break;
  *mysql = dial.mysql;
  if (dial.mysql)
    return 0;
  if (error->code != POOL_E_NOMEM)
    error->code = dial.late && deadline_is_past(deadline_ns) ? POOL_E_TIMEOUT : POOL_E_OPEN;
  return error->code;
}

static pid_t process_behind(MYSQL *mysql)
{
  struct ucred other = {.pid = 0};
  socklen_t size = sizeof other;
  return getsockopt(mysql_get_socket(mysql), SOL_SOCKET, SO_PEERCRED, &other, &size) == 0 ? other.pid : 0;
}

bool dial_note(MYSQL *mysql, struct dial_server *server)
{
  struct sockaddr_storage peer, own;
  socklen_t peer_size = sizeof peer, own_size = sizeof own;
  struct address *address = &server->address;
  const int digits = NI_NUMERICHOST | NI_NUMERICSERV;
  *server = (struct dial_server){.address.is_unix = mysql->unix_socket != NULL};
  if (address->is_unix) {
    snprintf(address->path, sizeof address->path, "%s", mysql->unix_socket);
    server->process = process_behind(mysql);
    return true;
  }
  snprintf(address->host, sizeof address->host, "%s", mysql->host ? mysql->host : "");
  return getpeername(mysql_get_socket(mysql), (struct sockaddr *)&peer, &peer_size) == 0 &&
         getsockname(mysql_get_socket(mysql), (struct sockaddr *)&own, &own_size) == 0 &&
         getnameinfo((struct sockaddr *)&own, own_size, NULL, 0, server->own_port, sizeof server->own_port, digits) ==
             0 &&
         getnameinfo((struct sockaddr *)&peer, peer_size, server->digits, sizeof server->digits, address->port,
                     sizeof address->port, digits) == 0;
}

int dial_again(const struct options *options, const struct dial_server *server, int64_t deadline_ns, MYSQL **mysql,
               pool_error_t *error)
{
  struct place place = {&server->address, server->address.is_unix ? NULL : server->digits};
  return try_place(options, &place, deadline_ns, mysql, error);
}

bool dial_leads_to(MYSQL *mysql, const struct dial_server *server)
{
  return !server->address.is_unix || process_behind(mysql) == server->process;
}

/* The deadline has passed, so the last packet is sent if there is room for it, and nothing waits. */
void dial_close(MYSQL *mysql)
{
  int second = disconnect_begin(mysql_get_socket(mysql));
  limit_begin(mysql, 0);
  mysql_close(mysql);
  limit_end(NULL);
  disconnect_end(second);
}
