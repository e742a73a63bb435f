/* SPDX-License-Identifier: MIT */
/* Any text as a URL: what is read is whole, and what is left without some parameters can be read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define must(condition) ((condition) ? (void)0 : abort())

static size_t count_without(const struct url *url, const char *prefix)
{
  size_t count = 0;
  for (size_t i = 0; i < url->parameter_count; i++)
    count += strncmp(url->parameters[i].name, prefix, strlen(prefix)) != 0;
  return count;
}

static void check_parts(const struct url *url)
{
  must(url->scheme[0] && url->path && (!url->password || url->user));
  must(url->host_count || !url->user);
  for (size_t i = 0; i < url->host_count; i++)
    must(url->hosts[i].name[0] && strlen(url->hosts[i].port) <= 5);
  for (size_t i = 0; i < url->parameter_count; i++)
    must(url->parameters[i].name && url->parameters[i].value && url_value(url, url->parameters[i].name));
}

static void check_without(const struct url *url, const char *text)
{
  struct url again;
  char *rest = url_without(url, text, "pool.", 0);
  must(rest && strlen(rest) <= strlen(text));
  must(!url_read(&again, rest));
  must(again.parameter_count == count_without(url, "pool.") && strcmp(again.path, url->path) == 0);
  url_free(&again);
  free(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct url url;
  char *text = malloc(size + 1);
  memcpy(text, data, size);
  text[size] = 0;
  if (!url_read(&url, text)) {
    check_parts(&url);
    check_without(&url, text);
  }
  url_free(&url);
  free(text);
  return 0;
}
