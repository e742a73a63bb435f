/* SPDX-License-Identifier: MIT */
/*
 * What TLS sessions with a server have in common: whom to trust, as whom to come, and which name to expect.
 *
 * The parameters of a URL:
 *   ca=FILE           the certificates of authorities to trust, PEM; else those that the system trusts
 *   cert=FILE         the own certificate, with those between it and the authority, PEM
 *   key=FILE          its private key, PEM, without a password; else it is in the file of cert
 *   verify=full       the certificate must be of a trusted authority and of the server's name; else:
 *          ca         the name is not compared
 *          none       nothing is verified
 *   server_name=NAME  the name to ask for and to expect, in place of the host's
 */
#ifndef TLS_H
#define TLS_H

#include <stdbool.h>

#include <openssl/ssl.h>

#include <pool/pool.h>

#include "base/url.h"

struct tls;

/* The names of the parameters, for a list: #define NAMES TLS_PARAMETERS, "other", NULL. */
#define TLS_PARAMETERS "ca", "cert", "key", "verify", "server_name"

/* Whether the URL has one of these parameters. */
bool tls_is_asked(const struct url *url);

/* Reads parameters and files.  Returns 0, or a code that *error explains. */
int tls_new(struct tls **tls, const struct url *url, pool_error_t *error);

/* NULL is fine.  No session may be left. */
void tls_free(struct tls *tls);

/* Makes a session over a connected socket.  `host` is the server's name where server_name does not say another; NULL:
   it has none.  Returns NULL with *error set. */
SSL *tls_session(const struct tls *tls, int descriptor, const char *host, pool_error_t *error);

/* Puts the reason for the failure of the last operation of OpenSSL on this thread into *error: "DOING: REASON".
   `number` is an errno, for failures of the socket.  Returns the code. */
int tls_say(SSL *ssl, int code, int number, const char *doing, pool_error_t *error);

#endif
