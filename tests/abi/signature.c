/* SPDX-License-Identifier: MIT */
#include "signature.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What is between begin and end, without the spaces around it. */
static bool copy(char *text, const char *begin, const char *end)
{
  while (begin < end && *begin == ' ')
    begin++;
  while (begin < end && end[-1] == ' ')
    end--;
  if (end - begin < 1 || end - begin >= SIGNATURE_TYPE)
    return false;
  memcpy(text, begin, (size_t)(end - begin));
  text[end - begin] = 0;
  return true;
}

static bool read_parameters(struct signature *signature, const char *begin, const char *end)
{
  signature->count = 0;
  if (strncmp(begin, "void)", 5) == 0)
    return true;
  for (;;) {
    const char *comma = memchr(begin, ',', (size_t)(end - begin));
    if (signature->count == SIGNATURE_PARAMETERS ||
        !copy(signature->parameters[signature->count++], begin, comma ? comma : end))
      return false;
    if (!comma)
      return true;
    begin = comma + 1;
  }
}

/* RESULT NAME(PARAMETER, ...) */
static bool read_line(struct signature *signature, const char *line)
{
  const char *open = strchr(line, '('), *close = strchr(line, ')'), *name = open;
  if (!open || !close || strcmp(close, ")\n") != 0)
    return false;
  while (name > line && name[-1] != ' ' && name[-1] != '*')
    name--;
  return copy(signature->name, name, open) && copy(signature->result, line, name) &&
         read_parameters(signature, open + 1, close);
}

int signatures_read(const char *path, struct signature signatures[SIGNATURE_LIMIT])
{
  char line[400];
  int count = 0;
  FILE *file = fopen(path, "r");
  while (file && count >= 0 && fgets(line, sizeof line, file))
    if (line[0] != '#')
      count = count < SIGNATURE_LIMIT && read_line(&signatures[count], line) ? count + 1 : -1;
  if (file)
    fclose(file);
  return file ? count : -1;
}
