/* SPDX-License-Identifier: MIT */
#include "foreign/filler.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/failure.h"
#include "support/parameters.h"

/* What is filled in, and where an error goes. */
struct filler {
  struct description *description;
  pool_error_t *error;
};

static bool fail_memory(struct filler *filler)
{
  failure_set(filler->error, POOL_E_NOMEM, 0, "no memory for a description");
  return false;
}

#define fail(filler, place, ...)                                                                                       \
  (source_fail(&(filler)->description->source, place, (filler)->error, __VA_ARGS__), false)

/* ---- parts of the URL ---- */

static const char *text_or_null(const char *text)
{
  return text && *text ? text : NULL;
}

/* The text of a part, or NULL: it is absent. */
static const char *part_of(const struct description *description, unsigned part)
{
  const struct url *url = &description->url;
  const char *path = url->path ? url->path : "";
  const char *name = path + (*path == '/');
  switch (part) {
  case PART_SCHEME:
    return url->scheme;
  case PART_HOST:
    return url->host_count ? url->hosts[0].name : NULL;
  case PART_PORT:
    return url->host_count ? text_or_null(url->hosts[0].port) : NULL;
  case PART_SERVER:
    return description->server;
  case PART_USER:
    return url->user;
  case PART_PASSWORD:
    return url->password;
  case PART_PATH:
    return *name ? path : NULL;
  default:
    return text_or_null(name);
  }
}

/* Writes a host as a URL has it: an IPv6 address in brackets, and "%2F" for the '/' of a socket's path. */
static char *encode_host(char *to, const char *host)
{
  if (strchr(host, ':'))
    return to + sprintf(to, "[%s]", host);
  for (; *host; host++)
    if (isalnum((unsigned char)*host) || strchr("-._~", *host))
      *to++ = *host;
    else
      to += sprintf(to, "%%%02X", (unsigned char)*host);
  return to;
}

static bool make_server(struct filler *filler)
{
  const struct url *url = &filler->description->url;
  if (url->host_count == 0)
    return true;
  const struct url_host *host = &url->hosts[0];
  char *server = arena_take(&filler->description->arena, 3 * strlen(host->name) + strlen(host->port) + 4);
  if (!server)
    return fail_memory(filler);
  char *end = encode_host(server, host->name);
  sprintf(end, "%s%s", *host->port ? ":" : "", host->port);
  filler->description->server = server;
  return true;
}

/* Parts that a description has by more than one name are used by each. */
static unsigned used_parts(const struct description *description)
{
  static const unsigned path = 1u << PART_PATH | 1u << PART_NAME, server = 1u << PART_SERVER;
  unsigned used = description->parts | 1u << PART_SCHEME;
  if (used & path)
    used |= path;
  return used | (used & server ? 1u << PART_HOST | 1u << PART_PORT : server);
}

/* A part that is given and of no use is a mistake. */
static bool check_parts(struct filler *filler)
{
  static const struct place whole = {0, 0};
  unsigned used = used_parts(filler->description);
  if (filler->description->url.host_count > 1)
    return fail(filler, whole, "the URL has several hosts, and this description takes one");
  for (unsigned part = 0; part < PART_COUNT; part++)
    if (!(used & 1u << part) && part_of(filler->description, part))
      return fail(filler, whole, "the URL has a %s, which this description does not use",
                  description_parts[part] + sizeof "url." - 1);
  return true;
}

/* ---- parameters ---- */

static bool set_text(struct filler *filler, struct parameter *parameter, struct term *term)
{
  for (unsigned i = 0; i < parameter->choice_count; i++)
    if (strcmp(parameter->choices[i], term->text) == 0)
      return true;
  if (parameter->choice_count == 0)
    return true;
  char choices[200] = "";
  for (unsigned i = 0; i < parameter->choice_count; i++) {
    size_t used = strlen(choices);
    snprintf(choices + used, sizeof choices - used, "%s%.40s", i ? ", " : "", parameter->choices[i]);
  }
  return fail(filler, parameter->place, "the parameter %.60s is one of: %s", parameter->name, choices);
}

static bool set_integer(struct filler *filler, struct parameter *parameter, struct term *term)
{
  char least[INTEGER_ROOM], most[INTEGER_ROOM];
  struct range range =
      parameter->ranged ? parameter->range : (struct range){type_least(parameter->type), type_most(parameter->type)};
  term->kind = TERM_INTEGER;
  if (integer_read(&term->integer, term->text) && integer_compare(term->integer, range.least) >= 0 &&
      integer_compare(term->integer, range.most) <= 0)
    return true;
  return fail(filler, parameter->place, "the parameter %.60s is an integer from %s to %s", parameter->name,
              integer_text(range.least, least), integer_text(range.most, most));
}

