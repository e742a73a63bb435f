/* SPDX-License-Identifier: MIT */
#include "tcp/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "support/failure.h"
#include "support/parameters.h"

static int read_reply(struct settings *settings, const struct url *url, pool_error_t *error)
{
  const char *until = url_value(url, "reply_until");
  settings->max_reply_bytes = PARAMETERS_REPLY_BYTES;
  int code = parameters_number(url, "max_reply_bytes", PARAMETERS_REPLY_MOST, &settings->max_reply_bytes, error);
  if (code == 0)
    code = parameters_number(url, "reply_bytes", settings->max_reply_bytes, &settings->reply_bytes, error);
  if (code || !until)
    return code;
  if (*until == 0 || settings->reply_bytes > 0)
    return failure_set(error, POOL_E_INVALID, 0, "%s",
                       *until ? "a reply has reply_bytes=N or ends with reply_until=TEXT, but not both"
                              : "the URL's reply_until is empty; a line ends with reply_until=%0A");
  settings->reply_until = strdup(until);
  return settings->reply_until ? 0 : failure_set(error, POOL_E_NOMEM, 0, "no memory for a URL");
}

/* Sockets have no users and no databases. */
static int refuse_what_is_not_there(const struct url *url, bool is_unix, pool_error_t *error)
{
  if (url->user)
    return failure_set(error, POOL_E_INVALID, 0, "%s:// knows no user and no password", url->scheme);
  if (is_unix && (url->host_count > 0 || url->path[0] != '/'))
    return failure_set(error, POOL_E_INVALID, 0, "the URL of a Unix socket has three slashes: unix:///PATH");
  if (!is_unix && strspn(url->path, "/") != strlen(url->path))
    return failure_set(error, POOL_E_INVALID, 0, "nothing follows the port in %s://HOST:PORT but parameters",
                       url->scheme);
  return 0;
}

static int read_parts(struct settings *settings, const struct url *url, pool_error_t *error)
{
  static const char *const names[] = {TLS_PARAMETERS, "reply_until", "reply_bytes", "max_reply_bytes", NULL};
  bool is_unix = strcmp(url->scheme, "unix") == 0, by_tls = strcmp(url->scheme, "tls") == 0;
  if (!is_unix && !by_tls && strcmp(url->scheme, "tcp") != 0)
    return failure_set(error, POOL_E_INVALID, 0, "an address is tcp://HOST:PORT, tls://HOST:PORT or unix:///PATH");
  int code = parameters_check(url, names, error);
  if (code == 0 && !by_tls && tls_is_asked(url))
    code = failure_set(error, POOL_E_INVALID, 0, "ca, cert, key, verify and server_name are for tls://");
  if (code == 0)
    code = refuse_what_is_not_there(url, is_unix, error);
  if (code == 0)
    code = read_reply(settings, url, error);
  if (code)
    return code;
  return is_unix ? servers_read_path(&settings->servers, url->path, error)
                 : servers_read(&settings->servers, url, NULL, by_tls, error);
}

int settings_read(struct settings **read, const char *text, pool_error_t *error)
{
  struct url url;
  int code = parameters_url(&url, text, error);
  if (code)
    return code;
  struct settings *settings = calloc(1, sizeof *settings);
  code = settings ? read_parts(settings, &url, error) : failure_set(error, POOL_E_NOMEM, 0, "no memory for settings");
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
  free(settings->reply_until);
  free(settings);
}
