/* SPDX-License-Identifier: MIT */
#include "engine.h"

#include <stdio.h>
#include <string.h>

pool_budget_engine_t engine = {.size = sizeof engine};

int64_t in_ms(int64_t ms)
{
  return now_ns() + ms * 1000000;
}

/* ---- places ---- */

void url_at(char url[URL_SIZE], int port, const char *name, int32_t limit, const char *rest)
{
  snprintf(url, URL_SIZE, "%s://%s127.0.0.1:%d%s/%s?limit=%d%s", kind.scheme, kind.login, port, kind.path, name, limit,
           rest);
}

void url_by_tls(char url[URL_SIZE], const char *name, int32_t limit)
{
  snprintf(url, URL_SIZE, "%ss://%slocalhost:%d%s/%s?limit=%d&ca=%s", kind.scheme, kind.login, *kind.tls_port,
           kind.path, name, limit, kind.certificate);
}

void *open_at(const char *url, const char *name, int32_t limit, int64_t term_ms)
{
  void *ledger = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  pool_budget_place_t place = {.size = sizeof place, .url = url, .name = name, .limit = limit, .term_ms = term_ms};
  if (engine.open(&place, &ledger, &error) != 0)
    fail_msg("%s", error.message);
  return ledger;
}

void *open_ledger(const char *name, int32_t limit, int64_t term_ms)
{
  char url[URL_SIZE], term[40];
  snprintf(term, sizeof term, "&term_ms=%lld", (long long)term_ms);
  url_at(url, *kind.port, name, limit, term);
  return open_at(url, name, limit, term_ms);
}

/* ---- members ---- */

static int64_t since_ns(const struct member *member)
{
  return member->waits_ms == -1 ? -1 : now_ns() - member->waits_ms * 1000000;
}

int ask(void *ledger, struct member *member, int64_t deadline_ns, pool_error_t *error)
{
  static const char who[] = "host\0004711\0c\0pool";
  pool_budget_ask_t question = {.size = sizeof question,
                                .member = member->id,
                                .epoch = member->told.epoch,
                                .since_ns = since_ns(member),
                                .open = member->open,
                                .wants = member->wants,
                                .waiting = member->waiting,
                                .weight = member->weight,
                                .floor = member->floor,
                                .who_size = sizeof who,
                                .who = who};
  return engine.sync(ledger, &question, &member->told, deadline_ns, error);
}

int see(void *user, const pool_budget_member_t *member)
{
  int *seen = user;
  assert_string_equal(member->host, "host");
  assert_int_equal(member->process, 4711);
  assert_string_equal(member->language, "c");
  assert_string_equal(member->pool, "pool");
  *seen += member->open;
  return 0;
}

void sync_one(void *ledger, struct member *member)
{
  pool_error_t error = POOL_ERROR_INIT;
  if (ask(ledger, member, in_ms(60000), &error) != 0)
    fail_msg("%s", error.message);
}

void await_sync(void *ledger, struct member *member)
{
  pool_error_t error = POOL_ERROR_INIT;
  wait_until(ask(ledger, member, in_ms(60000), &error) == 0);
}

void leave(void *ledger, uint64_t member)
{
  pool_error_t error = POOL_ERROR_INIT;
  if (engine.leave(ledger, member, in_ms(60000), &error) != 0)
    fail_msg("%s", error.message);
}

uint64_t wait_told(void *ledger)
{
  uint64_t told = 0;
  pool_error_t error = POOL_ERROR_INIT;
  int count = engine.wait(ledger, in_ms(60000), &told, 1, &error);
  if (count != 1)
    fail_msg("%d: %s", count, error.message);
  return told;
}

void hand_half_over(void *first, struct member *from, void *second, struct member *to)
{
  wait_until((sync_one(first, from), from->told.granted == 10));
  from->open = 10;
  sync_one(first, from);
  wait_until((sync_one(second, to), to->told.target == 5));
  assert_int_equal(wait_told(first), from->id);
  from->open = 5;
  sync_one(first, from);
  assert_int_equal(wait_told(second), to->id);
  sync_one(second, to);
  assert_int_equal(to->told.granted, 5);
}

void *half_open(const char *name, struct member *member, int64_t term_ms)
{
  void *ledger = kind.open_new(name, 10, term_ms);
  *member = MEMBER(1, .wants = 10);
  wait_until((sync_one(ledger, member), member->told.granted == 10));
  member->open = member->wants = 6;
  sync_one(ledger, member);
  return ledger;
}

void expect_learning(void *ledger, struct member *old)
{
  struct member young = MEMBER(2, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  wait_until(ask(ledger, &young, in_ms(60000), &error) == 0 && young.told.learns == 1); /* the first may not arrive */
  assert_int_equal(young.told.granted, 0);
  await_sync(ledger, old);
  assert_int_equal(old->told.granted, 6);
  wait_until((sync_one(ledger, old), sync_one(ledger, &young), young.told.granted == 4));
  assert_int_equal(young.told.learns, 0);
  assert_int_equal(old->told.granted, 6);
}

int expect_no_entry(const char *url, int code, const char *password, const char *text)
{
  struct member member = MEMBER(1);
  pool_error_t error = POOL_ERROR_INIT;
  void *ledger = open_at(url, "users", 3, HOUR_MS);
  assert_int_equal(ask(ledger, &member, in_ms(60000), &error), code);
  if (!strstr(error.message, text) || strstr(error.message, password))
    fail_msg("%s", error.message);
  int looked = engine.look(ledger, NULL, NULL, NULL, in_ms(60000), &error);
  engine.close(ledger);
  assert_int_not_equal(looked, 0);
  return looked;
}

/* ---- tests ---- */

int engine_recover(void **state)
{
  (void)state;
  if (kind.server->process)
    server_thaw(kind.server);
  else
    kind.start();
  return 0;
}
