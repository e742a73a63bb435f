/* SPDX-License-Identifier: MIT */
#include "base/url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

const char url_no_memory[] = MESSAGE("no memory for a URL");

static const char encode[] =
    MESSAGE("in a URL a '%' is followed by two hexadecimal digits; the character itself is %25");
static const char no_nul[] = MESSAGE("a URL cannot have a zero byte (%00) in it");
const char url_no_scheme[] = MESSAGE("a URL begins with SCHEME:, as postgres://user@host/database does");
static const char bad_byte[] = MESSAGE("a URL has no spaces and no control characters; a space is %20");
static const char bad_port[] =
    MESSAGE("a port is a number from 1 to 65535 (in a user or password ':', '/', '?', '#', '@' and "
            "'%' are written %3A, %2F, %3F, %23, %40 and %25)");
static const char bad_at[] =
    MESSAGE("there is an '@' behind the hosts: in a user or password '/', '?' and '#' are written "
            "%2F, %3F and %23, elsewhere '@' is %40");
static const char no_fragment[] = MESSAGE("a URL of a server has no '#'; the character itself is %23");
static const char no_host[] = MESSAGE("a user or a port needs a host: SCHEME://USER@HOST:PORT");
static const char bad_bracket[] = MESSAGE("an IPv6 address stands in brackets, with the port behind them: [::1]:5432");
static const char bad_parameter[] = MESSAGE("a parameter of a URL is NAME=VALUE; between two of them stands '&'");

/* ---- the pieces, which are cut and decoded in place ---- */

/* Cuts a text at the first of these characters and returns what follows it; NULL where there is none. */
static char *cut(char *text, const char *characters)
{
  char *at = strpbrk(text, characters);
  if (at)
    *at++ = 0;
  return at;
}

