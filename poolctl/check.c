/* SPDX-License-Identifier: MIT */
/*
 * poolctl check: one connection without a pool, step by step.
 *
 * A driver resolves, connects, encrypts and logs in within one callback, `open`.  Here the names of the URL are
 * resolved once more by themselves, so that a slow or wrong name server is seen.
 */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <pool/driver.h>

#include "arguments.h"
#include "base/clock.h"
#include "base/url.h"
#include "commands.h"
#include "say.h"

struct check {
  const struct arguments *arguments;
  pool_vtable_t vtable;
  void *context, *conn;
  json_t *steps;
  int code;
};

/* ---- what came of a step ---- */

static void print_step(const char *step, bool ok, int64_t ns, const char *note)
{
  char took[SAY_TIME_ROOM];
  bool colours = say_may_colour(stdout);
  printf("%-8s %s%-6s%s %9s  %s\n", step,
         !colours ? ""
         : ok     ? "\033[32m"
                  : "\033[31m",
         ok ? "ok" : "failed", colours ? "\033[0m" : "", say_time(took, ns), note);
  fflush(stdout);
}

static void note(struct check *check, const char *step, int64_t began, const pool_error_t *error, const char *text)
{
  int64_t ns = clock_now() - began;
  bool ok = !error;
  json_t *one = json_pack("{s:s, s:b, s:I}", "step", step, "ok", ok, "ns", (json_int_t)ns);
  if (text[0])
    json_object_set_new(one, "note", json_string(text));
  if (error) {
    json_object_set_new(one, "code", json_integer(error->code));
    json_object_set_new(one, "message", json_string(error->message));
  }
  json_array_append_new(check->steps, one);
  if (!check->arguments->json)
    print_step(step, ok, ns, text);
  if (error)
    check->code = say_failure(EXIT_FAILED, "%s: %s", step, error->message[0] ? error->message : "no reason was given");
}

/* A step that the driver does not have. */
static void skip(struct check *check, const char *step)
{
  json_array_append_new(check->steps,
                        json_pack("{s:s, s:b, s:s}", "step", step, "ok", 1, "note", "the driver has none"));
  if (!check->arguments->json)
    printf("%-8s %-6s %9s  %s\n", step, "-", "", "the driver has none");
}

/* ---- names ---- */

static void append_address(char *text, size_t room, const struct addrinfo *address)
{
  char name[64];
  size_t length = strlen(text);
  if (getnameinfo(address->ai_addr, address->ai_addrlen, name, sizeof name, NULL, 0, NI_NUMERICHOST) == 0)
    snprintf(text + length, room - length, "%s%.60s", length ? " " : "", name);
}

static void resolve_one(struct check *check, const char *host)
{
  char text[300] = "";
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  int64_t began = clock_now();
  int problem = getaddrinfo(host, NULL, &hints, &found);
  for (struct addrinfo *address = found; address; address = address->ai_next)
    append_address(text, sizeof text, address);
  if (found)
    freeaddrinfo(found);
  error.code = POOL_E_OPEN;
  if (problem)
    snprintf(error.message, sizeof error.message, "%.200s: %s", host, gai_strerror(problem));
  note(check, "resolve", began, problem ? &error : NULL, text);
}

static void resolve(struct check *check)
{
  struct url url;
  if (url_read(&url, check->arguments->url))
    return; /* the library has said more about it already */
  for (size_t i = 0; i < url.host_count; i++)
    if (url.hosts[i].name[0] != '/')
      resolve_one(check, url.hosts[i].name);
  url_free(&url);
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
  int code = check->vtable.open(check->context, deadline(check), &check->conn, &error);
  note(check, "open", began, code ? &error : NULL, "");
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
    resolve(&check);
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
