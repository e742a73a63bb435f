/* SPDX-License-Identifier: MIT */
/* What the URL of a pool says: the servers, the login, and limits. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdint.h>

#include <pool/pool.h>

#include "support/servers.h"

struct settings {
  struct servers servers;
  char *user;        /* NULL: the server's default user */
  char *password;    /* NULL: no login */
  char *client_name; /* NULL: none */
  char database[12]; /* its number */
  uint64_t max_reply_bytes;
  int64_t reset_timeout_ns;
  _Atomic int has_reset; /* whether the servers know RESET.  0: not known yet, 1: they do, -1: they do not */
};

/* Returns 0, or a code that *error explains. */
int settings_read(struct settings **settings, const char *text, pool_error_t *error);

/* The password is wiped.  NULL is fine. */
void settings_free(struct settings *settings);

#endif
