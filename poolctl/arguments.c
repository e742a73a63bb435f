/* SPDX-License-Identifier: MIT */
/*
 * Options have one table; a command names those that it has by their letters.
 *
 * A URL may hold a password, and everybody can read the command line of a process in ps.  So what stands there is
 * overwritten at once; before that moment it could be read, which --url-file and POOL_URL avoid.
 */
#include "arguments.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "say.h"

#define OPTIONS  12
#define URL_ROOM 65536
#define DAY_MS   86400000

static const struct argp_option all[] = {
    {"json", 'j', NULL, 0, "One JSON document on standard output", 0},
    {"url-file", 'u', "FILE", 0, "Read the URL from the first line of FILE (-: standard input)", 0},
    {"timeout", 't', "MS", 0, "Milliseconds for opening, and for each step (10000)", 0},
    {"once", '1', NULL, 0, "Show it once and end", 0},
    {"plain", 'p', NULL, 0, "Lines of text, also on a terminal", 0},
    {"interval", 'i', "MS", 0, "Milliseconds between two looks (1000)", 0},
    {"sort", 's', "COLUMN", 0, "Sort by pid, program, pool, lent, idle, open, waiting, p99, rate or held", 0},
    {"rows", 'n', "N", 0, "At most N leases under plain lines (10)", 0},
    {"threads", 'T', "N", 0, "Threads that borrow (4)", 0},
    {"duration", 'd', "MS", 0, "Milliseconds of each of the two runs (3000)", 0},
    {"hold", 'H', "US", 0, "Microseconds that a connection is kept (0)", 0},
    {"method", 'm', "METHOD", 0, "Call METHOD in each use", 0},
    {"with", 'w', "ARGS", 0, "Arguments for --method", 0},
    {"stuck-after", 'a', "MS", 0, "Milliseconds without a connection that came back (the pool's get_timeout_ms)", 0},
    {"pool-only", 'o', NULL, 0, "Leave out the run without a pool", 0},
};

struct reading {
  const struct command *command;
  struct arguments *arguments;
  const char *url_file;
};

/* ---- values ---- */

static void read_number(struct argp_state *state, const char *name, const char *text, int64_t least, int64_t most,
                        int64_t *value)
{
  char *end, shown[SAY_WORD_ROOM];
  errno = 0;
  *value = strtoll(text, &end, 10);
  if (errno || end == text || *end || *value < least || *value > most)
    argp_error(state, "--%s is \"%s\"; it must be a number from %lld to %lld", name, say_word(shown, text),
               (long long)least, (long long)most);
}

static void take_url(struct argp_state *state, struct arguments *arguments, char *text)
{
  arguments->url = strdup(text);
  if (!arguments->url)
    argp_failure(state, EXIT_FAILED, 0, "no memory for the URL");
  memset(text, 'x', strlen(text));
}

static void read_url_file(struct argp_state *state, struct reading *reading)
{
  const char *path = reading->url_file;
  char shown[SAY_WORD_ROOM];
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
  char *line = calloc(1, URL_ROOM);
  if (!file || !line || !fgets(line, URL_ROOM, file))
    argp_failure(state, EXIT_FAILED, file ? 0 : errno, "%s: %s", say_word(shown, path),
                 file ? "has no line" : "cannot be read");
  line[strcspn(line, "\r\n")] = 0;
  if (file != stdin)
    fclose(file);
  take_url(state, reading->arguments, line);
  free(line);
}

/* ---- what argp meets ---- */

static void take_word(struct argp_state *state, struct reading *reading, char *word)
{
  struct arguments *arguments = reading->arguments;
  const char *environment = getenv("POOL_URL");
  char shown[SAY_WORD_ROOM];
  bool elsewhere = reading->url_file || (environment && !strstr(word, "://"));
  if (reading->command->wants_url && !arguments->url && arguments->count == 0 && !elsewhere)
    take_url(state, arguments, word);
  else if (arguments->count >= reading->command->most)
    argp_error(state, "\"%s\" is one argument too many", say_word(shown, word));
  else
    arguments->words[arguments->count++] = word;
}

