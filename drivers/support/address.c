/* SPDX-License-Identifier: MIT */
#include "support/address.h"

#include <string.h>

#include "support/failure.h"

static int set_path(struct address *address, const char *path, pool_error_t *error)
{
  size_t length = strlen(path);
  if (length >= sizeof address->path)
    return failure_set(error, POOL_E_INVALID, 0, "the path of a Unix socket has at most %zu bytes, this one has %zu",
                       sizeof address->path - 1, length);
  address->is_unix = true;
  memcpy(address->path, path, length + 1);
  return 0;
}

int address_set(struct address *address, const char *host, const char *port, pool_error_t *error)
{
  if (*host == '/')
    return set_path(address, host, error);
  if (strlen(host) >= sizeof address->host || strlen(port) >= sizeof address->port)
    return failure_set(error, POOL_E_INVALID, 0, "the host has %zu bytes; at most %zu are possible", strlen(host),
                       sizeof address->host - 1);
  strcpy(address->host, host);
  strcpy(address->port, port);
  return 0;
}
