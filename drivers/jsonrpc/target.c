/* SPDX-License-Identifier: MIT */
#include "jsonrpc/target.h"

#include <stdint.h>
#include <string.h>

#include "base/url.h"
#include "support/failure.h"

#define REPLY_LIMIT ((size_t)64 * 1024 * 1024)

static int say_address(pool_error_t *error, const char *problem)
{
  return failure_set(error, POOL_E_INVALID, 0, "%s; an address is HOST:PORT, [IPV6]:PORT or unix:/PATH", problem);
}

/* A decimal number from 1 to `most`.  0: the text is none. */
static size_t read_number(const char *text, size_t length, size_t most)
{
  size_t number = 0;
  for (size_t i = 0; i < length; i++) {
    if (text[i] < '0' || text[i] > '9')
      return 0;
    size_t digit = (size_t)(text[i] - '0');
    if (number > (most - digit) / 10)
      return 0;
    number = number * 10 + digit;
  }
  return number;
}

static int set_option(struct target *target, const char *name, const char *value, pool_error_t *error)
{
  if (strcmp(name, "max_reply_bytes") != 0)
    return failure_set(error, POOL_E_INVALID, 0, "unknown option '%.60s'; the only one is max_reply_bytes=N", name);
  if (target->limit > 0)
    return failure_set(error, POOL_E_INVALID, 0, "the URL sets %s twice", name);
  target->limit = read_number(value, strlen(value), SIZE_MAX / 4);
  if (target->limit == 0)
    return failure_set(error, POOL_E_INVALID, 0,
                       "max_reply_bytes must be a number from 1, such as max_reply_bytes=1000000");
  return 0;
}

/* ---- HOST:PORT, [IPV6]:PORT or unix:/PATH ---- */

static int read_option(struct target *target, const char *text, size_t length, pool_error_t *error)
{
  char option[64];
  if (length >= sizeof option)
    return failure_set(error, POOL_E_INVALID, 0, "unknown option '%.60s'; the only one is max_reply_bytes=N", text);
  memcpy(option, text, length);
  option[length] = 0;
  char *value = option + strcspn(option, "=");
  if (*value)
    *value++ = 0;
  return set_option(target, option, value, error);
}

static int read_options(struct target *target, const char *text, pool_error_t *error)
{
  for (;;) {
    size_t length = strcspn(text, "&");
    int code = read_option(target, text, length, error);
    if (code || text[length] == 0)
      return code;
    text += length + 1;
  }
}

static int read_path(struct address *address, const char *text, size_t length, pool_error_t *error)
{
  if (length == 0 || text[0] != '/')
    return say_address(error, "the path of a Unix socket begins with '/'");
  if (length >= sizeof address->path)
    return failure_set(error, POOL_E_INVALID, 0, "the path of a Unix socket has at most %zu bytes, this one has %zu",
                       sizeof address->path - 1, length);
  address->is_unix = true;
  memcpy(address->path, text, length);
  return 0;
}

static int read_host_and_port(struct address *address, const char *host, size_t host_length, const char *port,
                              size_t port_length, pool_error_t *error)
{
  if (host_length == 0)
    return say_address(error, "the host is empty");
  if (host_length >= sizeof address->host)
    return say_address(error, "the host is too long");
  if (read_number(port, port_length, 65535) == 0 || port_length >= sizeof address->port)
    return say_address(error, "the port must be a number from 1 to 65535");
  memcpy(address->host, host, host_length);
  memcpy(address->port, port, port_length);
  return 0;
}

static int read_bracketed(struct address *address, const char *text, size_t length, pool_error_t *error)
{
  const char *close_bracket = memchr(text, ']', length);
  size_t host_length = close_bracket ? (size_t)(close_bracket - text) - 1 : 0;
  if (!close_bracket || host_length + 3 > length || close_bracket[1] != ':')
    return say_address(error, "'[' must be followed by an IPv6 address, ']:' and a port");
  if (!memchr(text + 1, ':', host_length))
    return say_address(error, "what stands in brackets is not an IPv6 address");
  return read_host_and_port(address, text + 1, host_length, close_bracket + 2, length - host_length - 3, error);
}

static int read_plain(struct address *address, const char *text, size_t length, pool_error_t *error)
{
  const char *colon = memchr(text, ':', length);
  if (!colon)
    return say_address(error, "the port is missing");
  size_t host_length = (size_t)(colon - text);
  const char *port = colon + 1;
  size_t port_length = length - host_length - 1;
  if (memchr(port, ':', port_length))
    return say_address(error, "there is more than one ':'; an IPv6 address stands in brackets");
  return read_host_and_port(address, text, host_length, port, port_length, error);
}

static int read_notation(struct target *target, const char *text, pool_error_t *error)
{
  size_t length = strcspn(text, "?");
  struct address *address = &target->address;
  int code = text[length] ? read_options(target, text + length + 1, error) : 0;
  if (code)
    return code;
  if (length >= 5 && memcmp(text, "unix:", 5) == 0)
    return read_path(address, text + 5, length - 5, error);
  return text[0] == '[' ? read_bracketed(address, text, length, error) : read_plain(address, text, length, error);
}

/* ---- a URL ---- */

static int read_url_parts(struct target *target, const struct url *url, pool_error_t *error)
{
  if (url->user || url->host_count != 1 || strspn(url->path, "/") != strlen(url->path))
    return failure_set(error, POOL_E_INVALID, 0, "the URL of a server is jsonrpc://HOST:PORT or jsonrpc://%%2FPATH");
  if (*url->hosts[0].port == 0 && *url->hosts[0].name != '/')
    return say_address(error, "the port is missing");
  for (size_t i = 0; i < url->parameter_count; i++) {
    int code = set_option(target, url->parameters[i].name, url->parameters[i].value, error);
    if (code)
      return code;
  }
  return address_set(&target->address, url->hosts[0].name, url->hosts[0].port, error);
}

static int read_url(struct target *target, const char *text, pool_error_t *error)
{
  struct url url;
  const char *problem = url_read(&url, text);
  if (problem)
    return failure_set(error, problem == url_no_memory ? POOL_E_NOMEM : POOL_E_INVALID, 0, "%s", problem);
  int code = read_url_parts(target, &url, error);
  url_free(&url);
  return code;
}

int target_read(struct target *target, const char *text, pool_error_t *error)
{
  int code = strncmp(text, "jsonrpc://", 10) == 0 ? read_url(target, text, error) : read_notation(target, text, error);
  if (target->limit == 0)
    target->limit = REPLY_LIMIT;
  return code;
}
