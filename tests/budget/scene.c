/* SPDX-License-Identifier: MIT */
#include "scene.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TERM_MS 1000

struct scene scene = {.term_ms = TERM_MS};

static const char *const names[] = {"host", "redis", "etcd"};

const char *scene_name(void)
{
  return names[scene.ledger];
}

int scene_port(void)
{
  return scene.ledger == SCENE_ETCD ? scene.etcd.port : scene.redis.port;
}

/* ---- members ---- */

static void encode(const char *text, char *to)
{
  for (; *text; text++)
    to += isalnum((unsigned char)*text) ? sprintf(to, "%c", *text) : sprintf(to, "%%%02X", (unsigned char)*text);
}

void scene_budget_url(char url[URL_SIZE], const char *address, int port, const char *name, int limit, const char *rest)
{
  if (scene.ledger == SCENE_HOST)
    snprintf(url, URL_SIZE, "host:fleet-%d-%s?limit=%d%s", (int)getpid(), name, limit, rest);
  else if (scene.ledger == SCENE_REDIS)
    snprintf(url, URL_SIZE, "redis://:" REDIS_PASSWORD "@%s:%d/0/%s?limit=%d%s", address, port, name, limit, rest);
  else
    snprintf(url, URL_SIZE, "etcd://%s:%d/%s?limit=%d%s", address, port, name, limit, rest);
}

void scene_pool_url(char url[URL_SIZE], const char *address, const char *budget, const char *settings)
{
  char encoded[URL_SIZE / 2] = "";
  int size = snprintf(url, URL_SIZE, "postgres://" POSTGRES_USER "@%s:%d/postgres?pool.max_open=48%s", address,
                      scene.postgres.port, settings);
  encode(budget, encoded);
  if (*budget)
    snprintf(url + size, (size_t)(URL_SIZE - size), "&pool.budget=%s", encoded);
}

static void start(int index, int port, const char *name, int limit, const char *rest, const char *settings)
{
  char all[200], budget[URL_SIZE], url[URL_SIZE];
  snprintf(all, sizeof all, "&term_ms=%d%s", scene.term_ms, rest);
  scene_budget_url(budget, "127.0.0.1", port, name, limit, scene.ledger == SCENE_HOST ? rest : all);
  scene_pool_url(url, "127.0.0.1", budget, settings);
  const char *arguments[] = {scene.programs[0], url, NULL};
  process_start(&scene.crowd[index], -1, arguments);
}

void scene_start(int index, const char *name, int limit, const char *rest, const char *settings)
{
  start(index, scene_port(), name, limit, rest, settings);
}

void scene_start_at(int index, int port, const char *name, const char *rest, const char *settings)
{
  start(index, port, name, FEW, rest, settings);
}

void scene_start_all(int count, const char *name, int limit, const char *rest)
{
  census_limit(&scene.census, limit);
  for (int i = 0; i < count; i++)
    scene_start(i, name, limit, rest, "");
}

void scene_demand(int index, int users)
{
  process_tell(&scene.crowd[index], "users 0 %d", users);
}

int64_t scene_open(int index)
{
  return process_ask(&scene.crowd[index], 0).open;
}

int64_t scene_sum(int from, int to)
{
  int64_t sum = 0;
  for (int i = from; i < to; i++)
    sum += scene_open(i);
  return sum;
}

int scene_clear(void **state)
{
  (void)state;
  scene.term_ms = TERM_MS;
  int killed = processes_end(scene.crowd, CROWD_MOST);
  if (killed)
    fail_msg("%d members did not end and were killed", killed);
  wait_until(census_read(&scene.census).now == 0);
  return 0;
}

int scene_run(const struct CMUnitTest *tests, int count)
{
  int failed = 0;
  for (int i = 0; i < count && !failed; i++) {
    const struct CMUnitTest one[] = {tests[i]};
    failed = cmocka_run_group_tests_name(scene_name(), one, NULL, NULL);
    if (failed)
      print_message("%s: the tests after %s are not run\n", scene_name(), one[0].name);
  }
  return failed;
}

/* ---- what is counted ---- */

/* What the members say, for one that reads of a failure.  One that is stopped says nothing. */
static void show(int index)
{
  struct said said;
  struct process *process = &scene.crowd[index];
  if (process->id == 0 || !process->ready || process->stopped || process->silent)
    return;
  if (!process_says(process, 0, LONG_NS / 60, &said))
    print_message("member %d says nothing\n", index);
  else
    print_message("member %d: open %lld, granted %lld, share %lld, cut off %lld\n", index, (long long)said.open,
                  (long long)said.granted, (long long)said.share, (long long)said.cut_off);
}

