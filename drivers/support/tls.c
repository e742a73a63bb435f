/* SPDX-License-Identifier: MIT */
#include "support/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "support/failure.h"
#include "support/openssl.h"

enum verify { FULL, AUTHORITY, NOTHING };

struct tls {
  SSL_CTX *context;
  enum verify verify;
  char *server_name; /* NULL: the host's */
};

/* ---- what OpenSSL says ---- */

int tls_say(SSL *ssl, int code, int number, const char *doing, pool_error_t *error)
{
  unsigned long first = ERR_get_error();
  long verified = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;
  const char *reason = first ? ERR_reason_error_string(first) : NULL;
  if (ERR_GET_LIB(first) == ERR_LIB_SYS)
    reason = strerror(ERR_GET_REASON(first)); /* of a file; OpenSSL has no text for it */
  if (ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE)
    code = POOL_E_NOMEM;
  ERR_clear_error();
  if (verified != X509_V_OK && ERR_GET_REASON(first) == SSL_R_CERTIFICATE_VERIFY_FAILED)
    return failure_set(error, code, 0, "%s: %s: %s", doing, reason, X509_verify_cert_error_string(verified));
  if (reason)
    return failure_set(error, code, 0, "%s: %s", doing, reason);
  return failure_set(error, code, number, "%s: %s", doing, number ? strerror(number) : "the other side ended it");
}

/* ---- a socket for OpenSSL: its own one would raise SIGPIPE, and would wait on a socket that blocks ---- */

static int descriptor_of(BIO *bio)
{
  return (int)(intptr_t)BIO_get_data(bio);
}

