/* SPDX-License-Identifier: MIT */
/*
 * What a described driver costs beside a compiled one: SQLite by drivers/foreign/descriptions/sqlite.pool, and by the
 * callbacks here, which make the same calls.
 *
 * A get and put without work call no driver, so they cost the same.  A reset and a check are calls by libffi.
 */
#include <getopt.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pool/driver.h>

#include "load.h"
#include "nothing.h"
#include "report.h"
#include "rounds.h"

static struct rounds rounds = {.count = 15, .ms = 80};

/* ---- the compiled driver ---- */

static int say(sqlite3 *database, int code, pool_error_t *error)
{
  error->code = POOL_E_BROKEN;
  error->native = code;
  snprintf(error->message, sizeof error->message, "%s", database ? sqlite3_errmsg(database) : "no memory");
  return POOL_E_BROKEN;
}

static int look(sqlite3 *database)
{
  return sqlite3_exec(database, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
}

static int compiled_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  sqlite3 *database = NULL;
  (void)context, (void)deadline_ns;
  int code = sqlite3_open_v2(":memory:", &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI, NULL);
  if (code == SQLITE_OK)
    code = sqlite3_busy_timeout(database, 5000);
  if (code == SQLITE_OK)
    code = look(database);
  *conn = database;
  return code ? say(database, code, error) : 0;
}

static int compiled_close(void *context, void *conn, pool_error_t *error)
{
  int code = sqlite3_close_v2(conn);
  (void)context;
  return code ? say(conn, code, error) : 0;
}

static int compiled_check(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  int moved = 0, code = sqlite3_file_control(conn, NULL, SQLITE_FCNTL_HAS_MOVED, &moved);
  (void)context, (void)deadline_ns;
  if (code == SQLITE_OK || code == SQLITE_NOTFOUND)
    code = moved ? SQLITE_IOERR : look(conn);
  return code ? say(conn, code, error) : 0;
}

static int compiled_reset(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  int code = sqlite3_get_autocommit(conn) ? SQLITE_OK : sqlite3_exec(conn, "ROLLBACK", NULL, NULL, NULL);
  (void)context, (void)deadline_ns;
  return code ? say(conn, code, error) : 0;
}

/* ---- both ---- */

struct driver {
  pool_vtable_t vtable;
  void *context;
};

static struct driver compiled(void)
{
  struct driver driver = {.vtable = POOL_VTABLE_INIT};
  driver.vtable.open = compiled_open;
  driver.vtable.close = compiled_close;
  driver.vtable.check = compiled_check;
  driver.vtable.reset = compiled_reset;
  return driver;
}

static struct driver described(void)
{
  struct driver driver = {.vtable = POOL_VTABLE_INIT};
  pool_error_t error = POOL_ERROR_INIT;
  if (pool_url_prepare("sqlite::memory:", NULL, &driver.vtable, &driver.context, &error) != 0)
    give_up("%s", error.message);
  return driver;
}

enum work { NO_WORK, RESETS, CHECKS };

static pool_t *pool_with(struct driver driver, enum work work)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.initial = config.max_open = 8;
  config.check_after_ms = work == CHECKS ? 0 : -1;
  if (work != RESETS)
    driver.vtable.reset = NULL;
  return pool_of(&config, driver.vtable, driver.context);
}

/* The ratio is what the described driver costs, times what the compiled one does. */
static void measure(const char *name, enum work work, struct bound bound)
{
  char part[64];
  pool_t *first = pool_with(described(), work), *second = pool_with(compiled(), work);
  struct comparison result = compare((struct side){use_pool, first, 1}, (struct side){use_pool, second, 1}, rounds);
  pool_free(first);
  pool_free(second);
  report(name, result.ratio, "times a compiled driver", bound);
  snprintf(part, sizeof part, "%s.described", name);
  report_only(part, 1e9 / result.first, "ns");
  snprintf(part, sizeof part, "%s.compiled", name);
  report_only(part, 1e9 / result.second, "ns");
}

/* ---- the command line ---- */

static void show_usage(FILE *file)
{
  fprintf(file, "usage: bench_foreign [OPTION]...\n"
                "Measures what a driver that a text describes costs beside a compiled one.\n\n"
                "  --json FILE     writes the figures to FILE, too\n"
                "  --rounds N      rounds of each side of a comparison (15)\n"
                "  --help          shows this\n");
}

/* Returns where the JSON goes, or NULL. */
static const char *understand(int argc, char **argv)
{
  static const struct option options[] = {{"json", required_argument, NULL, 'j'},
                                          {"rounds", required_argument, NULL, 'r'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  const char *json = NULL;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
    if (option == 'j')
      json = optarg;
    else if (option == 'r' && atoi(optarg) > 0)
      rounds.count = atoi(optarg);
    else {
      show_usage(option == 'h' ? stdout : stderr);
      exit(option == 'h' ? 0 : 2);
    }
  return json;
}

int main(int argc, char **argv)
{
  const char *json = understand(argc, argv);
  struct load before = load_now();
  report_begin();
  measure("get_put", NO_WORK, (struct bound){AT_MOST, 1.05});
  measure("get_put_with_reset", RESETS, (struct bound){NO_BOUND, 0});
  measure("get_put_with_check", CHECKS, (struct bound){NO_BOUND, 0});
  report_only("load_of_others", load_of_others_since(&before), "processors");
  if (json && report_write(json) != 0)
    give_up("cannot write %s", json);
  return 0;
}
