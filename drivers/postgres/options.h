/* SPDX-License-Identifier: MIT */
/*
 * What a URL asks for: libpq's options, the servers to try in their order, and the driver's own parameters.
 *
 * The options are read once, when the pool is made, and never change; any thread may use them.  What the URL does not
 * say comes from where libpq takes it: the environment and the file of services.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

/* One server, as libpq's options host, hostaddr and port say it.  "": not given. */
struct options_server {
  char *host; /* a name, an address, or the folder of a Unix socket */
  char *address;
  char *port;
};

enum options_reset { ROLLBACK, DISCARD, STATEMENT };

struct options {
  const char **keywords; /* the options of libpq that the URL sets, NULL behind the last; room for OPTIONS_SPARE more */
  char **values;
  size_t count;
  struct options_server *servers;
  size_t server_count;
  int64_t server_ns;  /* connect_timeout: the most time for one server; 0: no limit */
  bool standby_first; /* target_session_attrs=prefer-standby */

  enum options_reset reset;
  char *reset_statement;
  int64_t reset_ns; /* the most time for a reset */
  uint64_t max_reply_bytes;
};

#define OPTIONS_SPARE 5

/* Reads a URL.  Returns 0, or a code that *error explains; nothing is connected to. */
int options_read(struct options **options, const char *text, pool_error_t *error);

void options_free(struct options *options);

#endif
