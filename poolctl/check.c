/* SPDX-License-Identifier: MIT */
/*
 * poolctl check: one connection without a pool, step by step.
 *
 * A driver resolves, connects, encrypts and logs in within one callback, `open`, and says by pool_phase() which of
 * these it is about.
 */
#include <stdio.h>
#include <string.h>

#include <pool/driver.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/text.h"
#include "commands.h"
#include "say.h"

/* A phase of the open. */
struct phase {
  bool under_way;
  char name[32]; /* "": the driver has said none */
  char detail[400];
  int64_t began;
};

struct check {
  const struct arguments *arguments;
  pool_vtable_t vtable;
  void *context, *conn;
  json_t *steps;
  struct phase phase; /* the last that was said */
  int code;
};

/* ---- what came of a step ---- */

static void print_step(const char *step, bool ok, int64_t ns, const char *note)
{
  char took[SAY_TIME_ROOM];
  bool colours = say_may_colour(stdout);
  printf("%-16s %s%-6s%s %9s  %s\n", step,
         !colours ? ""
         : ok     ? "\033[32m"
                  : "\033[31m",
         ok ? "ok" : "failed", colours ? "\033[0m" : "", say_time(took, ns), note);
  fflush(stdout);
}

/* Returns what is said of it with --json, for more. */
static json_t *add(struct check *check, const char *step, bool ok, int64_t began, const char *text)
{
  int64_t ns = clock_now() - began;
  json_t *one = json_pack("{s:s, s:b, s:I}", "step", step, "ok", ok, "ns", (json_int_t)ns);
  if (text[0])
    json_object_set_new(one, "note", json_string(text));
  json_array_append_new(check->steps, one);
  if (!check->arguments->json)
    print_step(step, ok, ns, text);
  return one;
}

/* A step that failed is called after its last phase, where it has phases. */
static void note(struct check *check, const char *step, int64_t began, const pool_error_t *error, const char *phase)
{
  json_t *one = add(check, step, !error, began, phase[0] ? "in all" : "");
  if (!error)
    return;
  json_object_set_new(one, "code", json_integer(error->code));
  json_object_set_new(one, "message", json_string(error->message));
  if (phase[0])
    json_object_set_new(one, "phase", json_string(phase));
  check->code = say_failure(EXIT_FAILED, "%s: %s", phase[0] ? phase : step,
                            error->message[0] ? error->message : "no reason was given");
}

/* A step that the driver does not have. */
static void skip(struct check *check, const char *step)
{
  json_array_append_new(check->steps,
                        json_pack("{s:s, s:b, s:s}", "step", step, "ok", 1, "note", "the driver has none"));
  if (!check->arguments->json)
    printf("%-16s %-6s %9s  %s\n", step, "-", "", "the driver has none");
}

/* ---- the phases of an open ---- */

static void end_phase(struct check *check, bool ok, const char *why)
{
  struct phase *phase = &check->phase;
  char text[sizeof phase->detail + sizeof(pool_error_t)];
  if (!phase->under_way)
    return;
  phase->under_way = false;
  snprintf(text, sizeof text, "%s%s%.400s", phase->detail, phase->detail[0] && why[0] ? ": " : "", why);
  text_clean(text); /* a server's message shall not steer the terminal */
  json_object_set_new(add(check, phase->name, ok, phase->began, text), "of", json_string("open"));
}

static void hear_phase(void *user, const char *name, const char *detail)
{
  struct check *check = user;
  struct phase *phase = &check->phase;
  end_phase(check, name != NULL, name || !detail ? "" : detail);
  if (!name)
    return;
  text_copy(phase->name, sizeof phase->name, name);
  text_copy(phase->detail, sizeof phase->detail, detail ? detail : "");
  phase->began = clock_now();
  phase->under_way = true;
}

/* ---- the driver ---- */

static bool prepare(struct check *check)
{
  pool_error_t error = POOL_ERROR_INIT;
  int64_t began = clock_now();
  int code = pool_url_prepare(check->arguments->url, NULL, &check->vtable, &check->context, &error);
  note(check, "prepare", began, code ? &error : NULL, "");
  if (code == POOL_E_INVALID)
    check->code = EXIT_USAGE;
  if (code == POOL_E_DRIVER)
    check->code = EXIT_ABSENT;
  return code == 0;
}

static int64_t deadline(const struct check *check)
{
  return clock_now() + check->arguments->timeout_ms * 1000000;
}

static bool open_connection(struct check *check)
{
  pool_error_t error = POOL_ERROR_INIT;
  int64_t began = clock_now();
  pool_phase_listen(hear_phase, check);
  int code = check->vtable.open(check->context, deadline(check), &check->conn, &error);
  pool_phase_listen(NULL, NULL);
  end_phase(check, code == 0, "");
  note(check, "open", began, code ? &error : NULL, check->phase.name);
  return code == 0;
}

typedef int step_fn(void *context, void *conn, int64_t deadline_ns, pool_error_t *error);

static void run_step(struct check *check, const char *name, step_fn *step)
{
  pool_error_t error = POOL_ERROR_INIT;
  int64_t began = clock_now();
  if (!step)
    skip(check, name);
  else {
    int code = step(check->context, check->conn, deadline(check), &error);
    note(check, name, began, code ? &error : NULL, "");
  }
}

static void close_connection(struct check *check)
{
  pool_error_t error = POOL_ERROR_INIT;
  int64_t began = clock_now();
  int code = check->vtable.close(check->context, check->conn, &error);
  note(check, "close", began, code ? &error : NULL, "");
}

int check_run(const struct arguments *arguments)
{
  struct check check = {.arguments = arguments, .vtable = POOL_VTABLE_INIT, .steps = json_array()};
  if (prepare(&check)) {
    if (open_connection(&check)) {
      run_step(&check, "check", check.vtable.check);
      run_step(&check, "reset", check.vtable.reset);
      close_connection(&check);
    }
    if (check.vtable.release)
      check.vtable.release(check.context);
  }
  if (arguments->json)
    say_json(json_pack("{s:b, s:O}", "ok", check.code == 0, "steps", check.steps));
  json_decref(check.steps);
  return check.code;
}
