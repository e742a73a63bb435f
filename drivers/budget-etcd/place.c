/* SPDX-License-Identifier: MIT */
#include "budget-etcd/place.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/failure.h"
#include "support/parameters.h"

#define PORT "2379"

static int check(const struct url *url, bool by_tls, pool_error_t *error)
{
  static const char *const plain[] = {PARAMETERS_BUDGET, NULL};
  static const char *const secure[] = {PARAMETERS_BUDGET, TLS_PARAMETERS, NULL};
  if (*url->path != '/' || !url->path[1] || strchr(url->path + 1, '/'))
    return failure_set(error, POOL_E_INVALID, 0, "the path is the name of the budget: %s://HOST:PORT/NAME?limit=...",
                       url->scheme);
  if (!by_tls && tls_is_asked(url))
    return failure_set(error, POOL_E_INVALID, 0, "parameters of TLS are for etcds://");
  if (url->user && !url->password)
    return failure_set(error, POOL_E_INVALID, 0, "a user needs a password: %s://USER:PASSWORD@HOST:PORT/NAME",
                       url->scheme);
  return parameters_check(url, by_tls ? secure : plain, error);
}

/* The files of TLS are read as every driver reads them, so that a wrong one is refused at once. */
static int read_servers(struct place *place, pool_error_t *error)
{
  int code = servers_read(&place->servers, &place->url, PORT, place->tls, error);
  if (code == 0) {
    tls_free(place->servers.tls);
    place->servers.tls = NULL;
  }
  return code;
}

static int read_url(struct place *place, const char *name, pool_error_t *error)
{
  place->tls = strcmp(place->url.scheme, "etcds") == 0;
  place->user = place->url.user;
  place->password = place->url.password;
  int code = check(&place->url, place->tls, error);
  if (code == 0)
    code = read_servers(place, error);
  if (code == 0 && asprintf(&place->key, "libpool/budget/%s", name) < 0)
    code = failure_set(error, POOL_E_NOMEM, 0, "no memory for the place of a budget");
  return code;
}

int place_read(struct place *place, const pool_budget_place_t *from, pool_error_t *error)
{
  *place = (struct place){.term_ms = from->term_ms, .limit = from->limit};
  int code = parameters_url(&place->url, from->url, error);
  if (code == 0)
    code = read_url(place, from->name, error);
  if (code)
    place_free(place);
  return code;
}

void place_turn(struct place *place)
{
  servers_turn(&place->servers);
}

void place_free(struct place *place)
{
  servers_free(&place->servers);
  url_free(&place->url);
  free(place->key);
  *place = (struct place){0};
}