static bool set_real(struct filler *filler, struct parameter *parameter, struct term *term)
{
  term->kind = TERM_REAL;
  return type_read_real(&term->real, term->text) ||
         fail(filler, parameter->place, "the parameter %.60s is a number, such as 12 or 0.5", parameter->name);
}

static bool set_parameter(struct filler *filler, struct parameter *parameter, const char *value)
{
  struct term *term = arena_take(&filler->description->arena, sizeof *term);
  if (!term)
    return fail_memory(filler);
  *term = (struct term){.kind = TERM_TEXT, .place = parameter->place, .text = value};
  parameter->value = term;
  return parameter->type->kind == TYPE_TEXT      ? set_text(filler, parameter, term)
         : parameter->type->kind == TYPE_INTEGER ? set_integer(filler, parameter, term)
                                                 : set_real(filler, parameter, term);
}

static bool unknown_parameter(struct filler *filler, size_t number, const char *name)
{
  struct near near = near_begin(name);
  for (const struct parameter *parameter = filler->description->parameters; parameter; parameter = parameter->next)
    near_look(&near, parameter->name);
  return fail(filler, ((struct place){0, 0}), PARAMETERS_UNKNOWN "%s%s%s", number, near.found ? "did you mean " : "",
              near.found ? near.found : "there are those that the description has", near.found ? "?" : "");
}

static bool set_given(struct filler *filler, size_t index)
{
  const struct url *url = &filler->description->url;
  const struct url_parameter *given = &url->parameters[index];
  struct parameter *parameter = description_parameter(filler->description, given->name);
  bool is_description = strcmp(given->name, "description") == 0;
  if (!parameter && !is_description)
    return unknown_parameter(filler, index + 1, given->name);
  if (url_is_repeated(url, index))
    return fail(filler, ((struct place){0, 0}), "the URL sets %s twice", given->name);
  return is_description || set_parameter(filler, parameter, given->value);
}

static bool set_parameters(struct filler *filler)
{
  for (size_t i = 0; i < filler->description->url.parameter_count; i++)
    if (!set_given(filler, i))
      return false;
  for (const struct parameter *p = filler->description->parameters; p; p = p->next)
    if (!p->value)
      return fail(filler, p->place, "the URL needs the parameter %.60s, which has no default", p->name);
  return true;
}

/* ---- terms ---- */

static const char *text_of(const struct filler *filler, const struct term *term)
{
  if (term->kind == TERM_PART)
    return part_of(filler->description, term->index);
  if (term->kind == TERM_PARAMETER)
    term = term->parameter->value;
  return term->kind == TERM_NULL ? NULL : term->text;
}

static bool is_present(const struct filler *filler, const struct term *term)
{
  for (; term; term = term->next)
    if ((term->kind == TERM_PART || term->kind == TERM_PARAMETER) && !text_of(filler, term))
      return false;
  return true;
}

/* The alternative of a term that there is, or NULL. */
static const struct term *choose(const struct filler *filler, const struct term *term)
{
  while (term && !is_present(filler, term))
    term = term->otherwise;
  return term;
}

/* Where no alternative is there: what is missing, unless a parameter may be null. */
static bool say_missing(struct filler *filler, const struct term *term)
{
  for (; term; term = term->next)
    if (term->kind == TERM_PART && !text_of(filler, term))
      return fail(filler, term->place, "the URL needs a %s", description_parts[term->index] + sizeof "url." - 1);
  return true;
}

static const char *join(struct filler *filler, const struct term *term)
{
  size_t size = 1;
  for (const struct term *piece = term; piece; piece = piece->next)
    size += strlen(text_of(filler, piece));
  char *text = arena_take(&filler->description->arena, size);
  if (!text) {
    fail_memory(filler);
    return NULL;
  }
  for (char *to = text; term; term = term->next)
    to = stpcpy(to, text_of(filler, term));
  return text;
}

/* ---- arguments ---- */

static const struct term *literal_of(const struct term *term)
{
  return term->kind == TERM_PARAMETER ? term->parameter->value : term;
}

