/* SPDX-License-Identifier: MIT */
#include "mysql/options.h"

#include <errno.h>
#include <mysql.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "support/failure.h"
#include "support/parameters.h"

/* Without those that send the password in clear, or ask for one at the terminal: a server chooses among them. */
#define AUTH "mysql_native_password,client_ed25519,caching_sha2_password"

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, ENOMEM, "no memory for the options of connections");
}

/* ---- the parameters ---- */

enum kind { TEXT, FILE_NAME, FLAG, CHOICE, NUMBER };

struct parameter {
  const char *name;
  enum kind kind;
  size_t offset; /* of the member of struct options */
  const char *const *choices;
  uint64_t most; /* of a number */
};

static const char *const resets[] = {"connection", "change_user", "rollback", "none", NULL};
static const char *const ssl_modes[] = {"disabled", "preferred", "required", "verify_ca", "verify_identity", NULL};

#define AT(member) offsetof(struct options, member)

static const struct parameter parameters[] = {
    {"socket", TEXT, AT(socket), NULL, 0},
    {"charset", TEXT, AT(charset), NULL, 0},
    {"reset", CHOICE, AT(reset), resets, 0},
    {"reset_timeout_ms", NUMBER, AT(reset_timeout_ms), NULL, PARAMETERS_RESET_MOST},
    {"init_statement", TEXT, AT(init_statement), NULL, 0},
    {"max_reply_bytes", NUMBER, AT(max_reply_bytes), NULL, UINT64_C(1) << 30},
    {"ssl_mode", CHOICE, AT(ssl), ssl_modes, 0},
    {"ssl_verify", FLAG, AT(ssl_verify), NULL, 0},
    {"ssl_ca", FILE_NAME, AT(ssl_ca), NULL, 0},
    {"ssl_capath", FILE_NAME, AT(ssl_capath), NULL, 0},
    {"ssl_cert", FILE_NAME, AT(ssl_cert), NULL, 0},
    {"ssl_key", FILE_NAME, AT(ssl_key), NULL, 0},
    {"ssl_crl", FILE_NAME, AT(ssl_crl), NULL, 0},
    {"ssl_cipher", TEXT, AT(ssl_cipher), NULL, 0},
    {"tls_version", TEXT, AT(tls_version), NULL, 0},
    {"auth", TEXT, AT(auth), NULL, 0},
    {"program_name", TEXT, AT(program_name), NULL, 0},
    {"compress", FLAG, AT(compress), NULL, 0},
    {"local_infile", FLAG, AT(local_infile), NULL, 0},
    {"multi_statements", FLAG, AT(multi_statements), NULL, 0},
    {"found_rows", FLAG, AT(found_rows), NULL, 0},
};
#define PARAMETERS (sizeof parameters / sizeof *parameters)

/* Puts the names into a text, with commas between. */
static void list(char *to, size_t size, const char *const *names)
{
  *to = 0;
  for (; *names && strlen(to) + strlen(*names) + 3 < size; names++) {
    strcat(to, *to ? ", " : "");
    strcat(to, *names);
  }
}

static int set_choice(const struct parameter *parameter, int *member, const char *value, pool_error_t *error)
{
  char all[128];
  for (int i = 0; parameter->choices[i]; i++)
    if (strcasecmp(parameter->choices[i], value) == 0) {
      *member = i;
      return 0;
    }
  list(all, sizeof all, parameter->choices);
  return failure_set(error, POOL_E_INVALID, 0, "the URL's %s must be one of: %s", parameter->name, all);
}

static int set_flag(const struct parameter *parameter, int *member, const char *value, pool_error_t *error)
{
  static const char *const words[] = {"0", "1", "false", "true", "off", "on", "no", "yes"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcasecmp(words[i], value) == 0) {
      *member = (int)(i % 2);
      return 0;
    }
  return failure_set(error, POOL_E_INVALID, 0, "the URL's %s must be 0 or 1", parameter->name);
}

static int set_text(const struct parameter *parameter, const char **member, const char *value, pool_error_t *error)
{
  if (!*value)
    return failure_set(error, POOL_E_INVALID, 0, "the URL's %s is empty", parameter->name);
  if (parameter->kind == FILE_NAME && access(value, R_OK) != 0)
    return failure_set(error, POOL_E_INVALID, errno, "the URL's %s cannot be read: %s", parameter->name,
                       strerror(errno));
  *member = value;
  return 0;
}

static int set(struct options *options, const struct parameter *parameter, const char *value, pool_error_t *error)
{
  void *member = (char *)options + parameter->offset;
  switch (parameter->kind) {
  case CHOICE:
    return set_choice(parameter, member, value, error);
  case FLAG:
    return set_flag(parameter, member, value, error);
  case NUMBER:
    return parameters_number_of(parameter->name, value, parameter->most, member, error);
  default:
    return set_text(parameter, member, value, error);
  }
}

static int refuse(const char *name, size_t number, pool_error_t *error)
{
  char all[384] = "";
  struct near near = near_begin(name);
  for (size_t i = 0; i < PARAMETERS; i++) {
    near_look(&near, parameters[i].name);
    strcat(strcat(all, i ? ", " : ""), parameters[i].name);
  }
  return parameters_refuse(number, &near, all, error);
}

static int set_parameter(struct options *options, size_t index, pool_error_t *error)
{
  const struct url_parameter *given = &options->url.parameters[index];
  for (size_t i = 0; i < PARAMETERS; i++)
    if (strcmp(parameters[i].name, given->name) == 0) {
      int code = parameters_once(&options->url, index, error);
      return code ? code : set(options, &parameters[i], given->value, error);
    }
  return refuse(given->name, index + 1, error);
}

/* ---- TLS ---- */

