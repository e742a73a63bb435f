/* SPDX-License-Identifier: MIT */
#include "say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

int say_failure(int code, const char *format, ...)
{
  char line[2048];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  text_clean(line); /* a server's message shall not steer the terminal */
  fflush(stdout);
  fprintf(stderr, "poolctl: %s\n", line);
  return code;
}

bool say_may_move(FILE *stream)
{
  const char *terminal = getenv("TERM");
  return isatty(fileno(stream)) && terminal && terminal[0] && strcmp(terminal, "dumb") != 0;
}

bool say_may_colour(FILE *stream)
{
  const char *no = getenv("NO_COLOR");
  return say_may_move(stream) && !(no && no[0]);
}

int say_json(json_t *document)
{
  if (!document)
    return say_failure(EXIT_FAILED, "no memory for the answer");
  int code = json_dumpf(document, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_ENCODE_ANY);
  json_decref(document);
  putchar('\n');
  return code ? say_failure(EXIT_FAILED, "the answer cannot be written") : EXIT_OK;
}

int say_finish(int code)
{
  if (fflush(stdout) != 0 || ferror(stdout))
    return say_failure(EXIT_FAILED, "the output cannot be written: %s", strerror(errno));
  return code;
}

const char *say_word(char text[SAY_WORD_ROOM], const char *word)
{
  const char *colon = strchr(word, ':');
  bool is_url = colon && (strncmp(colon, "://", 3) == 0 || strchr(colon, '@'));
  int length = is_url ? (int)(colon + 1 - word) : SAY_WORD_ROOM - 1;
  snprintf(text, SAY_WORD_ROOM, "%.*s%s", length, word, is_url ? "..." : "");
  return text;
}

const char *say_time(char text[SAY_TIME_ROOM], int64_t ns)
{
  static const struct unit {
    const char *name;
    double ns;
    int64_t below;
  } units[] = {{"ns", 1, 1000},
               {"us", 1e3, 1000000},
               {"ms", 1e6, 1000000000},
               {"s", 1e9, INT64_C(1000000000000)},
               {"min", 60e9, INT64_C(60000000000000)},
               {"h", 3600e9, INT64_MAX}};
  const struct unit *unit = units;
  while (ns >= unit->below && unit->below != INT64_MAX)
    unit++;
  double value = (double)ns / unit->ns;
  int digits = unit == units ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0;
  snprintf(text, SAY_TIME_ROOM, "%.*f %s", digits, value, unit->name);
  return text;
}
