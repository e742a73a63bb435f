/* SPDX-License-Identifier: MIT */
/*
 * Writes what the rows of src/decide/counts.def and src/run/events.def say into a text: rows < TEXT > FILLED
 *
 * What stands between <!-- table: counts --> or <!-- table: events --> and <!-- end of table --> becomes a table.  A
 * line that begins with @count, @span or @times becomes a line for each number, duration or pool_times_t of
 * pool_stats_t.  In it $name is the member's name, $camel and $Camel the same in Java's and Go's way, and $Getter as
 * SWIG begins it; $said and $Said are the sentence, with the settings and functions named in that way.  One that begins
 * with @event becomes a line for each POOL_EVENT_*, and $NAME its name in capitals.  A comma before a line that begins
 * with a closing parenthesis is left out, for Java takes none there.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/pool.h>

struct count {
  const char *mark, *name, *kind, *metric, *reason, *sentence;
};

/* clang-format off */
#define MARK_ONE   "@count "
#define MARK_NS    "@span "
#define MARK_TIMES "@times "
#define MARK_EVENT "@event "

static const struct count counts[] = {
#define COUNT(name, kind, unit, metric, reason, sentence) { MARK_##unit, #name, #kind, metric, reason, sentence },
#define TIME(name, sentence) { MARK_TIMES, #name, "HISTOGRAM", #name "_seconds", NULL, sentence },
#include "decide/counts.def"
};

struct event {
  const char *name;
  int32_t number, level;
  const char *fills, *line, *sentence;
};

static const struct event events[] = {
#define EVENT(name, number, fills, level, line, sentence) { #name, number, level, #fills, line, sentence },
#define LINE(name, event, fills, level, line, sentence) { NULL, event, level, "", line, sentence },
#include "run/events.def"
};
/* clang-format on */

static FILE *out;

#define COUNT_OF(table) (sizeof(table) / sizeof *(table))

/* ---- tables ---- */

static void write_lower(const char *text)
{
  for (; *text; text++)
    fputc(tolower((unsigned char)*text), out);
}

static void write_counts(void)
{
  fputs("| count | kind | in Prometheus | what |\n|---|---|---|---|\n", out);
  for (size_t i = 0; i < COUNT_OF(counts); i++) {
    fprintf(out, "| `%s` | ", counts[i].name);
    write_lower(counts[i].kind);
    fprintf(out, " | `libpool_%s", counts[i].metric);
    if (counts[i].reason)
      fprintf(out, "{reason=\"%s\"}", counts[i].reason);
    fprintf(out, "` | %s |\n", counts[i].sentence);
  }
}

/* The members that "CODE | DURATION" stands for. */
static void write_members(const char *fills)
{
  const char *comma = "";
  for (size_t length; *fills; fills += length + strspn(fills + length, " |")) {
    char name[32];
    length = strcspn(fills, " |");
    snprintf(name, sizeof name, "%.*s%s", (int)length, fills, strncmp(fills, "DURATION", 8) == 0 ? "_NS" : "");
    if (strcmp(name, "NOTHING") == 0)
      continue;
    fprintf(out, "%s`", comma);
    write_lower(name);
    fprintf(out, "`");
    comma = ", ";
  }
}

static const char *name_of(int32_t number)
{
  for (size_t i = 0; i < COUNT_OF(events); i++)
    if (events[i].name && events[i].number == number)
      return events[i].name;
  return NULL;
}

static void write_event(const struct event *event)
{
  static const char *const levels[] = {"", "error", "warn", "info"};
  const char *name = event->name ? event->name : name_of(event->number);
  fprintf(out, name ? "| `%s`" : "| none", name);
  fprintf(out, event->name ? " | %d | " : " | | ", (int)event->number);
  write_members(event->fills);
  fprintf(out, " | %s | ", event->sentence);
  if (event->line)
    fprintf(out, "%s: %s ", levels[event->level], event->line);
  fputs("|\n", out);
}

static void write_events(void)
{
  fputs("| event | number | members | what | line of the log |\n|---|---|---|---|---|\n", out);
  for (size_t i = 0; i < COUNT_OF(events); i++)
    write_event(&events[i]);
}

/* ---- lines for each row ---- */

/* snake_case in Java's way, or with a big first letter in Go's. */
static void write_camel(const char *name, size_t length, bool upper)
{
  for (size_t i = 0; i < length; i++) {
    if (name[i] == '_')
      upper = true;
    else
      fputc(upper ? toupper((unsigned char)name[i]) : name[i], out), upper = false;
  }
}

static bool ends_in(const char *name, size_t length, const char *end)
{
  return length > strlen(end) && strncmp(name + length - strlen(end), end, strlen(end)) == 0;
}

