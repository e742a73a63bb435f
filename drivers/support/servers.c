/* SPDX-License-Identifier: MIT */
#include "support/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/connect.h"
#include "support/deadline.h"
#include "support/failure.h"

static int set_addresses(struct servers *servers, const struct url *url, const char *default_port, pool_error_t *error)
{
  int code = 0;
  for (size_t i = 0; i < url->host_count && code == 0; i++) {
    const struct url_host *host = &url->hosts[i];
    const char *port = *host->port || !default_port ? host->port : default_port;
    if (*host->name != '/' && *port == 0)
      code = failure_set(error, POOL_E_INVALID, 0, "the port is missing: %s://HOST:PORT", url->scheme);
    else
      code = address_set(&servers->addresses[i], host->name, port, error);
  }
  return code;
}

static int make_room(struct servers *servers, size_t count, pool_error_t *error)
{
  servers->addresses = calloc(count, sizeof *servers->addresses);
  servers->count = count;
  return servers->addresses ? 0 : failure_set(error, POOL_E_NOMEM, 0, "no memory for the servers of a URL");
}

int servers_read(struct servers *servers, const struct url *url, const char *default_port, bool by_tls,
                 pool_error_t *error)
{
  *servers = (struct servers){0};
  if (url->host_count == 0)
    return failure_set(error, POOL_E_INVALID, 0, "the host is missing: %s://HOST:PORT", url->scheme);
  int code = make_room(servers, url->host_count, error);
  if (code == 0)
    code = set_addresses(servers, url, default_port, error);
  if (code == 0 && by_tls)
    code = tls_new(&servers->tls, url, error);
  if (code)
    servers_free(servers);
  return code;
}

int servers_read_path(struct servers *servers, const char *path, pool_error_t *error)
{
  *servers = (struct servers){0};
  int code = make_room(servers, 1, error);
  if (code == 0)
    code = address_set(&servers->addresses[0], path, "", error);
  if (code)
    servers_free(servers);
  return code;
}

static int begin_tls(const struct servers *servers, const struct address *address, int64_t deadline_ns,
                     struct wire *wire, pool_error_t *error)
{
  pool_error_t why = POOL_ERROR_INIT;
  int code = wire_begin_tls(wire, servers->tls, address->is_unix ? NULL : address->host, deadline_ns, &why);
  if (code == 0)
    return 0;
  wire_close(wire);
  return failure_set(error, code, why.native, "%.100s%s%s: %.300s", address->is_unix ? address->path : address->host,
                     address->is_unix ? "" : ":", address->port, why.message);
}

static int connect_one(const struct servers *servers, const struct address *address, int64_t deadline_ns,
                       struct wire *wire, pool_error_t *error)
{
  *wire = (struct wire){.descriptor = -1};
  int code = connect_to(address, deadline_ns, &wire->descriptor, error);
  return code || !servers->tls ? code : begin_tls(servers, address, deadline_ns, wire, error);
}

/* Adds why one more server could not be reached.  The whole has passed its deadline if the last one has. */
static void add_reason(pool_error_t *error, const pool_error_t *why)
{
  size_t length = strlen(error->message);
  error->code = why->code;
  error->native = why->native;
  snprintf(error->message + length, sizeof error->message - length, "%s%s", length ? "; " : "", why->message);
}

int servers_connect(const struct servers *servers, int64_t deadline_ns, struct wire *wire, pool_error_t *error)
{
  error->message[0] = 0;
  for (size_t i = 0; i < servers->count; i++) {
    pool_error_t why = POOL_ERROR_INIT;
    int64_t share_ns = deadline_share(deadline_ns, servers->count - i);
    if (connect_one(servers, &servers->addresses[i], share_ns, wire, &why) == 0)
      return 0;
    add_reason(error, &why);
    if (i + 1 < servers->count)
      pool_phase(NULL, why.message);
  }
  return error->code;
}

void servers_turn(struct servers *servers)
{
  struct address first = servers->addresses[0];
  memmove(servers->addresses, servers->addresses + 1, (servers->count - 1) * sizeof first);
  servers->addresses[servers->count - 1] = first;
}

void servers_free(struct servers *servers)
{
  tls_free(servers->tls);
  free(servers->addresses);
  *servers = (struct servers){0};
}