static void show_all(void)
{
  for (int i = 0; i < CROWD_MOST; i++)
    show(i);
}

void scene_expect_never_above(int limit)
{
  wait_until(census_read(&scene.census).counts > 0);
  struct census seen = census_read(&scene.census);
  if (seen.most > limit)
    show_all();
  if (seen.most > limit)
    fail_msg("the server had %d connections, and the limit is %d; on a machine where an answer takes longer than a "
             "quarter of a term, %d ms, members are cut off, and those that keep what they have are above it",
             seen.most, limit, scene.term_ms / 4);
}

void scene_await_sum(int sum)
{
  int64_t began_ns = now_ns();
  while (census_read(&scene.census).now != sum && now_ns() - began_ns < LONG_NS)
    pause_briefly();
  if (census_read(&scene.census).now == sum)
    return;
  show_all();
  fail_msg("the server has %d connections and not %d", census_read(&scene.census).now, sum);
}

void scene_say(const char *what, int64_t since_ns)
{
  struct census seen = census_read(&scene.census);
  print_message("%s: %s after %d ms; %lld counts, %d to %d connections\n", scene_name(), what,
                (int)((now_ns() - since_ns) / 1000000), (long long)seen.counts, seen.least, seen.most);
}

/* ---- the ledger's server ---- */

void scene_kill_ledger(void)
{
  server_kill(scene.ledger == SCENE_ETCD ? &scene.etcd.server : &scene.redis.server);
}

void scene_start_ledger(void)
{
  if (scene.ledger == SCENE_ETCD)
    etcd_start(&scene.etcd);
  else
    redis_start(&scene.redis);
}

bool scene_are_cut_off(int from, int to, int64_t cut_off)
{
  for (int i = from; i < to; i++)
    if (process_ask(&scene.crowd[i], 0).cut_off != cut_off)
      return false;
  return true;
}

void scene_run_for_terms(int terms)
{
  int64_t began_ns = now_ns();
  wait_until(now_ns() - began_ns > terms * scene.term_ms * INT64_C(1000000));
}

/* ---- begin and end ---- */

/* Sessions from the machines are trusted too. */
static void let_machines_in(void)
{
  char path[200];
  snprintf(path, sizeof path, "%s/pg_hba.conf", scene.postgres.data);
  FILE *file = fopen(path, "a");
  must(file != NULL);
  fputs("host all all 10.77.0.0/16 trust\n", file);
  must(fclose(file) == 0);
}

static void start_postgres(void)
{
  static const char *settings[] = {"-c", "max_connections=120", "-c", "shared_buffers=16MB",
                                   "-c", "listen_addresses=*"};
  int local = scene.machines.count ? 0 : 2; /* without machines, of this machine alone */
  postgres_make(&scene.postgres);
  memcpy(scene.postgres.settings, settings, sizeof settings - (size_t)local * sizeof *settings);
  if (scene.machines.count)
    let_machines_in();
  postgres_start(&scene.postgres);
}

static void start_redis(void)
{
  static const char *settings[] = {"--appendonly", "yes", "--appendfsync", "always", "--bind", "0.0.0.0"};
  int local = scene.machines.count ? 0 : 2;
  memcpy(scene.redis.settings, settings, sizeof settings - (size_t)local * sizeof *settings);
  redis_make(&scene.redis);
}

static bool read_ledger(const char *name)
{
  for (int i = 0; i < 3; i++)
    if (strcmp(name, names[i]) == 0) {
      scene.ledger = (enum scene_ledger)i;
      return true;
    }
  return false;
}

bool scene_begin(int argc, char **argv)
{
  if (argc < 3 || !read_ledger(argv[1])) {
    fprintf(stderr, "usage: %s host|redis|etcd MEMBER_IN_C [MEMBER...]\n", argv[0]);
    return false;
  }
  scene.programs = (const char *const *)argv + 2;
  scene.languages = argc - 2;
  signal(SIGPIPE, SIG_IGN);
  if (!machines_make(&scene.machines))
    print_message("all members are on one machine, for it allows no network namespaces: %s\n", scene.machines.why);
  start_postgres();
  if (scene.ledger == SCENE_REDIS)
    start_redis();
  if (scene.ledger == SCENE_ETCD)
    etcd_make(&scene.etcd);
  census_start(&scene.census, scene.postgres.port, scene.machines.keeper, scene.machines.count);
  return true;
}

void scene_end(void)
{
  census_end(&scene.census);
  postgres_remove(&scene.postgres);
  if (scene.ledger == SCENE_REDIS)
    redis_remove(&scene.redis);
  if (scene.ledger == SCENE_ETCD)
    etcd_remove(&scene.etcd);
  machines_end(&scene.machines);
}
