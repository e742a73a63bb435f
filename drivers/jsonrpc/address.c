/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <stdint.h>
#include <string.h>

#include "failure.h"

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

static int read_option(struct address *address, const char *text, size_t length, pool_error_t *error)
{
  static const char name[] = "max_reply_bytes=";
  size_t skip = sizeof name - 1;
  if (length < skip || memcmp(text, name, skip) != 0)
    return failure_set(error, POOL_E_INVALID, 0, "unknown option '%.*s'; the only one is max_reply_bytes=N",
                       (int)(length < 60 ? length : 60), text);
  address->limit = read_number(text + skip, length - skip, SIZE_MAX / 4);
  if (address->limit == 0)
    return failure_set(error, POOL_E_INVALID, 0,
                       "max_reply_bytes must be a number from 1, such as max_reply_bytes=1000000");
  return 0;
}

static int read_options(struct address *address, const char *text, pool_error_t *error)
{
  for (;;) {
    size_t length = strcspn(text, "&");
    int code = read_option(address, text, length, error);
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

int address_read(struct address *address, const char *text, pool_error_t *error)
{
  size_t length = strcspn(text, "?");
  address->limit = REPLY_LIMIT;
  int code = text[length] ? read_options(address, text + length + 1, error) : 0;
  if (code)
    return code;
  if (length >= 5 && memcmp(text, "unix:", 5) == 0)
    return read_path(address, text + 5, length - 5, error);
  return text[0] == '[' ? read_bracketed(address, text, length, error) : read_plain(address, text, length, error);
}