/* A word of a sentence: pool_evict and idle_timeout_ms are known by other names in other languages. */
static void write_word(const char *word, size_t length, bool upper)
{
  if (!memchr(word, '_', length) || isupper((unsigned char)*word)) { /* constants are what they are in C */
    fwrite(word, 1, length, out);
    return;
  }
  size_t skip = strncmp(word, "pool_", 5) == 0 ? 5 : 0;
  write_camel(word + skip, length - skip - (ends_in(word, length, "_ms") ? 3 : 0), upper);
}

static void write_sentence(const char *sentence, bool upper)
{
  while (*sentence) {
    size_t length = strspn(sentence, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
    write_word(sentence, length, upper);
    sentence += length;
    if (*sentence)
      fputc(*sentence++, out);
  }
}

/* A record of Java has a wait() already. */
static void write_java_name(const char *name)
{
  write_camel(name, strlen(name), false);
  if (strcmp(name, "wait") == 0)
    fputs("Time", out);
}

/* Durations of Go have no unit in their names, so the sum of all waits is told apart from the times of waits. */
static void write_go_name(const struct count *count)
{
  size_t length = strlen(count->name);
  bool span = strcmp(count->mark, MARK_NS) == 0;
  write_camel(count->name, span ? length - strlen("_ns") : length, true);
  if (span && strcmp(count->name, "wait_ns") == 0)
    fputs("Sum", out);
}

static void write_upper(const char *text)
{
  for (; *text; text++)
    fputc(toupper((unsigned char)*text), out);
}

static size_t write_variable(const char *at, const struct count *count)
{
  static const char *const names[] = {"$name", "$camel", "$Camel", "$Getter", "$said", "$Said", "$NAME"};
  size_t i = 0;
  while (i < COUNT_OF(names) && strncmp(at, names[i], strlen(names[i])) != 0)
    i++;
  switch (i) {
  case 0:
    fputs(count->name, out);
    break;
  case 1:
    write_java_name(count->name);
    break;
  case 2:
    write_go_name(count);
    break;
  case 3:
    fprintf(out, "%c%s", toupper((unsigned char)count->name[0]), count->name + 1);
    break;
  case 4:
  case 5:
    write_sentence(count->sentence, i == 5);
    break;
  case 6:
    write_upper(count->name);
    break;
  default:
    fprintf(stderr, "no such variable: %s", at);
    exit(1);
  }
  return strlen(names[i]);
}

static void write_line(const char *line, const struct count *count)
{
  while (*line) {
    if (*line == '$')
      line += write_variable(line, count);
    else
      fputc(*line++, out);
  }
}

/* ---- the text ---- */

static bool begins(const char *line, const char *with)
{
  return strncmp(line, with, strlen(with)) == 0;
}

/* The names of constants are in capitals, those of other languages begin with the small ones of a member. */
static void fill_event(const char *line, const struct event *event)
{
  char name[64] = "";
  for (size_t i = 0; event->name[i] && i < sizeof name - 1; i++)
    name[i] = (char)tolower((unsigned char)event->name[i]);
  write_line(line, &(struct count){.mark = MARK_EVENT, .name = name, .sentence = event->sentence});
}

static void fill_events(const char *line)
{
  for (size_t i = 0; i < COUNT_OF(events); i++)
    if (events[i].name)
      fill_event(line, &events[i]);
}

/* Writes the line once for each row that it is for, or as it is. */
static void fill(const char *line)
{
  if (begins(line, MARK_EVENT)) {
    fill_events(line + strlen(MARK_EVENT));
    return;
  }
  bool each = begins(line, MARK_ONE) || begins(line, MARK_NS) || begins(line, MARK_TIMES);
  for (size_t i = 0; each && i < COUNT_OF(counts); i++)
    if (begins(line, counts[i].mark))
      write_line(line + strlen(counts[i].mark), &counts[i]);
  if (!each)
    fputs(line, out);
}

/* Writes a table instead of what stands there, up to the end's mark. */
static void replace(void (*write_table)(void), const char *mark)
{
  char line[1024];
  fputs(mark, out);
  fputc('\n', out);
  write_table();
  fputc('\n', out);
  while (fgets(line, sizeof line, stdin))
    if (begins(line, "<!-- end of table -->")) {
      fputs(line, out);
      return;
    }
  fprintf(stderr, "no end of %s", mark);
  exit(1);
}

/* Prints the text without the commas that Java does not take. */
static void print(const char *text)
{
  for (; *text; text++)
    if (!begins(text, ",\n") || text[2 + strspn(text + 2, " ")] != ')')
      putchar(*text);
}

int main(void)
{
  char line[1024], *text = NULL;
  size_t size = 0;
  out = open_memstream(&text, &size);
  while (fgets(line, sizeof line, stdin)) {
    if (begins(line, "<!-- table: counts -->"))
      replace(write_counts, line);
    else if (begins(line, "<!-- table: events -->"))
      replace(write_events, line);
    else
      fill(line);
  }
  fclose(out);
  print(text);
  free(text);
  return 0;
}