static bool store_integer(struct filler *filler, const struct type *type, union value *value, const struct term *term)
{
  struct integer integer = literal_of(term)->integer;
  if (term->kind == TERM_PART && !integer_read(&integer, text_of(filler, term)))
    return fail(filler, term->place, "the port of the URL is no number");
  if (integer_compare(integer, type_most(type)) > 0 || integer_compare(integer, type_least(type)) < 0)
    return fail(filler, term->place, "this does not fit %s", type->name);
  type_store(type, value, integer);
  return true;
}

static bool store_seconds(struct filler *filler, union value *value, const struct term *term)
{
  struct integer seconds = literal_of(term)->integer;
  if (seconds.negative || seconds.magnitude > INT32_MAX)
    return fail(filler, term->place, "a timeval is of 0 to %d seconds", INT32_MAX);
  value->timeval.tv_sec = (time_t)seconds.magnitude;
  return true;
}

static bool store(struct filler *filler, const struct type *type, struct argument *argument, const struct term *term)
{
  switch (type->kind) {
  case TYPE_INTEGER:
    return store_integer(filler, type, &argument->value, term);
  case TYPE_REAL:
    term = literal_of(term);
    type_store_real(type, &argument->value, term->kind == TERM_REAL ? term->real : integer_real(term->integer));
    return true;
  case TYPE_TIMEVAL:
    return store_seconds(filler, &argument->value, term);
  default:
    argument->value.text = join(filler, term);
    return argument->value.text != NULL;
  }
}

static bool store_length(struct filler *filler, const struct type *type, struct argument *argument,
                         const struct term *term)
{
  const char *text = term ? join(filler, term) : "";
  if (!text)
    return false;
  type_store(type, &argument->value, integer_unsigned(strlen(text)));
  return true;
}

static bool fill_argument(struct filler *filler, const struct type *type, struct argument *argument)
{
  const struct term *term = choose(filler, argument->term);
  if (!term && !say_missing(filler, argument->term))
    return false;
  bool is_dynamic = term && (term->kind == TERM_VARIABLE || term->kind == TERM_DEADLINE);
  if (is_dynamic)
    argument->term = (struct term *)term;
  while (term && term->kind == TERM_DEADLINE)
    term = choose(filler, term->otherwise);
  if (term && term->kind == TERM_VARIABLE) {
    argument->without = term;
    return true;
  }
  argument->is_null = !term || term->kind == TERM_NULL;
  if (argument->length)
    return store_length(filler, type, argument, argument->is_null ? NULL : term);
  return argument->is_null || store(filler, type, argument, term);
}

static bool fill_arguments(struct filler *filler, struct call *call)
{
  for (unsigned i = 0; call->function && i < call->function->count; i++)
    if (!fill_argument(filler, call->function->slots[i].type, &call->arguments[i]))
      return false;
  return true;
}

static bool fill_call(struct filler *filler, struct call *call)
{
  struct condition *when = call->when;
  if (when && when->given) {
    call->dropped = is_present(filler, when->given) == when->negated;
    call->when = NULL;
  }
  if (call->when && !fill_arguments(filler, call->when->call))
    return false;
  return call->dropped || fill_arguments(filler, call);
}

/* ---- the whole ---- */

static bool fill_connect(struct filler *filler)
{
  struct description *description = filler->description;
  const struct term *host = choose(filler, description->host), *port = choose(filler, description->port);
  if (!host || !port)
    return say_missing(filler, host ? description->port : description->host);
  description->connect_host = join(filler, host);
  char *digits = arena_take(&description->arena, INTEGER_ROOM);
  if (!description->connect_host || !digits)
    return fail_memory(filler);
  description->connect_port =
      port->kind == TERM_PART ? text_of(filler, port) : integer_text(literal_of(port)->integer, digits);
  return true;
}

static bool fill_all(struct filler *filler)
{
  if (!make_server(filler) || !check_parts(filler) || !set_parameters(filler))
    return false;
  if (filler->description->host && !fill_connect(filler))
    return false;
  for (enum word word = 0; word < WORD_COUNT; word++)
    for (struct call *call = filler->description->calls[word]; call; call = call->next)
      if (!fill_call(filler, call))
        return false;
  return true;
}

int filler_fill(struct description *description, pool_error_t *error)
{
  struct filler filler = {description, error};
  return fill_all(&filler) ? 0 : error->code;
}

/* ---- secrets ---- */

bool filler_has_secret(const struct description *description, const char *text)
{
  size_t size = strlen(text);
  if (failure_quotes(text, size, description->url.password))
    return true;
  for (const struct parameter *parameter = description->parameters; parameter; parameter = parameter->next)
    if (parameter->secret && parameter->value && failure_quotes(text, size, parameter->value->text))
      return true;
  return false;
}