static bool has_authorities(const struct options *options)
{
  return options->ssl_ca || options->ssl_capath;
}

static bool has_tls_details(const struct options *options)
{
  return has_authorities(options) || options->ssl_cert || options->ssl_key || options->ssl_crl || options->ssl_cipher ||
         options->tls_version;
}

/* The mode where the URL gives none: as strict as the rest of it makes sense of. */
static int likely_mode(const struct options *options)
{
  if (options->ssl_verify >= 0)
    return options->ssl_verify ? SSL_VERIFY_IDENTITY : SSL_REQUIRED;
  if (has_authorities(options) || options->ssl_crl)
    return SSL_VERIFY_IDENTITY;
  return has_tls_details(options) ? SSL_REQUIRED : SSL_DISABLED;
}

static int settle_tls(struct options *options, pool_error_t *error)
{
  if (options->ssl >= 0 && options->ssl_verify >= 0)
    return failure_set(error, POOL_E_INVALID, 0, "the URL has both ssl_mode and ssl_verify; give one of them");
  if (options->ssl < 0)
    options->ssl = likely_mode(options);
  if (options->ssl == SSL_DISABLED && has_tls_details(options))
    return failure_set(error, POOL_E_INVALID, 0, "the URL's ssl_mode is disabled, but other parameters ask for TLS");
  if (options->ssl == SSL_VERIFY_CA && !has_authorities(options))
    return failure_set(error, POOL_E_INVALID, 0, "the URL's ssl_mode=verify_ca needs ssl_ca or ssl_capath");
  if (options->ssl_key && !options->ssl_cert)
    return failure_set(error, POOL_E_INVALID, 0, "the URL's ssl_key needs ssl_cert");
  return 0;
}

/* ---- the servers ---- */

static int set_socket(struct options *options, pool_error_t *error)
{
  bool elsewhere = options->url.host_count > 1 ||
                   (options->url.host_count == 1 && strcmp(options->url.hosts[0].name, "localhost") != 0);
  if (elsewhere)
    return failure_set(error, POOL_E_INVALID, 0, "the URL has both a host and socket; give one of them");
  if (*options->socket != '/')
    return failure_set(error, POOL_E_INVALID, 0, "the URL's socket must be a path that begins with '/'");
  options->address_count = 1;
  return address_set(&options->addresses[0], options->socket, "", error);
}

static int set_addresses(struct options *options, pool_error_t *error)
{
  const struct url *url = &options->url;
  options->addresses = calloc(url->host_count + 1, sizeof *options->addresses);
  if (!options->addresses)
    return say_no_memory(error);
  if (options->socket)
    return set_socket(options, error);
  if (url->host_count == 0)
    return failure_set(error, POOL_E_INVALID, 0,
                       "the host is missing: mysql://USER@HOST/DATABASE, or mysql:///DATABASE?socket=/PATH");
  options->address_count = url->host_count;
  for (size_t i = 0; i < url->host_count; i++) {
    const char *port = *url->hosts[i].port ? url->hosts[i].port : "3306";
    int code = address_set(&options->addresses[i], url->hosts[i].name, port, error);
    if (code)
      return code;
  }
  return 0;
}

/* ---- the user and the database ---- */

/* Without a user the library takes that of the process when it connects, but none when it changes the user.  So the
   name is found here. */
static int set_user(struct options *options, pool_error_t *error)
{
  char buffer[1024];
  struct passwd entry, *found = NULL;
  const char *user = options->url.user;
  if (!user && getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found) == 0 && found)
    user = found->pw_name;
  if (!user)
    return failure_set(error, POOL_E_INVALID, 0, "the URL has no user, and this process's user has no name");
  options->user = strdup(user);
  return options->user ? 0 : say_no_memory(error);
}

static int set_database(struct options *options, pool_error_t *error)
{
  const char *path = options->url.path;
  path += *path == '/';
  if (strchr(path, '/'))
    return failure_set(error, POOL_E_INVALID, 0, "the URL's path must be the name of one database, without '/'");
  options->database = *path ? path : NULL;
  options->password = options->url.password ? options->url.password : "";
  return 0;
}

static int check_charset(const struct options *options, pool_error_t *error)
{
  if (mariadb_get_charset_by_name(options->charset))
    return 0;
  return failure_set(error, POOL_E_INVALID, 0, "the URL's charset is none that libmariadb knows, such as utf8mb4");
}

/* ---- the whole ---- */

static int read_parts(struct options *options, pool_error_t *error)
{
  int code = 0;
  for (size_t i = 0; i < options->url.parameter_count && code == 0; i++)
    code = set_parameter(options, i, error);
  if (code == 0)
    code = settle_tls(options, error);
  if (code == 0)
    code = set_database(options, error);
  if (code == 0)
    code = set_addresses(options, error);
  if (code == 0)
    code = set_user(options, error);
  return code ? code : check_charset(options, error);
}

int options_read(struct options **options, const char *text, pool_error_t *error)
{
  struct options *made = calloc(1, sizeof *made);
  if (!made)
    return say_no_memory(error);
  atomic_store(&made->references, 1);
  made->charset = "utf8mb4";
  made->auth = AUTH;
  made->reset_timeout_ms = PARAMETERS_RESET_MS;
  made->max_reply_bytes = PARAMETERS_REPLY_BYTES;
  made->ssl = made->ssl_verify = -1;
  int code = parameters_url(&made->url, text, error);
  if (code == 0)
    code = read_parts(made, error);
  if (code)
    options_release(made);
  else
    *options = made;
  return code;
}

void options_release(struct options *options)
{
  if (atomic_fetch_sub(&options->references, 1) > 1)
    return;
  url_free(&options->url);
  free(options->addresses);
  free(options->user);
  free(options);
}
