/* SPDX-License-Identifier: MIT */
/*
 * Compares the rows of src/base/messages.def and drivers/messages.def with the source, and prints them, with those of
 * bindings/messages.def, for docs/messages.md.
 *
 *   messages check FILE...   every text that becomes a message has a row, and every row a text; numbers ascend; each
 *                            literal of three words or more is a message or a PIECE, so that none is forgotten
 *   messages page            the tables
 *   messages known < PAGE    every number that the page has is one of a row, or of one that is gone
 *
 * What becomes a message: the format of error_set(), error_in() and a driver's failure_set() and the driver foreign's
 * cursor_fail(), source_fail() and fail(), or where that is "%s" the
 * texts behind it; the text of MESSAGE(); the format of an snprintf() into something that is called message, problem or
 * warning; and the lines of EVENT() and LINE().
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { IS_MESSAGE, IS_SECTION, IS_GONE, IS_PIECE };

struct row {
  enum kind kind;
  int number;
  const char *text, *cause, *action;
};

#define AS_MESSAGE(number, text, cause, action) {IS_MESSAGE, number, text, cause, action},
#define AS_SECTION(number, title)               {IS_SECTION, (number)*100, title, NULL, NULL},
#define AS_GONE(number)                         {IS_GONE, number, NULL, NULL, NULL},
#define AS_PIECE(text, where)                   {IS_PIECE, 0, text, where, NULL},

/* clang-format off */
static const struct row rows[] = {
#define MESSAGE AS_MESSAGE
#define SECTION AS_SECTION
#define GONE AS_GONE
#define PIECE AS_PIECE
#include "src/base/messages.def"
#define MESSAGE AS_MESSAGE
#define SECTION AS_SECTION
#define GONE AS_GONE
#define PIECE AS_PIECE
#include "drivers/messages.def"
#define MESSAGE AS_MESSAGE
#define SECTION AS_SECTION
#define GONE AS_GONE
#define PIECE AS_PIECE
#include "bindings/messages.def"
};
/* clang-format on */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_'"

/* Behind them are those of bindings/messages.def, which tests/docs/texts.rb compares. */
enum { ROWS = sizeof rows / sizeof *rows, TEXT = 1000, TEXTS = 12 };

static size_t rows_of_c(void)
{
  size_t i = 0;
  while (i < ROWS && !(rows[i].kind == IS_SECTION && rows[i].number >= 2000))
    i++;
  return i;
}

static bool found[ROWS], failed;

/* ---- texts and rows ---- */

/* The length of one of printf's conversions, else 0.  A '%' in a URL is none. */
static size_t conversion(const char *at)
{
  if (*at != '%')
    return 0;
  size_t length = 1 + strspn(at + 1, "0123456789.*lz");
  return at[length] && strchr("sdug", at[length]) ? length + 1 : at[1] == '0' && at[3] == 'o' ? 4 : 0;
}

static bool has_words(const char *text)
{
  int letters = 0;
  for (size_t length; *text; text += length ? length : 1)
    if ((length = conversion(text)) == 0)
      letters += isalpha((unsigned char)*text) != 0;
  return letters > 3;
}

/* "pool is NULL" is what the row "%s is NULL" says, and "no memory for a reply" what "no memory for %s" says. */
static bool says(const char *row, const char *text)
{
  if (strcmp(row, text) == 0)
    return true;
  size_t before = strlen("no memory for ");
  if (strcmp(row, "no memory for %s") == 0 && strncmp(row, text, before) == 0)
    return true;
  return strncmp(row, "%s ", 3) == 0 && !strchr(row + 1, '%') && strchr(text, ' ') &&
         strcmp(strchr(text, ' '), row + 2) == 0;
}

static void look_up(const char *file, const char *text)
{
  if (!has_words(text) || text[0] == ' ')
    return;
  bool known = false;
  for (size_t i = 0; i < ROWS; i++)
    if (rows[i].kind == IS_MESSAGE && says(rows[i].text, text))
      known = found[i] = true;
  if (known)
    return;
  fprintf(stderr, "%s: no row says \"%s\"\n", file, text);
  failed = true;
}

/* ---- the source ---- */

static char *skip_comment(char *at)
{
  char *end = strncmp(at, "/*", 2) == 0 ? strstr(at, "*/") : NULL;
  return end ? end + 2 : at;
}

/* A character of a literal; what the escapes stand for. */
static char unescape(char **at)
{
  bool escaped = **at == '\\';
  *at += escaped;
  char one = *(*at)++;
  return escaped && one == 'n' ? '\n' : one;
}

