/* SPDX-License-Identifier: MIT */
/*
 * What a URL asks for: the servers in their order, the user, and the parameters.
 *
 *   mysql://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?NAME=VALUE&...
 *
 * Shared.  Options are read once and never change.  A pool holds one reference, and so does each thread that ends a
 * statement at the server after its call has returned.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

#include "base/url.h"
#include "support/address.h"

enum options_reset { RESET_CONNECTION, RESET_CHANGE_USER, RESET_ROLLBACK, RESET_NONE };

/* What the server's certificate is asked for; the enum says it from nothing to all. */
enum options_ssl { SSL_DISABLED, SSL_PREFERRED, SSL_REQUIRED, SSL_VERIFY_CA, SSL_VERIFY_IDENTITY };

struct options {
  _Atomic int references;
  struct url url; /* the texts below are in it */
  struct address *addresses;
  size_t address_count;
  char *user;
  const char *password; /* "": none */
  const char *database; /* NULL: none */

  const char *socket;
  const char *charset;
  int reset; /* an enum options_reset */
  uint64_t reset_timeout_ms;
  const char *init_statement;
  uint64_t max_reply_bytes;
  int ssl;        /* an enum options_ssl */
  int ssl_verify; /* 0, 1, or -1: not given */
  const char *ssl_ca, *ssl_capath, *ssl_cert, *ssl_key, *ssl_cipher, *ssl_crl, *tls_version;
  const char *auth;
  const char *program_name;
  int compress, local_infile, multi_statements, found_rows;
};

/* Reads a URL.  Returns 0, or a code that *error explains; nothing is connected to. */
int options_read(struct options **options, const char *text, pool_error_t *error);

static inline struct options *options_acquire(struct options *options)
{
  atomic_fetch_add(&options->references, 1);
  return options;
}

/* The last release wipes and frees. */
void options_release(struct options *options);

#endif
