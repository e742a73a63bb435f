/* SPDX-License-Identifier: MIT */
#include "mysql/fault.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

#include "support/failure.h"

#define FAREWELL_OF_MYSQL 4031 /* its ER_CLIENT_INTERACTION_TIMEOUT */

struct fault fault_of(MYSQL *mysql)
{
  return (struct fault){mysql_errno(mysql), mysql_sqlstate(mysql), mysql_error(mysql), mysql->passwd};
}

/* The library forgets to tell the statement of an error that comes in place of a row. */
struct fault fault_of_statement(MYSQL_STMT *statement)
{
  if (!mysql_stmt_errno(statement) && statement->mysql)
    return fault_of(statement->mysql);
  return (struct fault){mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement), mysql_stmt_error(statement),
                        statement->mysql ? statement->mysql->passwd : NULL};
}

/* The server's last words on a connection, which it closes then. */
static bool is_farewell(unsigned number)
{
  static const unsigned farewells[] = {ER_SERVER_SHUTDOWN, ER_NORMAL_SHUTDOWN,   ER_SHUTDOWN_COMPLETE,
                                       ER_FORCING_CLOSE,   ER_CONNECTION_KILLED, FAREWELL_OF_MYSQL};
  for (size_t i = 0; i < sizeof farewells / sizeof *farewells; i++)
    if (farewells[i] == number)
      return true;
  return false;
}

bool fault_is_servers(const struct fault *fault)
{
  bool librarys = (fault->number >= CR_MIN_ERROR && fault->number <= CR_MAX_ERROR) ||
                  (fault->number >= CER_MIN_ERROR && fault->number <= CER_MAX_ERROR);
  return fault->number != 0 && !librarys && !is_farewell(fault->number);
}

int fault_say(struct fault fault, int code, bool late, const char *doing, pool_error_t *error)
{
  char line[sizeof error->message];
  const char *colon = doing ? ": " : "";
  if (!doing)
    doing = "";
  if (late)
    return failure_set(error, POOL_E_TIMEOUT, (int)fault.number, "%s%sthe deadline passed", doing, colon);
  if (failure_line_without(fault.password, line, sizeof line, fault.text) == 0)
    strcpy(line, "the connection broke");
  return failure_set(error, code, (int)fault.number, "%s%s%s", doing, colon, line);
}

int fault_remote(struct fault fault, pool_error_t *error)
{
  char line[sizeof error->message - sizeof " (SQLSTATE 12345)"]; /* a long message leaves room for the state */
  failure_line_without(fault.password, line, sizeof line, fault.text);
  return failure_set(error, POOL_E_REMOTE, (int)fault.number, "%s (SQLSTATE %s)", line, fault.state);
}