struct call {
  char texts[TEXTS][TEXT]; /* the literals of its own arguments */
  size_t count;
  char first[TEXT]; /* its first argument */
};

/* Appends a literal to the one before, if nothing but a PRId64 stands between. */
static char *read_literal(char *at, struct call *call, bool *open)
{
  char *text = call->texts[call->count - *open];
  size_t length = *open ? strlen(text) : 0;
  for (at++; *at && *at != '"' && length < TEXT - 1;)
    text[length++] = unescape(&at);
  text[length] = 0;
  call->count += !*open;
  *open = true;
  return at + (*at == '"');
}

/* Reads what stands between the parentheses of a call. */
static void read_call(char *at, struct call *call)
{
  bool open = false, is_first = true;
  size_t first = 0;
  call->count = 0;
  for (int depth = 1; *at && depth > 0;) {
    char *next = skip_comment(at);
    if (next == at && depth == 1 && *at == '"' && call->count - open < TEXTS - 1) {
      at = read_literal(at, call, &open);
      continue;
    }
    if (next == at && open && (strncmp(at, "PRId64", 6) == 0 || strncmp(at, "PRIu64", 6) == 0)) {
      strcat(call->texts[call->count - 1], at[3] == 'd' ? "lld" : "llu");
      next = at + 6;
    } else if (next == at) {
      depth += (*at == '(') - (*at == ')');
      open = open && isspace((unsigned char)*at);
      is_first = is_first && *at != ',';
      if (is_first && first < TEXT - 1)
        call->first[first++] = *at;
      next = at + 1;
    }
    at = next;
  }
  call->first[first] = 0;
}

static void check_format(const char *file, const struct call *call)
{
  if (call->count > 0 && strcmp(call->texts[0], "%s") != 0)
    look_up(file, call->texts[0]);
  for (size_t i = 1; call->count > 0 && strcmp(call->texts[0], "%s") == 0 && i < call->count; i++)
    look_up(file, call->texts[i]);
}

static bool becomes_message(const struct call *call)
{
  return strstr(call->first, "message") || strstr(call->first, "problem") || strstr(call->first, "warning");
}

/* A row of events.def has a line before its sentence, or none. */
static void check_event(const char *file, const struct call *call)
{
  if (call->count > 1 && strcmp(call->texts[0], "{message}") != 0)
    look_up(file, call->texts[0]);
}

static void check_call(const char *file, const char *name, char *at)
{
  struct call call;
  read_call(at, &call);
  bool prints = strcmp(name, "snprintf(") == 0;
  if (strcmp(name, "EVENT(") == 0 || strcmp(name, "LINE(") == 0)
    check_event(file, &call);
  else if (!prints || becomes_message(&call))
    check_format(file, &call);
}

