/* SPDX-License-Identifier: MIT */
#include "mysql/session.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "mysql/fault.h"
#include "mysql/limit.h"
#include "support/deadline.h"
#include "support/failure.h"

#define PACKET_MOST (1024ul * 1024 * 1024) /* as the library's own default */

/* ---- statements of the URL ---- */

/* Forgets a result.  At the deadline the socket is shut, because the library would read all rows to their end. */
static void forget(MYSQL *mysql, MYSQL_RES *result)
{
  while (!limit_is_past() && mysql_fetch_row(result))
    ;
  if (limit_is_past())
    shutdown(mysql_get_socket(mysql), SHUT_RDWR);
  mysql_free_result(result);
}

/* Reads and forgets all results.  False: a statement failed, or the deadline passed. */
static bool drain(MYSQL *mysql)
{
  int next = 0;
  while (next == 0 && !limit_is_past()) {
    MYSQL_RES *result = mysql_use_result(mysql);
    if (result)
      forget(mysql, result);
    if (mysql_errno(mysql))
      return false;
    next = mysql_next_result(mysql);
  }
  return next < 0;
}

/* The server's message could quote the statement, and so a password in it. */
static int run_init_statement(MYSQL *mysql, const struct options *options, pool_error_t *error)
{
  const char *statement = options->init_statement;
  if (!statement || (mysql_real_query(mysql, statement, strlen(statement)) == 0 && drain(mysql)))
    return 0;
  if (limit_is_past())
    return failure_set(error, POOL_E_TIMEOUT, (int)mysql_errno(mysql), "the URL's init_statement: the deadline passed");
  return failure_set(error, POOL_E_OPEN, (int)mysql_errno(mysql), "the URL's init_statement failed with error %u (%s)",
                     mysql_errno(mysql), mysql_sqlstate(mysql));
}

int session_begin(MYSQL *mysql, const struct options *options, pool_error_t *error)
{
  int on = 1;
  my_socket descriptor = mysql_get_socket(mysql);
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* a Unix socket has no such option */
  mysql->net.max_packet_size = PACKET_MOST;
  if (options->init_statement)
    pool_phase("setup", NULL);
  return run_init_statement(mysql, options, error);
}

/* ---- looking at it ---- */

/* Looks at the socket.  Bytes that nobody has read are what the server said at its end, or a late reply. */
static int look(MYSQL *mysql, pool_error_t *error)
{
  int64_t idle = pool_socket_idle(mysql_get_socket(mysql));
  if (idle == 0)
    return 0;
  return failure_set(error, POOL_E_BROKEN, 0, "%s",
                     idle > 0 ? "the server has sent what nobody asked for, such as that it ended the session"
                     : idle == POOL_E_BROKEN ? "the server closed the connection"
                                             : "the connection broke while it was lent");
}

static int say_unread(pool_error_t *error)
{
  return failure_set(error, POOL_E_BROKEN, 0, "results of a statement were left unread");
}

static size_t size_at(const unsigned char *bytes)
{
  return (size_t)(bytes[0] | bytes[1] << 8 | bytes[2] << 16);
}

/* Whether the buffer of a connection that compresses still has what was read last.  Three bytes of its size and a
   number are before it, and a 0 is behind it.  The end of the log-in, which was not compressed, is at the beginning of
   the buffer, and begins with zeros itself. */
static bool holds_answer(const NET *net)
{
  const unsigned char *answer = net->read_pos;
  if (answer < net->buff + 4)
    return size_at(net->buff) == 0;
  size_t size = size_at(answer - 4);
  return size <= (size_t)(net->buff_end - answer) && answer[size] == 0;
}

/* Whether a command was sent and nothing of its answer was read, as after mysql_send_query().  The packets of both are
   numbered in one row, from 0; a byte has the number, so the last packet of a long answer may have 0 as well.  What was
   read last begins with its kind; what was sent last, with three bytes of its size, the number and the command.  Of a
   long command its end is in the buffer.  With compression an answer begins with its size and a number as well, which
   is hardly ever that of a command; and a long command has more numbers, but has filled the buffer once at least. */
static bool awaits_answer(const MYSQL *mysql)
{
  const unsigned char *bytes = mysql->net.buff;
  if (!bytes)
    return false;
  if (mysql->net.pkt_nr != 1)
    return mysql->net.compress && !holds_answer(&mysql->net);
  bool is_end = mysql->net.compress || bytes[0] == 0 || bytes[0] >= 0xfe; /* OK, EOF, or an error */
  bool is_end_of_answer = bytes[3] != 0 && is_end;
  bool has_answer = bytes[4] != COM_SLEEP && bytes[4] != COM_STMT_CLOSE && bytes[4] != COM_STMT_SEND_LONG_DATA;
  return has_answer && !is_end_of_answer;
}

