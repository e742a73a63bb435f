/* SPDX-License-Identifier: MIT */
/* Pools by URL: `pool.NAME` is a setting of the pool, and the rest is the driver's. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/driver.h"
#include "api/scheme.h"
#include "api/settings.h"
#include "base/error.h"
#include "base/sized.h"
#include "base/thread.h"
#include "base/url.h"

#define PREFIX      "pool."
#define DESCRIPTION "description" /* the parameter that names the file of a description */

/* ---- settings ---- */

static int set_setting(pool_config_t *config, const struct url *url, size_t index, pool_error_t *error)
{
  const struct url_parameter *parameter = &url->parameters[index];
  size_t skip = sizeof PREFIX - 1;
  if (strncmp(parameter->name, PREFIX, skip) != 0)
    return 0;
  int code = pool_config_set(config, parameter->name + skip, parameter->value, error);
  if (code == 0 && url_is_repeated(url, index))
    code = error_set(error, POOL_E_INVALID, 0, "the URL sets %s twice", parameter->name);
  return code;
}

static int set_settings(pool_config_t *config, const struct url *url, pool_error_t *error)
{
  int code = 0;
  for (size_t i = 0; i < url->parameter_count && code == 0; i++)
    code = set_setting(config, url, i, error);
  return code;
}

/* ---- the address for the driver ---- */

/* What append_encoded() appends at most. */
static size_t encoded_size(const char *text)
{
  return 3 * strlen(text);
}

/* Appends a text with '%' and two digits for each byte that is more than a letter or digit of a path. */
static void append_encoded(char *to, const char *text)
{
  to += strlen(to);
  for (; *text; text++)
    if (strchr("/-._", *text) || (*text >= '0' && *text <= '9') || ((*text | 32) >= 'a' && (*text | 32) <= 'z'))
      *to++ = *text;
    else
      to += sprintf(to, "%%%02X", (unsigned char)*text);
  *to = 0;
}

/* The URL without the settings; with the description, where the driver is made of one.  NULL without memory. */
static char *address_of(const struct url *url, const char *text, const char *description)
{
  size_t room = description ? sizeof "&" DESCRIPTION "=" + encoded_size(description) : 0;
  char *address = url_without(url, text, PREFIX, room);
  if (!address || !description)
    return address;
  strcat(address, strchr(address, '?') ? "&" DESCRIPTION "=" : "?" DESCRIPTION "=");
  append_encoded(address, description);
  return address;
}

static int prepare_scheme(const struct scheme *scheme, const struct url *url, const char *text, pool_vtable_t *vtable,
                          void **context, pool_error_t *error)
{
  char *address = address_of(url, text, scheme->description);
  if (!address)
    return error_set(error, POOL_E_NOMEM, 0, "%s", url_no_memory);
  int code = driver_prepare(&scheme->driver, scheme->name, address, vtable, context, error);
  explicit_bzero(address, strlen(address));
  free(address);
  return code;
}

static int prepare_driver(const struct url *url, const char *text, pool_vtable_t *vtable, void **context,
                          pool_error_t *error)
{
  struct scheme scheme = {0};
  struct search *search = malloc(sizeof *search);
  if (!search)
    return error_set(error, POOL_E_NOMEM, 0, "no memory to look for a driver");
  search->tried[0] = 0;
  int code = url_value(url, DESCRIPTION) ? scheme_foreign(&scheme, search, error)
                                         : scheme_find(&scheme, search, url->scheme, error);
  free(search);
  if (code == 0)
    code = prepare_scheme(&scheme, url, text, vtable, context, error);
  free(scheme.description);
  return code;
}

/* ---- a budget ---- */

/* A text that a caller's settings point to without owning it. */
struct kept {
  struct kept *next;
  char text[];
};

/* Grows at its head alone, and by two where two threads come with the same text at one time. */
static struct kept *_Atomic kept_texts;