static void check_text(const char *file, char *text)
{
  static const char *const names[] = {"error_set(", "error_in(", "failure_set(", "cursor_fail(", "source_fail(",
                                      "fail(",      "MESSAGE(",  "snprintf(",    "EVENT(",       "LINE("};
  for (char *at = text; *at; at++) {
    at = skip_comment(at);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
      if (strncmp(at, names[i], strlen(names[i])) == 0 &&
          (at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_')))
        check_call(file, names[i], at + strlen(names[i]));
  }
}

/* ---- what else there is to read ---- */

static bool is_prose(const char *text)
{
  int words = 0;
  for (const char *at = text; *at; at++) {
    size_t letters = conversion(at) ? 0 : strspn(at, LETTERS);
    words += letters > 1;
    at += letters ? letters - 1 : conversion(at) ? conversion(at) - 1 : 0;
  }
  return words >= 3 && strchr(text, ' ');
}

static void look_for_piece(const char *file, const char *text)
{
  bool known = false;
  for (size_t i = 0; i < ROWS; i++)
    if ((rows[i].kind == IS_PIECE && strcmp(rows[i].text, text) == 0) ||
        (rows[i].kind == IS_MESSAGE && says(rows[i].text, text)))
      known = found[i] = true;
  if (known)
    return;
  fprintf(stderr, "%s: \"%s\" is no message and no PIECE\n", file, text);
  failed = true;
}

/* Assertions and attributes are for those who compile. */
static char *skip_code(char *at)
{
  char *next = skip_comment(at);
  if (next == at && strncmp(at, "_Static_assert(", strlen("_Static_assert(")) == 0)
    next = strchr(at, ';');
  if (next == at && at[0] == '\'' && at[1] == '"')
    next = at + 2;
  return next ? next : at + strlen(at);
}

static void check_literals(const char *file, char *text)
{
  struct call call = {.count = 0};
  bool open = false;
  for (char *at = text; *at;) {
    char *next = skip_code(at);
    if (next == at && *at == '"') {
      call.count = open;
      next = read_literal(at, &call, &open);
    } else if (next == at && open && (strncmp(at, "PRId64", 6) == 0 || strncmp(at, "PRIu64", 6) == 0)) {
      strcat(call.texts[0], at[3] == 'd' ? "lld" : "llu");
      next = at + 6;
    } else if (next == at) {
      if (open && !isspace((unsigned char)*at)) {
        open = false;
        if (is_prose(call.texts[0]))
          look_for_piece(file, call.texts[0]);
      }
      next = at + 1;
    }
    at = next;
  }
}

static void check_file(const char *name)
{
  size_t size = 0;
  char *text = NULL;
  FILE *file = fopen(name, "r");
  if (!file || getdelim(&text, &size, 0, file) < 0) {
    perror(name);
    exit(1);
  }
  check_text(name, text);
  if (!strstr(name, ".def"))
    check_literals(name, text);
  free(text);
  fclose(file);
}

/* ---- the numbers ---- */

static void complain(int number, const char *what)
{
  fprintf(stderr, "message %d %s\n", number, what);
  failed = true;
}

static void check_numbers(void)
{
  int last = 0, section = 0;
  for (size_t i = 0; i < ROWS; i++) {
    if (rows[i].kind == IS_SECTION) {
      section = rows[i].number;
      continue;
    }
    if (rows[i].kind == IS_PIECE)
      continue;
    if (rows[i].number <= last)
      complain(rows[i].number, "does not follow the one before it: numbers ascend, and none comes twice");
    if (rows[i].number / 100 * 100 != section)
      complain(rows[i].number, "is in another section than its number says");
    last = rows[i].number;
  }
}

static void check_unused(void)
{
  size_t count = rows_of_c();
  for (size_t i = 0; i < count; i++)
    if (rows[i].kind == IS_MESSAGE && !found[i])
      complain(rows[i].number, "is said nowhere: make its row GONE(number)");
  for (size_t i = 0; i < count; i++)
    if (rows[i].kind == IS_PIECE && !found[i]) {
      fprintf(stderr, "the PIECE \"%s\" is said nowhere: remove it\n", rows[i].text);
      failed = true;
    }
}

static bool is_known(int number)
{
  for (size_t i = 0; i < ROWS; i++)
    if (rows[i].kind != IS_SECTION && rows[i].kind != IS_PIECE && rows[i].number == number)
      return true;
  return false;
}

static void check_page(void)
{
  char line[4096];
  while (fgets(line, sizeof line, stdin)) {
    const char *at = strstr(line, "<a id=\"m");
    if (at && !is_known(atoi(at + strlen("<a id=\"m"))))
      complain(atoi(at + strlen("<a id=\"m")), "was on the page: a number that was given stays, as GONE at least");
  }
}

/* ---- the page ---- */

/* A text in which an ellipsis stands for a name or message, and N for a number. */
static void print_text(const char *text)
{
  for (size_t length; *text; text += length) {
    length = conversion(text);
    if (length == 0)
      printf(*text == '|' ? "\\|" : "%c", *text), length = strncmp(text, "%%", 2) == 0 ? 2 : 1;
    else if (text[length - 1] != 's')
      putchar('N');
    else if (strncmp(text + length, "%s", 2) != 0) /* several of them are one ellipsis */
      printf("\xe2\x80\xa6");
  }
}

static void print_page(void)
{
  for (size_t i = 0; i < ROWS; i++) {
    if (rows[i].kind == IS_PIECE)
      continue;
    if (rows[i].kind == IS_SECTION) {
      printf("\n## %s\n\n| number | message | cause | what to do |\n|---|---|---|---|\n", rows[i].text);
    } else if (rows[i].kind == IS_GONE) {
      printf("| <a id=\"m%d\"></a>%d | is said no more | | |\n", rows[i].number, rows[i].number);
    } else {
      printf("| <a id=\"m%d\"></a>%d | `", rows[i].number, rows[i].number);
      print_text(rows[i].text);
      printf("` | %s | %s |\n", rows[i].cause, rows[i].action);
    }
  }
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "check") == 0) {
    check_numbers();
    for (int i = 2; i < argc; i++)
      check_file(argv[i]);
    check_unused();
  } else if (argc == 2 && strcmp(argv[1], "page") == 0) {
    print_page();
  } else if (argc == 2 && strcmp(argv[1], "known") == 0) {
    check_page();
  } else {
    return 2;
  }
  return failed;
}