bool session_has_unread(MYSQL *mysql)
{
  return mysql->status != MYSQL_STATUS_READY || mysql_more_results(mysql) || awaits_answer(mysql);
}

int session_check(MYSQL *mysql, int64_t deadline_ns, pool_error_t *error)
{
  int code = look(mysql, error);
  if (code)
    return code;
  limit_begin(mysql, deadline_ns);
  bool failed = mysql_ping(mysql) != 0;
  bool late = limit_end(mysql);
  return failed ? fault_say(fault_of(mysql), POOL_E_BROKEN, late, "asking whether the server is there", error) : 0;
}

/* ---- putting it back ---- */

static bool in_transaction(const MYSQL *mysql)
{
  return mysql->server_status & (SERVER_STATUS_IN_TRANS | SERVER_STATUS_IN_TRANS_READONLY);
}

static bool log_in_again(MYSQL *mysql, const struct options *options)
{
  return mysql_change_user(mysql, options->user, options->password, options->database) == 0;
}

/* Neither a rollback nor a reset of the session changes the user. */
static bool restore_user(MYSQL *mysql, const struct options *options)
{
  return strcmp(mysql->user, options->user) == 0 || log_in_again(mysql, options);
}

/* Whether the library hears of it from the server when a statement chooses a database. */
static bool hears_of_databases(const MYSQL *mysql)
{
  return mysql->server_capabilities & CLIENT_SESSION_TRACKING;
}

/* A session that has chosen a database can only have none by logging in again. */
static bool restore_database(MYSQL *mysql, const struct options *options)
{
  const char *now = mysql->db ? mysql->db : "", *wanted = options->database ? options->database : "";
  if (hears_of_databases(mysql) && strcmp(now, wanted) == 0)
    return true;
  return *wanted ? mysql_select_db(mysql, wanted) == 0 : log_in_again(mysql, options);
}

/* MySQL's servers forget the character set that was agreed on at the beginning, and MariaDB's do not. */
static bool restore_charset(MYSQL *mysql, const struct options *options)
{
  if (mariadb_connection(mysql) && strcasecmp(mysql_character_set_name(mysql), options->charset) == 0)
    return true;
  return mysql_set_character_set(mysql, options->charset) == 0;
}

static bool put_back(MYSQL *mysql, const struct options *options)
{
  switch (options->reset) {
  case RESET_CONNECTION:
    return mysql_reset_connection(mysql) == 0 && restore_user(mysql, options) && restore_database(mysql, options) &&
           restore_charset(mysql, options);
  case RESET_CHANGE_USER:
    return log_in_again(mysql, options);
  case RESET_ROLLBACK:
    return (!in_transaction(mysql) || mysql_rollback(mysql) == 0) && restore_user(mysql, options) &&
           restore_database(mysql, options);
  default:
    return true;
  }
}

/* What libmariadb keeps of a user, whose functions, and what they are called with, may be gone. */
static void forget_user(MYSQL *mysql)
{
  const my_bool no = 0;
  mysql_optionsv(mysql, MYSQL_OPT_RECONNECT, &no);
  mysql_set_local_infile_default(mysql);
  mysql_optionsv(mysql, MYSQL_PROGRESS_CALLBACK, NULL);
#if MARIADB_PACKAGE_VERSION_ID > 30301
  mysql_optionsv(mysql, MARIADB_OPT_STATUS_CALLBACK, NULL, NULL);
#endif
}

static int reset_in_time(MYSQL *mysql, const struct options *options, int64_t deadline_ns, pool_error_t *error)
{
  bool anew = options->reset == RESET_CONNECTION || options->reset == RESET_CHANGE_USER;
  forget_user(mysql);
  limit_begin(mysql, deadline_ns);
  bool back = put_back(mysql, options);
  int code = back && anew ? run_init_statement(mysql, options, error) : 0;
  bool late = limit_end(mysql);
  return !back || late ? fault_say(fault_of(mysql), POOL_E_BROKEN, late, "resetting the session", error) : code;
}

int session_reset(MYSQL *mysql, const struct options *options, int64_t deadline_ns, pool_error_t *error)
{
  int64_t until_ns = deadline_clock() + (int64_t)options->reset_timeout_ms * 1000000;
  int code = look(mysql, error);
  if (code)
    return session_has_unread(mysql) ? say_unread(error) : code;
  if (session_has_unread(mysql))
    return say_unread(error);
  if (options->reset == RESET_NONE && in_transaction(mysql))
    return failure_set(error, POOL_E_BROKEN, 0, "a transaction was left open, and the URL's reset is none");
  return reset_in_time(mysql, options, until_ns < deadline_ns ? until_ns : deadline_ns, error);
}
