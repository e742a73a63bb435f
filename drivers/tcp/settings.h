/* SPDX-License-Identifier: MIT */
/* What the URL of a pool of sockets says: the servers, and where the replies of calls end. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "support/servers.h"

struct settings {
  struct servers servers;
  char *reply_until;        /* a reply ends with these bytes; NULL: it does not */
  uint64_t reply_bytes;     /* a reply has so many bytes; 0: it does not */
  uint64_t max_reply_bytes; /* a longer reply breaks its connection */
};

/* Returns 0, or a code that *error explains. */
int settings_read(struct settings **settings, const char *text, pool_error_t *error);

/* NULL is fine. */
void settings_free(struct settings *settings);

#endif
