/* SPDX-License-Identifier: MIT */
/* Reads a board of Grafana, and prints the query of each panel.  Fails where it is none that Grafana would take.
   usage: dashboard FILE */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, const char *where)
{
  fprintf(stderr, "%s: %s\n", where, what);
  return 1;
}

static const char *text_of(const json_t *object, const char *name)
{
  const char *text = json_string_value(json_object_get(object, name));
  return text ? text : "";
}

static int print_panel(const json_t *panel)
{
  size_t i;
  json_t *target;
  const char *title = text_of(panel, "title");
  json_t *targets = json_object_get(panel, "targets");
  if (!title[0] || strcmp(text_of(panel, "type"), "timeseries") != 0 || !json_object_get(panel, "gridPos"))
    return fail("a panel has a title, a type and a place", title);
  if (json_array_size(targets) == 0)
    return fail("a panel shows something", title);
  json_array_foreach(targets, i, target)
  {
    if (!text_of(target, "expr")[0] || !text_of(target, "refId")[0])
      return fail("a target has a query and a letter", title);
    puts(text_of(target, "expr"));
  }
  return 0;
}

int main(int count, char **words)
{
  json_error_t error;
  size_t i;
  json_t *board = count == 2 ? json_load_file(words[1], JSON_REJECT_DUPLICATES, &error) : NULL, *panel;
  json_t *panels = json_object_get(board, "panels");
  int failed = 0;
  if (!board || !text_of(board, "title")[0] || !text_of(board, "uid")[0] || json_array_size(panels) == 0 ||
      json_integer_value(json_object_get(board, "schemaVersion")) < 1)
    return fail("no board", count == 2 ? words[1] : "usage");
  json_array_foreach(panels, i, panel) failed |= print_panel(panel);
  json_decref(board);
  return failed;
}
