/* SPDX-License-Identifier: MIT */
/* What went wrong, in libmariadb's words and the server's: as one line. */
#ifndef FAULT_H
#define FAULT_H

#include <mysql.h>
#include <stdbool.h>
#include <stddef.h>

#include <pool/pool.h>

/* An error of the library or the server. */
struct fault {
  unsigned number;
  const char *state; /* SQLSTATE */
  const char *text;
  const char *password; /* which the text may have in it; NULL: none */
};

struct fault fault_of(MYSQL *mysql);
struct fault fault_of_statement(MYSQL_STMT *statement);

/* Whether the server said it, and the connection goes on. */
bool fault_is_servers(const struct fault *fault);

/* Says it behind `doing` and a colon; NULL: alone.  Late: the deadline is the reason.  Returns the code. */
int fault_say(struct fault fault, int code, bool late, const char *doing, pool_error_t *error);

/* Says what the server answered: the message and its SQLSTATE.  `native` is the number.  Returns POOL_E_REMOTE. */
int fault_remote(struct fault fault, pool_error_t *error);

#endif
