/* SPDX-License-Identifier: MIT */
/* Prints what tools/settings makes of the rows of settings.def: members, init, a table of all, or the paragraphs of a
   section of docs/settings.md.  usage: settings members | init | all | how_many | how_long | ... */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/row.h"

enum { WIDTH = 118 };

struct text {
  struct setting_row row;
  const char *type, *section, *more;
};

#define TYPE_COUNT  "int32_t "
#define TYPE_TIME   "int64_t "
#define TYPE_CHOICE "int32_t "
#define TYPE_SWITCH "int32_t "
#define TYPE_MASK   "int32_t "
#define TYPE_TEXT   "const char *"

/* clang-format off */
static const struct text rows[] = {
#define SETTING(name, kind, unit, initial, least, most, off, off_means, section, sentence, more)                       \
  {{#name, kind, unit, initial, least, most, off, off_means, sentence, 0, 0}, TYPE_##kind, #section, more},
#define POINTER(name, type, sentence)                                                                                  \
  {{#name, TEXT, "", 0, 0, 0, NO_OFF, "", sentence, 0, 0}, #type, "", ""},
#include "api/settings.def"
};
/* clang-format on */

enum { ROWS = sizeof rows / sizeof *rows };

/* ---- the header ---- */

/* Words of a comment, wrapped. */
static void print_comment(const char *text)
{
  int column = printf("  /**"), gap = 1;
  while (*text) {
    int length = (int)strcspn(text, " ");
    if (column + gap + length > WIDTH - (text[length] ? 0 : 3)) { /* the end of the comment must fit as well */
      column = printf("\n     ") - 1;
      gap = 1;
    }
    column += printf("%*s%.*s", gap, "", length, text);
    text += length;
    gap = (int)strspn(text, " "); /* two between sentences */
    text += gap;
  }
  printf(" */\n");
}

static bool has_range(const struct setting_row *row)
{
  return row->kind != TEXT && row->kind != MASK && !(row->least == 0 && row->most == INT32_MAX);
}

static void print_members(void)
{
  for (int i = 0; i < ROWS; i++) {
    const struct setting_row *row = &rows[i].row;
    char words[200] = "", text[1000];
    if (row->kind == MASK)
      snprintf(words, sizeof words, "; %lld: %s", (long long)row->off, row->off_means);
    else if (has_range(row)) {
      words[0] = ';', words[1] = ' ';
      row_words(row, 0, words + 2, sizeof words - 2);
    }
    snprintf(text, sizeof text, "%s%s%s%s", row->sentence, words, *rows[i].more ? ".  " : "", rows[i].more);
    if (strcspn(text, "_ ") == strcspn(text, " ")) /* a word, not a name */
      text[0] = (char)toupper((unsigned char)text[0]);
    print_comment(text);
    printf("  %s%s;\n", rows[i].type, row->name);
  }
}

static void print_init(void)
{
  int column = printf("#define POOL_CONFIG_INIT { sizeof(pool_config_t)");
  for (int i = 0; i < ROWS; i++) {
    char value[24];
    bool is_pointer = rows[i].row.kind == TEXT;
    snprintf(value, sizeof value, is_pointer ? "NULL" : "%" PRId64, rows[i].row.initial);
    column += printf(",");
    if (column + (int)strlen(value) > WIDTH - 6)
      column = printf(" \\\n                          ") - 3;
    column += printf(" %s", value);
  }
  printf(" }\n");
}

/* ---- docs/settings.md ---- */

static bool is_name(const char *word, int length)
{
  return memchr(word, '_', (size_t)length) != NULL;
}

/* Names are code there, and functions have no parentheses. */
static void print_sentence(const char *text)
{
  static const char part_of_name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_*";
  while (*text) {
    int length = (int)strspn(text, part_of_name);
    printf(is_name(text, length) ? "`%.*s`" : "%.*s", length, text);
    text += length;
    if (is_name(text - length, length) && strncmp(text, "()", 2) == 0)
      text += 2;
    length = (int)strcspn(text, part_of_name);
    printf("%.*s", length, text);
    text += length;
  }
}

static void print_default(const struct setting_row *row)
{
  if (row->kind == TEXT)
    printf(strcmp(row->name, "name") == 0 ? "pool" : "none");
  else if (row->off == row->initial)
    print_sentence(row->off_means);
  else if (row_has_names(row))
    printf("%.*s", (int)strcspn(row->unit, " "), row->unit);
  else if (strcmp(row->unit, "ms") == 0 && row->initial % 1000 == 0)
    printf("%" PRId64 " s", row->initial / 1000);
  else
    printf("%" PRId64 "%s%s", row->initial, strlen(row->unit) == 2 ? " " : "", strlen(row->unit) == 2 ? row->unit : "");
}

static void print_range(const struct setting_row *row)
{
  char words[200];
  row_words(row, 0, words, sizeof words);
  print_sentence(words);
}

/* All settings with what a reader looks for first; each leads to its paragraph. */
static void print_table(void)
{
  printf("| setting | default | may be |\n|---|---|---|\n");
  for (int i = 0; i < ROWS; i++) {
    if (!*rows[i].section)
      continue;
    printf("| [`%s`](#%s) | ", rows[i].row.name, rows[i].row.name);
    print_default(&rows[i].row);
    printf(" | ");
    print_range(&rows[i].row);
    printf(" |\n");
  }
}

/* A sentence that begins with a capital, unless it begins with a name. */
static void print_capital(const char *text)
{
  char first[1000];
  snprintf(first, sizeof first, "%s", text);
  if (strcspn(first, "_ ") == strcspn(first, " "))
    first[0] = (char)toupper((unsigned char)first[0]);
  print_sentence(first);
}

static void print_paragraph(const struct text *text)
{
  printf("\n### `%s`\n\n", text->row.name);
  print_capital(text->row.sentence);
  printf(".%s", *text->more ? " " : "");
  for (const char *more = text->more; *more;) { /* one space between sentences */
    char piece[1000];
    size_t length = strstr(more, ".  ") ? (size_t)(strstr(more, ".  ") - more) + 2 : strlen(more);
    snprintf(piece, sizeof piece, "%.*s", (int)length, more);
    print_sentence(piece);
    more += length;
    more += strspn(more, " ");
  }
  printf("\n*Default: ");
  print_default(&text->row);
  if (has_range(&text->row)) {
    printf(". It may be ");
    print_range(&text->row);
  }
  printf(".*\n");
}

static int print_section(const char *section)
{
  int found = 0;
  for (int i = 0; i < ROWS; i++)
    if (strcasecmp(rows[i].section, section) == 0) {
      print_paragraph(&rows[i]);
      found++;
    }
  printf("\n");
  return found ? 0 : 1;
}

int main(int argc, char **argv)
{
  if (argc != 2)
    return 2;
  if (strcmp(argv[1], "members") == 0)
    print_members();
  else if (strcmp(argv[1], "init") == 0)
    print_init();
  else if (strcmp(argv[1], "all") == 0)
    print_table();
  else
    return print_section(argv[1]);
  return 0;
}
