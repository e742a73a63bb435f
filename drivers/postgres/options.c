/* SPDX-License-Identifier: MIT */
#include "postgres/options.h"

#include <errno.h>
#include <libpq-fe.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "support/failure.h"
#include "support/parameters.h"

#define MS_NS INT64_C(1000000)

static const char *const own_names[] = {"reset", "reset_statement", "reset_timeout_ms", "max_reply_bytes"};
#define OWN_NAMES (sizeof own_names / sizeof *own_names)

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, ENOMEM, "no memory for the options of connections");
}

/* ---- the list of libpq's options ---- */

static void wipe(char *text)
{
  if (text)
    explicit_bzero(text, strlen(text));
  free(text);
}

/* Sets an option, or changes it.  The keyword lives as long as the options.  False without memory. */
static bool set(struct options *options, const char *keyword, const char *value)
{
  char *copy = strdup(value);
  size_t i = 0;
  while (i < options->count && strcmp(options->keywords[i], keyword) != 0)
    i++;
  if (i == options->count)
    options->keywords[options->count++] = keyword;
  wipe(options->values[i]);
  options->values[i] = copy;
  return copy != NULL;
}

/* ---- the hosts, user and database of the URL ---- */

static const char *name_of(const struct url_host *host)
{
  return host->name;
}

static const char *port_of(const struct url_host *host)
{
  return host->port;
}

/* Sets an option to one part of all hosts, with commas between. */
static bool set_list(struct options *options, const struct url *url, const char *keyword,
                     const char *(*part)(const struct url_host *host))
{
  size_t size = 1;
  for (size_t i = 0; i < url->host_count; i++)
    size += strlen(part(&url->hosts[i])) + 1;
  char *list = calloc(1, size), *at = list;
  for (size_t i = 0; list && i < url->host_count; i++)
    at = stpcpy(stpcpy(at, i ? "," : ""), part(&url->hosts[i]));
  bool done = list && set(options, keyword, list);
  free(list);
  return done;
}

static bool set_hosts(struct options *options, const struct url *url)
{
  bool has_port = false;
  for (size_t i = 0; i < url->host_count; i++)
    has_port |= *url->hosts[i].port != 0;
  return (url->host_count == 0 || set_list(options, url, "host", name_of)) &&
         (!has_port || set_list(options, url, "port", port_of));
}

static bool set_authority(struct options *options, const struct url *url)
{
  const char *database = url->path[0] == '/' ? url->path + 1 : url->path;
  return (!url->user || set(options, "user", url->user)) &&
         (!url->password || set(options, "password", url->password)) &&
         (!*database || set(options, "dbname", database)) && set_hosts(options, url);
}

/* ---- the driver's own parameters ---- */

/* A number from `least` on.  -1: the text is none. */
static int64_t number_of(const char *text, int64_t least, int64_t most)
{
  char *end;
  errno = 0;
  long long number = strtoll(text, &end, 10);
  bool good = *text >= '0' && *text <= '9' && !*end && errno == 0 && number >= least && number <= most;
  return good ? number : -1;
}

static int set_reset(struct options *options, const char *value, pool_error_t *error)
{
  if (strcmp(value, "rollback") != 0 && strcmp(value, "discard") != 0)
    return failure_set(error, POOL_E_INVALID, 0, "the URL's reset must be one of: rollback, discard");
  options->reset = *value == 'd' ? DISCARD : ROLLBACK;
  return 0;
}

static int set_statement(struct options *options, const char *value, pool_error_t *error)
{
  if (!*value)
    return failure_set(error, POOL_E_INVALID, 0, "the URL's reset_statement is empty");
  free(options->reset_statement);
  options->reset_statement = strdup(value);
  return options->reset_statement ? 0 : say_no_memory(error);
}

static int set_timeout(struct options *options, const char *name, const char *value, pool_error_t *error)
{
  uint64_t timeout_ms = 0;
  int code = parameters_number_of(name, value, PARAMETERS_RESET_MOST, &timeout_ms, error);
  options->reset_ns = (int64_t)timeout_ms * MS_NS;
  return code;
}

static int set_own(struct options *options, const char *name, const char *value, pool_error_t *error)
{
  if (strcmp(name, "reset") == 0)
    return set_reset(options, value, error);
  if (strcmp(name, "reset_statement") == 0)
    return set_statement(options, value, error);
  if (strcmp(name, "reset_timeout_ms") == 0)
    return set_timeout(options, name, value, error);
  return parameters_number_of(name, value, PARAMETERS_REPLY_MOST, &options->max_reply_bytes, error);
}

/* ---- the parameters of the URL ---- */

