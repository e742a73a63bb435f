/* SPDX-License-Identifier: MIT */
#include "foreign/description.h"

#include <string.h>

const char *const description_parts[PART_COUNT] = {"url.scheme", "url.host",     "url.port", "url.server",
                                                   "url.user",   "url.password", "url.path", "url.name"};
const char *const description_units[UNIT_COUNT] = {"deadline.timeval", "deadline.s", "deadline.ms", "deadline.us"};

void description_init(struct description *description)
{
  *description = (struct description){.variable_count = VARIABLE_FIRST};
  description->variables[VARIABLE_CONN] = (struct variable){"conn", type_find("pointer")};
  description->variables[VARIABLE_SOCKET] = (struct variable){"socket", type_find("int")};
  description->variables[VARIABLE_CODE] = (struct variable){"code", type_find("int")};
  description->variables[VARIABLE_MESSAGE] = (struct variable){"message", type_find("text")};
  description->variables[VARIABLE_DESCRIPTOR] = (struct variable){"descriptor", NULL};
}

void description_free(struct description *description)
{
  url_free(&description->url);
  source_free(&description->source);
  arena_free(&description->arena);
}

struct function *description_function(const struct description *description, const char *name)
{
  for (struct function *function = description->functions; function; function = function->next)
    if (strcmp(function->name, name) == 0)
      return function;
  return NULL;
}

struct constant *description_constant(const struct description *description, const char *name)
{
  for (struct constant *constant = description->constants; constant; constant = constant->next)
    if (strcmp(constant->name, name) == 0)
      return constant;
  return NULL;
}

struct parameter *description_parameter(const struct description *description, const char *name)
{
  for (struct parameter *parameter = description->parameters; parameter; parameter = parameter->next)
    if (strcmp(parameter->name, name) == 0)
      return parameter;
  return NULL;
}

int description_variable(const struct description *description, const char *name)
{
  for (unsigned i = 0; i < description->variable_count; i++)
    if (strcmp(description->variables[i].name, name) == 0)
      return (int)i;
  return -1;
}

const struct type *description_result(const struct description *description, const struct call *call)
{
  return call->function ? call->function->result : description->variables[call->variable].type;
}

const char *description_call(const struct description *description, const struct call *call)
{
  return call->function ? call->function->name : description->variables[call->variable].name;
}