static int digit_of(char c)
{
  return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Decodes in place, for a decoded text is never longer. */
static const char *decode(char *text)
{
  char *to = text;
  for (; *text; text++) {
    char c = *text;
    if (c == '%') {
      int high = digit_of(text[1]), low = high < 0 ? -1 : digit_of(text[2]);
      if (low < 0)
        return encode;
      c = (char)(high * 16 + low);
      if (c == 0)
        return no_nul;
      text += 2;
    }
    *to++ = c;
  }
  *to = 0;
  return NULL;
}

/* ---- user and hosts ---- */

static const char *read_user(struct url *url, char *text)
{
  char *password = cut(text, ":");
  const char *problem = decode(text);
  if (!problem && password)
    problem = decode(password);
  url->user = text;
  url->password = password;
  return problem;
}

/* ":" behind a host, and nothing, is no port, as the RFC has it. */
static const char *read_port(struct url_host *host, const char *text)
{
  size_t length = strlen(text);
  if (length > 5 || strspn(text, "0123456789") != length)
    return bad_port;
  long number = length ? strtol(text, NULL, 10) : 1;
  host->port = text;
  return number >= 1 && number <= 65535 ? NULL : bad_port;
}

static const char *read_host(struct url_host *host, char *text)
{
  char *port;
  if (*text == '[') {
    port = cut(++text, "]");
    if (!port || (*port && *port++ != ':') || !strchr(text, ':'))
      return bad_bracket;
  } else {
    port = cut(text, ":");
    if (port && strchr(port, ':'))
      return bad_bracket;
    if (strpbrk(text, "[]"))
      return bad_bracket;
  }
  const char *problem = read_port(host, port ? port : "");
  host->name = text;
  return problem ? problem : *text ? decode(text) : no_host;
}

static const char *read_hosts(struct url *url, char *text)
{
  url->host_count = 1;
  for (const char *c = text; *c; c++)
    url->host_count += *c == ',';
  url->hosts = calloc(url->host_count, sizeof *url->hosts);
  if (!url->hosts)
    return url_no_memory;
  const char *problem = NULL;
  for (size_t i = 0; i < url->host_count && !problem; i++) {
    char *next = cut(text, ",");
    problem = read_host(&url->hosts[i], text);
    text = next;
  }
  return problem;
}

static const char *read_authority(struct url *url, char *text)
{
  const char *problem = NULL;
  char *at = strrchr(text, '@');
  if (at) {
    *at = 0;
    problem = strchr(text, '@') ? bad_at : read_user(url, text);
    text = at + 1;
  }
  if (problem)
    return problem;
  if (*text)
    return read_hosts(url, text);
  return at ? no_host : NULL;
}

/* ---- parameters ---- */

static const char *read_parameter(struct url_parameter *parameter, char *text)
{
  char *value = cut(text, "=");
  if (!value || !*text)
    return bad_parameter;
  if (strchr(text, '@'))
    return bad_at;
  parameter->name = text;
  parameter->value = value;
  const char *problem = decode(text);
  return problem ? problem : decode(value);
}

static const char *read_parameters(struct url *url, char *text)
{
  size_t most = 1;
  for (const char *c = text; *c; c++)
    most += *c == '&';
  url->parameters = calloc(most, sizeof *url->parameters);
  if (!url->parameters)
    return url_no_memory;
  while (text) {
    char *next = cut(text, "&");
    const char *problem = *text ? read_parameter(&url->parameters[url->parameter_count++], text) : NULL;
    if (problem)
      return problem;
    text = next;
  }
  return NULL;
}

/* ---- the whole ---- */

static const char *read_scheme(struct url *url, char *text)
{
  if (!isalpha((unsigned char)*text))
    return url_no_scheme;
  url->scheme = text;
  for (; *text; text++) {
    if (!isalnum((unsigned char)*text) && !strchr("+-.", *text))
      return url_no_scheme;
    *text = (char)tolower((unsigned char)*text);
  }
  return NULL;
}

/* Cuts the authority off.  The path keeps its first '/', so the authority moves to the left by one, over the second
   '/' of the two that it stands behind. */
static char *take_authority(char **text)
{
  size_t length = strcspn(*text + 2, "/");
  char *authority = memmove(*text + 1, *text + 2, length);
  authority[length] = 0;
  *text += length + 2;
  return authority;
}

static const char *read_rest(struct url *url, char *text)
{
  const char *problem = NULL;
  char *query = cut(text, "?");
  if (strncmp(text, "//", 2) == 0) {
    char *authority = take_authority(&text);
    bool ends_early = !strchr(authority, '@') && (strchr(text, '@') || (query && strchr(query, '@')));
    problem = ends_early ? bad_at : read_authority(url, authority);
  }
  if (!problem)
    problem = decode(text);
  url->path = text;
  return problem ? problem : query ? read_parameters(url, query) : NULL;
}

static const char *read_all(struct url *url, char *text)
{
  for (const char *c = text; *c; c++)
    if ((unsigned char)*c <= ' ' || *c == 127)
      return bad_byte;
  if (strchr(text, '#'))
    return no_fragment;
  char *rest = cut(text, ":");
  const char *problem = rest ? read_scheme(url, text) : url_no_scheme;
  return problem ? problem : read_rest(url, rest);
}

const char *url_read(struct url *url, const char *text)
{
  *url = (struct url){0};
  url->storage_size = strlen(text) + 1;
  url->storage = malloc(url->storage_size);
  if (!url->storage)
    return url_no_memory;
  memcpy(url->storage, text, url->storage_size);
  const char *problem = read_all(url, url->storage);
  if (problem)
    url_free(url);
  return problem;
}

void url_free(struct url *url)
{
  if (url->storage)
    explicit_bzero(url->storage, url->storage_size);
  free(url->storage);
  free(url->hosts);
  free(url->parameters);
  *url = (struct url){0};
}

const char *url_value(const struct url *url, const char *name)
{
  for (size_t i = 0; i < url->parameter_count; i++)
    if (strcmp(url->parameters[i].name, name) == 0)
      return url->parameters[i].value;
  return NULL;
}

bool url_is_repeated(const struct url *url, size_t index)
{
  const struct url_parameter *parameters = url->parameters;
  for (size_t i = 0; i < index; i++)
    if (strcmp(parameters[i].name, parameters[index].name) == 0)
      return true;
  return false;
}

char *url_without(const struct url *url, const char *text, const char *prefix, size_t room)
{
  char *copy = calloc(strlen(text) + 1 + room, 1);
  if (!copy)
    return NULL;
  const struct url_parameter *parameter = url->parameters;
  size_t begin = strcspn(text, "?");
  memcpy(copy, text, begin);
  memcpy(copy, url->scheme, strlen(url->scheme));
  char *to = copy + begin, between = '?';
  for (const char *from = text + begin; *from;) {
    size_t size = strcspn(from + 1, "&");
    if (size > 0 && strncmp(parameter++->name, prefix, strlen(prefix)) != 0) {
      *to++ = between;
      between = '&';
      memcpy(to, from + 1, size);
      to += size;
    }
    from += size + 1;
  }
  return copy;
}