static bool is_own(const char *name)
{
  for (size_t i = 0; i < OWN_NAMES; i++)
    if (strcmp(own_names[i], name) == 0)
      return true;
  return false;
}

/* The name as libpq writes it and keeps it.  NULL: it has no such option. */
static const char *keyword_of(const PQconninfoOption *known, const char *name)
{
  for (; known->keyword; known++)
    if (strcmp(known->keyword, name) == 0)
      return known->keyword;
  return NULL;
}

static int refuse(const PQconninfoOption *known, const char *name, size_t number, pool_error_t *error)
{
  struct near near = near_begin(name);
  for (; known->keyword; known++)
    near_look(&near, known->keyword);
  for (size_t i = 0; i < OWN_NAMES; i++)
    near_look(&near, own_names[i]);
  return parameters_refuse(
      number, &near, "libpq's connection options, reset, reset_statement, reset_timeout_ms and max_reply_bytes", error);
}

static int set_parameter(struct options *options, const PQconninfoOption *known, const struct url *url, size_t i,
                         pool_error_t *error)
{
  const char *name = url->parameters[i].name, *value = url->parameters[i].value;
  bool own = is_own(name);
  if (!own && strcmp(name, "ssl") == 0 && strcmp(value, "true") == 0) { /* as libpq reads URLs of JDBC */
    name = "sslmode";
    value = "require";
  }
  const char *keyword = own ? name : keyword_of(known, name);
  if (!keyword)
    return refuse(known, name, i + 1, error);
  int code = parameters_once(url, i, error);
  if (code)
    return code;
  if (own)
    return set_own(options, name, value, error);
  return set(options, keyword, value) ? 0 : say_no_memory(error);
}

static int set_parameters(struct options *options, const PQconninfoOption *known, const struct url *url,
                          pool_error_t *error)
{
  if (!set_authority(options, url))
    return say_no_memory(error);
  for (size_t i = 0; i < url->parameter_count; i++) {
    int code = set_parameter(options, known, url, i, error);
    if (code)
      return code;
  }
  return 0;
}

/* ---- what libpq says of the values ---- */

/* Tries to connect with one option.  The port is wrong, so libpq refuses before it looks up or connects to anything. */
static PGconn *refused(const char *keyword, const char *value)
{
  const char *keywords[] = {"host", "port", keyword, NULL};
  const char *values[] = {"/", "0", value, NULL};
  return PQconnectStartParams(keywords, values, 0);
}

/* Whether libpq takes the value: then the port is the first that it finds wrong. */
static bool takes(const char *keyword, const char *value)
{
  PGconn *reference = refused(NULL, NULL), *tried = refused(keyword, value);
  const char *expected = PQerrorMessage(reference);
  bool same = reference && tried && strncmp(PQerrorMessage(tried), expected, strcspn(expected, "\n")) == 0;
  PQfinish(tried);
  PQfinish(reference);
  return same;
}

static bool is_number(const char *keyword)
{
  static const char *const numbers[] = {"connect_timeout",     "keepalives",       "keepalives_idle",
                                        "keepalives_interval", "keepalives_count", "tcp_user_timeout"};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    if (strcmp(numbers[i], keyword) == 0)
      return true;
  return false;
}

static int check_values(const struct options *options, pool_error_t *error)
{
  static const char lists[] = "host hostaddr port password"; /* looked at elsewhere, or of any value */
  for (size_t i = 0; i < options->count; i++) {
    const char *keyword = options->keywords[i], *value = options->values[i];
    if (strstr(lists, keyword))
      continue;
    if (is_number(keyword) ? number_of(value, 0, INT_MAX) < 0 : !takes(keyword, value))
      return failure_set(error, POOL_E_INVALID, 0, "the URL's %s has a value that libpq does not take", keyword);
  }
  return 0;
}

/* ---- the servers ---- */

static size_t count_of(const char *list)
{
  size_t count = 1;
  for (; *list; list++)
    count += *list == ',';
  return count;
}

/* The element of a list with commas; of a list with one element each time that one, where `same` says so. */
static char *element(const char *list, size_t number, bool same)
{
  if (same && count_of(list) == 1)
    number = 0;
  while (number-- > 0)
    list += strcspn(list, ",") + 1;
  return strndup(list, strcspn(list, ","));
}

static bool is_port(const char *port)
{
  return !*port || number_of(port, 1, 65535) > 0;
}