static int end_of_try(BIO *bio, ssize_t moved, int retry)
{
  BIO_clear_retry_flags(bio);
  if (moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
    BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
  return (int)moved;
}

static int write_some(BIO *bio, const char *data, int size)
{
  ssize_t sent = send(descriptor_of(bio), data, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
  return end_of_try(bio, sent, BIO_FLAGS_WRITE);
}

static int read_some(BIO *bio, char *data, int size)
{
  return end_of_try(bio, recv(descriptor_of(bio), data, (size_t)size, MSG_DONTWAIT), BIO_FLAGS_READ);
}

static long control(BIO *bio, int command, long number, void *pointer)
{
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP;
}

static BIO_METHOD *new_socket(void)
{
  BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
  if (!method)
    return NULL;
  BIO_meth_set_write(method, write_some);
  BIO_meth_set_read(method, read_some);
  BIO_meth_set_ctrl(method, control);
  return method;
}

/* The process has one, for OpenSSL has few numbers for them and takes none back.  NULL without memory. */
static const BIO_METHOD *socket_method(void)
{
  static BIO_METHOD *_Atomic first;
  BIO_METHOD *method = atomic_load(&first), *none = NULL;
  if (method)
    return method;
  method = new_socket();
  if (!method || atomic_compare_exchange_strong(&first, &none, method))
    return method;
  BIO_meth_free(method);
  return none; /* another thread's, which is the first by now */
}

/* ---- parameters ---- */

bool tls_is_asked(const struct url *url)
{
  static const char *const names[] = {TLS_PARAMETERS};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (url_value(url, names[i]))
      return true;
  return false;
}

static int read_verify(struct tls *tls, const char *text, pool_error_t *error)
{
  static const char *const names[] = {"full", "ca", "none"};
  for (int i = 0; text && i < 3; i++) {
    tls->verify = (enum verify)i;
    if (strcmp(text, names[i]) == 0)
      return 0;
  }
  tls->verify = FULL;
  return text ? failure_set(error, POOL_E_INVALID, 0, "the URL's verify must be one of: full, ca, none") : 0;
}

static int load_authorities(SSL_CTX *context, const char *file, pool_error_t *error)
{
  if (file ? SSL_CTX_load_verify_locations(context, file, NULL) == 1 : SSL_CTX_set_default_verify_paths(context) == 1)
    return 0;
  return tls_say(NULL, POOL_E_INVALID, 0, file ? "the file of parameter ca" : "the system's authorities", error);
}

static int load_own(SSL_CTX *context, const char *cert, const char *key, pool_error_t *error)
{
  if (!cert && !key)
    return 0;
  if (!cert)
    return failure_set(error, POOL_E_INVALID, 0, "the URL's key needs cert=FILE, the certificate of the key");
  if (SSL_CTX_use_certificate_chain_file(context, cert) != 1)
    return tls_say(NULL, POOL_E_INVALID, 0, "the file of parameter cert", error);
  if (SSL_CTX_use_PrivateKey_file(context, key ? key : cert, SSL_FILETYPE_PEM) != 1)
    return tls_say(NULL, POOL_E_INVALID, 0, key ? "the file of parameter key" : "the key in the file of parameter cert",
                   error);
  return 0;
}

/* OpenSSL's own would ask at the terminal. */
static int no_password(char *buffer, int size, int writing, void *user)
{
  (void)buffer, (void)size, (void)writing, (void)user;
  return -1;
}

static int configure(struct tls *tls, const struct url *url, pool_error_t *error)
{
  const char *name = url_value(url, "server_name");
  tls->context = SSL_CTX_new(TLS_client_method());
  tls->server_name = name ? strdup(name) : NULL;
  if (!tls->context || !socket_method() || (name && !tls->server_name))
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for TLS");
  SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
  SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_clear_mode(tls->context, SSL_MODE_AUTO_RETRY); /* a read ends with each message of TLS itself */
  SSL_CTX_set_default_passwd_cb(tls->context, no_password);
  int code = read_verify(tls, url_value(url, "verify"), error);
  if (code == 0 && tls->verify != NOTHING)
    code = load_authorities(tls->context, url_value(url, "ca"), error);
  if (code == 0)
    code = load_own(tls->context, url_value(url, "cert"), url_value(url, "key"), error);
  SSL_CTX_set_verify(tls->context, tls->verify == NOTHING ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
  return code;
}

int tls_new(struct tls **made, const struct url *url, pool_error_t *error)
{
  openssl_outlive_exit();
  ERR_clear_error();
  struct tls *tls = calloc(1, sizeof *tls);
  int code = tls ? configure(tls, url, error) : failure_set(error, POOL_E_NOMEM, 0, "no memory for TLS");
  if (code)
    tls_free(tls);
  else
    *made = tls;
  return code;
}

void tls_free(struct tls *tls)
{
  if (!tls)
    return;
  SSL_CTX_free(tls->context);
  free(tls->server_name);
  free(tls);
}

/* ---- a session ---- */

static bool is_address(const char *name)
{
  unsigned char bytes[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* An address in digits stands in certificates in another place than a name, and is never asked for. */
static bool expect(SSL *ssl, const char *name, enum verify verify)
{
  bool digits = is_address(name);
  if (!digits && SSL_set_tlsext_host_name(ssl, name) != 1)
    return false;
  if (verify != FULL)
    return true;
  return digits ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1 : SSL_set1_host(ssl, name) == 1;
}

SSL *tls_session(const struct tls *tls, int descriptor, const char *host, pool_error_t *error)
{
  const char *name = tls->server_name ? tls->server_name : host;
  if (!name && tls->verify == FULL) {
    failure_set(error, POOL_E_INVALID, 0,
                "a Unix socket has no name to verify: server_name=NAME, verify=ca or "
                "verify=none is needed");
    return NULL;
  }
  ERR_clear_error();
  SSL *ssl = SSL_new(tls->context);
  BIO *bio = ssl ? BIO_new(socket_method()) : NULL;
  if (!bio || (name && !expect(ssl, name, tls->verify))) {
    tls_say(NULL, bio ? POOL_E_OPEN : POOL_E_NOMEM, 0, "making a TLS session", error);
    BIO_free(bio);
    SSL_free(ssl);
    return NULL;
  }
  BIO_set_data(bio, (void *)(intptr_t)descriptor);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_connect_state(ssl);
  return ssl;
}
