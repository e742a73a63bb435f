/* SPDX-License-Identifier: MIT */
/*
 * Opens a connection before a deadline, whatever the names, the network and the servers do.
 *
 * The servers are tried in the order of the URL, and each address of a name on its own.  Each try has its share of the
 * time that is left, so a server that does not answer leaves time for the next one.
 */
#ifndef DIAL_H
#define DIAL_H

#include <mysql.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <pool/pool.h>

#include "mysql/options.h"

/* Stores a connection that has logged in, with the session as the URL wants it.  Returns 0, or a code that *error
   explains. */
int dial_open(const struct options *options, int64_t deadline_ns, MYSQL **mysql, pool_error_t *error);

/* The two ends of a connection. */
struct dial_server {
  struct address address; /* the server's; the host is the name that its certificate has */
  char digits[64];
  char own_port[6]; /* "" of a Unix socket */
  pid_t process;    /* that listens on a Unix socket, 0 if that is not known */
};

/* Notes them.  False: it is not connected any more. */
bool dial_note(MYSQL *mysql, struct dial_server *server);

/* The same as dial_open() for that server. */
int dial_again(const struct options *options, const struct dial_server *server, int64_t deadline_ns, MYSQL **mysql,
               pool_error_t *error);

/* Whether it does, as far as that can be seen here: another process may listen on a Unix socket by now. */
bool dial_leads_to(MYSQL *mysql, const struct dial_server *server);

/* Closes a connection without a wait. */
void dial_close(MYSQL *mysql);

#endif