/* The same text, for as long as the process lives; NULL: without memory. */
static const char *keep(const char *text)
{
  struct kept *first = atomic_load(&kept_texts);
  for (struct kept *kept = first; kept; kept = kept->next)
    if (strcmp(kept->text, text) == 0)
      return kept->text;
  size_t size = strlen(text) + 1;
  struct kept *kept = malloc(sizeof *kept + size);
  if (!kept)
    return NULL;
  memcpy(kept->text, text, size);
  for (kept->next = first; !atomic_compare_exchange_weak(&kept_texts, &kept->next, kept);)
    ;
  return kept->text;
}

/* The settings outlive the URL that they are taken from. */
static int keep_budget(pool_config_t *config, const struct url *url, pool_error_t *error)
{
  if (!url_value(url, PREFIX "budget") || !config->budget)
    return 0;
  config->budget = keep(config->budget);
  return config->budget ? 0 : error_set(error, POOL_E_NOMEM, 0, "%s", url_no_memory);
}

/* ---- the whole ---- */

static int read_url(struct url *url, const char *text, pool_error_t *error)
{
  if (!text)
    return error_set(error, POOL_E_INVALID, 0, "url is NULL");
  const char *problem = url_read(url, text);
  return problem ? error_set(error, problem == url_no_memory ? POOL_E_NOMEM : POOL_E_INVALID, 0, "%s", problem) : 0;
}

static int prepare(const struct url *url, const char *text, pool_config_t *config, pool_vtable_t *vtable,
                   void **context, pool_error_t *error)
{
  int cancel_state = cancel_hold();
  int code = set_settings(config, url, error);
  if (code == 0)
    code = pool_config_check(config, error);
  if (code == 0)
    code = prepare_driver(url, text, vtable, context, error);
  cancel_release(cancel_state);
  return code;
}

int pool_url_prepare(const char *text, pool_config_t *config, pool_vtable_t *vtable, void **context,
                     pool_error_t *error)
{
  struct url url;
  pool_config_t all = POOL_CONFIG_INIT;
  pool_vtable_t filled = POOL_VTABLE_INIT;
  void *made = NULL;
  if (!vtable || !context)
    return error_set(error, POOL_E_INVALID, 0, "%s is NULL", vtable ? "context" : "vtable");
  int code = sized_check(vtable->size, VTABLE_SIZES);
  if (code)
    return error_set(error, code, 0, "pool_vtable_t: %s", pool_strerror(code));
  code = config_read(&all, config, error);
  if (code == 0)
    code = read_url(&url, text, error);
  if (code)
    return config_refuse(config, code, error);
  const char *name = all.name;
  if (config && config->size < sizeof all)
    all.size = config->size; /* a setting that the caller has no room for is refused */
  code = prepare(&url, text, &all, &filled, &made, error);
  if (code == 0 && (code = keep_budget(&all, &url, error)) && filled.release)
    filled.release(made);
  if (code)
    config_refuse(&all, code, error);
  all.name = name; /* that of the URL ends with it */
  url_free(&url);
  if (code)
    return code;
  sized_write(vtable, &filled, VTABLE_SIZES);
  *context = made;
  if (config)
    sized_write(config, &all, CONFIG_SIZES);
  return 0;
}

static int open_url(const pool_config_t *config, const struct url *url, const char *text, pool_t **pool,
                    pool_error_t *error)
{
  pool_config_t all = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  void *context = NULL;
  int code = config_read(&all, config, error);
  if (code)
    return config_refuse(config, code, error);
  if (!all.name)
    all.name = url->scheme;
  code = prepare(url, text, &all, &vtable, &context, error);
  return code ? config_refuse(&all, code, error) : driver_create(&all, &vtable, context, pool, error);
}

int pool_open_with(const pool_config_t *config, const char *text, pool_t **pool, pool_error_t *error)
{
  struct url url;
  if (!pool)
    return error_set(error, POOL_E_INVALID, 0, "pool is NULL");
  int code = read_url(&url, text, error);
  if (code)
    return config_refuse(config, code, error);
  code = open_url(config, &url, text, pool, error);
  url_free(&url);
  return code;
}

int pool_open(const char *text, pool_t **pool, pool_error_t *error)
{
  return pool_open_with(NULL, text, pool, error);
}