static int split(struct options *options, const char *hosts, const char *addresses, const char *ports,
                 pool_error_t *error)
{
  size_t count = count_of(*addresses ? addresses : hosts), port_count = count_of(ports);
  if (*addresses && *hosts && count_of(hosts) != count)
    return failure_set(error, POOL_E_INVALID, 0, "there are %zu in host, but %zu in hostaddr", count_of(hosts), count);
  if (port_count != 1 && port_count != count)
    return failure_set(error, POOL_E_INVALID, 0, "there are %zu ports for %zu hosts", port_count, count);
  options->servers = calloc(count, sizeof *options->servers);
  if (!options->servers)
    return say_no_memory(error);
  options->server_count = count;
  for (size_t i = 0; i < count; i++) {
    struct options_server *server = &options->servers[i];
    server->host = element(hosts, *hosts ? i : 0, false);
    server->address = element(addresses, *addresses ? i : 0, false);
    server->port = element(ports, i, true);
    if (!server->host || !server->address || !server->port)
      return say_no_memory(error);
    if (!is_port(server->port))
      return failure_set(error, POOL_E_INVALID, 0, "port %zu is not a number from 1 to 65535", i + 1);
  }
  return 0;
}

static const char *effective(const PQconninfoOption *all, const char *keyword)
{
  for (; all->keyword; all++)
    if (strcmp(all->keyword, keyword) == 0)
      return all->val ? all->val : "";
  return "";
}

static int take_effective(struct options *options, const PQconninfoOption *all, pool_error_t *error)
{
  int64_t timeout_s = number_of(effective(all, "connect_timeout"), 1, INT_MAX);
  options->server_ns = timeout_s > 0 ? timeout_s * 1000 * MS_NS : 0;
  options->standby_first = strcmp(effective(all, "target_session_attrs"), "prefer-standby") == 0;
  if (!*effective(all, "client_encoding") && !set(options, "client_encoding", "UTF8"))
    return say_no_memory(error);
  return split(options, effective(all, "host"), effective(all, "hostaddr"), effective(all, "port"), error);
}

/* Has libpq put together all that it would use.  The wrong option is the last, and so keeps it from connecting. */
static int find_servers(struct options *options, pool_error_t *error)
{
  size_t count = options->count;
  options->keywords[count] = "channel_binding";
  options->values[count] = (char *)"?";
  PGconn *conn = PQconnectStartParams(options->keywords, (const char *const *)options->values, 0);
  options->keywords[count] = NULL;
  options->values[count] = NULL;
  PQconninfoOption *all = conn ? PQconninfo(conn) : NULL;
  int code = all ? take_effective(options, all, error) : say_no_memory(error);
  PQconninfoFree(all);
  PQfinish(conn);
  return code;
}

/* ---- the whole ---- */

static struct options *options_new(size_t known)
{
  struct options *options = calloc(1, sizeof *options);
  if (!options)
    return NULL;
  options->keywords = calloc(known + OPTIONS_SPARE + 1, sizeof *options->keywords);
  options->values = calloc(known + OPTIONS_SPARE + 1, sizeof *options->values);
  options->reset_ns = (int64_t)PARAMETERS_RESET_MS * MS_NS;
  options->max_reply_bytes = PARAMETERS_REPLY_BYTES;
  return options;
}

void options_free(struct options *options)
{
  if (!options)
    return;
  for (size_t i = 0; options->values && i < options->count; i++)
    wipe(options->values[i]);
  for (size_t i = 0; i < options->server_count; i++) {
    free(options->servers[i].host);
    free(options->servers[i].address);
    free(options->servers[i].port);
  }
  free(options->servers);
  free(options->reset_statement);
  free(options->values);
  free(options->keywords);
  free(options);
}

static int read_known(struct options *options, const PQconninfoOption *known, const struct url *url,
                      pool_error_t *error)
{
  if (!options || !options->keywords || !options->values)
    return say_no_memory(error);
  int code = set_parameters(options, known, url, error);
  if (code == 0)
    code = check_values(options, error);
  if (code == 0)
    code = find_servers(options, error);
  if (options->reset_statement)
    options->reset = STATEMENT;
  return code;
}

/* The names of libpq's options are texts of libpq, which stay. */
int options_read(struct options **options, const char *text, pool_error_t *error)
{
  struct url url;
  int code = parameters_url(&url, text, error);
  if (code)
    return code;
  PQconninfoOption *known = PQconninfoParse("", NULL);
  size_t count = 0;
  while (known && known[count].keyword)
    count++;
  struct options *made = known ? options_new(count) : NULL;
  code = known ? read_known(made, known, &url, error) : say_no_memory(error);
  PQconninfoFree(known);
  url_free(&url);
  if (code)
    options_free(made);
  else
    *options = made;
  return code;
}