static void finish(struct argp_state *state, struct reading *reading)
{
  struct arguments *arguments = reading->arguments;
  if (reading->url_file)
    read_url_file(state, reading);
  const char *environment = getenv("POOL_URL");
  if (reading->command->wants_url && !arguments->url && environment)
    arguments->url = strdup(environment);
  if (reading->command->wants_url && !arguments->url)
    argp_error(state, "a URL is missing: name one, or --url-file FILE, or set POOL_URL");
  if (arguments->count < reading->command->least)
    argp_error(state, "an argument is missing: %s %s", reading->command->name, reading->command->words);
}

static int meet_number(int key, char *text, struct argp_state *state)
{
  struct arguments *arguments = ((struct reading *)state->input)->arguments;
  const struct number {
    int key;
    const char *name;
    int64_t least, most;
    int64_t *value;
  } numbers[] = {
      {'t', "timeout", 1, DAY_MS, &arguments->timeout_ms},    {'i', "interval", 50, DAY_MS, &arguments->interval_ms},
      {'d', "duration", 10, DAY_MS, &arguments->duration_ms}, {'n', "rows", 0, 10000, &arguments->rows},
      {'T', "threads", 1, 1024, &arguments->threads},         {'H', "hold", 0, 60000000, &arguments->hold_us},
      {'a', "stuck-after", 1, DAY_MS, &arguments->stuck_ms}};
  for (const struct number *number = numbers; number < numbers + sizeof numbers / sizeof *numbers; number++)
    if (number->key == key) {
      read_number(state, number->name, text, number->least, number->most, number->value);
      return 0;
    }
  return ARGP_ERR_UNKNOWN;
}

/* True: it was one that has no value. */
static bool meet_switch(int key, struct arguments *arguments)
{
  bool *switches[] = {
      ['j'] = &arguments->json, ['1'] = &arguments->once, ['p'] = &arguments->plain, ['o'] = &arguments->alone};
  bool known = key > 0 && key < (int)(sizeof switches / sizeof *switches) && switches[key];
  if (known)
    *switches[key] = true;
  return known;
}

static error_t meet(int key, char *text, struct argp_state *state)
{
  struct reading *reading = state->input;
  struct arguments *arguments = reading->arguments;
  if (meet_switch(key, arguments))
    return 0;
  switch (key) {
  case 'u':
    reading->url_file = text;
    return 0;
  case 's':
    arguments->sort = text;
    return 0;
  case 'm':
    arguments->method = text;
    return 0;
  case 'w':
    arguments->with = text;
    return 0;
  case ARGP_KEY_ARG:
    take_word(state, reading, text);
    return 0;
  case ARGP_KEY_END:
    finish(state, reading);
    return 0;
  default:
    return meet_number(key, text, state);
  }
}

/* ---- the whole ---- */

static void choose(const struct command *command, struct argp_option *options)
{
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (strchr(command->options, all[i].key))
      *options++ = all[i];
  *options = (struct argp_option){0};
}

void arguments_read(const struct command *command, int count, char **argv, struct arguments *arguments)
{
  struct argp_option options[OPTIONS + 1];
  choose(command, options);
  struct argp argp = {.options = options, .parser = meet, .args_doc = command->words, .doc = command->help};
  struct reading reading = {.command = command, .arguments = arguments};
  *arguments = (struct arguments){
      .sort = NULL, .threads = 4, .duration_ms = 3000, .interval_ms = 1000, .timeout_ms = 10000, .rows = 10};
  char name[40];
  snprintf(name, sizeof name, "poolctl %s", command->name);
  argv[0] = name;
  error_t error = argp_parse(&argp, count, argv, 0, NULL, &reading);
  if (error)
    exit(say_failure(EXIT_FAILED, "%s", strerror(error)));
}

void arguments_free(struct arguments *arguments)
{
  if (arguments->url)
    explicit_bzero(arguments->url, strlen(arguments->url));
  free(arguments->url);
}
