/* SPDX-License-Identifier: MIT */
#include "redis/settings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "support/failure.h"
#include "support/parameters.h"

#define DEFAULT_HOST "localhost"
#define DEFAULT_PORT "6379"

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, 0, "%s", url_no_memory);
}

/* False without memory.  "" counts as nothing. */
static bool copy(char **to, const char *text)
{
  *to = text && *text ? strdup(text) : NULL;
  return !text || !*text || *to;
}

static int read_login(struct settings *settings, const struct url *url, pool_error_t *error)
{
  if (url->user && *url->user && (!url->password || !*url->password))
    return failure_set(error, POOL_E_INVALID, 0,
                       "a user needs a password: %s://USER:PASSWORD@HOST, or "
                       "%s://:PASSWORD@HOST for the default user",
                       url->scheme, url->scheme);
  return copy(&settings->user, url->user) && copy(&settings->password, url->password) ? 0 : say_no_memory(error);
}

static int read_database(struct settings *settings, const char *path, pool_error_t *error)
{
  path += *path == '/';
  size_t length = strlen(path);
  if (length > 9 || strspn(path, "0123456789") != length)
    return failure_set(error, POOL_E_INVALID, 0,
                       "the path of the URL is the number of a database, /0 for example; a Unix socket stands in the "
                       "place of the host, with %%2F for '/': redis://%%2Frun%%2Fredis.sock/0");
  strcpy(settings->database, length ? path : "0");
  return 0;
}

/* The server takes no spaces and no control characters in it. */
static int read_client_name(struct settings *settings, const char *name, pool_error_t *error)
{
  for (const char *c = name; c && *c; c++)
    if (*c <= ' ' || *c > '~')
      return failure_set(error, POOL_E_INVALID, 0,
                         "the URL's client_name has a space or a character that is not ASCII");
  return copy(&settings->client_name, name) ? 0 : say_no_memory(error);
}

static int read_numbers(struct settings *settings, const struct url *url, pool_error_t *error)
{
  uint64_t timeout_ms = PARAMETERS_RESET_MS;
  settings->max_reply_bytes = PARAMETERS_REPLY_BYTES;
  int code = parameters_number(url, "max_reply_bytes", PARAMETERS_REPLY_MOST, &settings->max_reply_bytes, error);
  if (code == 0)
    code = parameters_number(url, "reset_timeout_ms", PARAMETERS_RESET_MOST, &timeout_ms, error);
  settings->reset_timeout_ns = (int64_t)timeout_ms * 1000000;
  return code;
}

static int read_servers(struct settings *settings, const struct url *url, bool by_tls, pool_error_t *error)
{
  struct url_host local = {DEFAULT_HOST, DEFAULT_PORT};
  struct url with_host = *url;
  if (url->host_count == 0) {
    with_host.hosts = &local;
    with_host.host_count = 1;
  }
  return servers_read(&settings->servers, &with_host, DEFAULT_PORT, by_tls, error);
}

static int read_parts(struct settings *settings, const struct url *url, pool_error_t *error)
{
  static const char *const names[] = {TLS_PARAMETERS, "client_name", "max_reply_bytes", "reset_timeout_ms", NULL};
  bool by_tls = strcmp(url->scheme, "rediss") == 0;
  if (!by_tls && strcmp(url->scheme, "redis") != 0)
    return failure_set(error, POOL_E_INVALID, 0, "an address is redis://HOST:PORT/DATABASE, or rediss:// for TLS");
  int code = parameters_check(url, names, error);
  if (code == 0 && !by_tls && tls_is_asked(url))
    code = failure_set(error, POOL_E_INVALID, 0, "ca, cert, key, verify and server_name are for rediss://");
  if (code == 0)
    code = read_login(settings, url, error);
  if (code == 0)
    code = read_database(settings, url->path, error);
  if (code == 0)
    code = read_client_name(settings, url_value(url, "client_name"), error);
  if (code == 0)
    code = read_numbers(settings, url, error);
  return code ? code : read_servers(settings, url, by_tls, error);
}

int settings_read(struct settings **read, const char *text, pool_error_t *error)
{
  struct url url;
  int code = parameters_url(&url, text, error);
  if (code)
    return code;
  struct settings *settings = calloc(1, sizeof *settings);
  code = settings ? read_parts(settings, &url, error) : say_no_memory(error);
  url_free(&url);
  if (code)
    settings_free(settings);
  else
    *read = settings;
  return code;
}

void settings_free(struct settings *settings)
{
  if (!settings)
    return;
  servers_free(&settings->servers);
  if (settings->password)
    explicit_bzero(settings->password, strlen(settings->password));
  free(settings->password);
  free(settings->user);
  free(settings->client_name);
  free(settings);
}
