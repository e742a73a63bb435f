/* SPDX-License-Identifier: MIT */
/* What is particular to the engine `etcd` of budgets. */
#include "engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget-etcd/gateway.h"
#include "drivers/etcd_server.h"

POOL_API pool_budget_engine_fn pool_budget_engine_etcd;

static struct etcd server;

/* ---- the test's own connection ---- */

static struct place admin_place;
static struct gateway admin = {.place = &admin_place};

static void administer(const char *path, const char *request, json_t **answer)
{
  json_t *got;
  pool_error_t error = POOL_ERROR_INIT;
  struct json_text body = {.limit = GATEWAY_BYTES};
  json_text_say(&body, request);
  if (gateway_ask(&admin, path, &body, &got, in_ms(60000), &error) != 0)
    fail_msg("%s: %s", path, error.message);
  json_text_free(&body);
  if (answer)
    *answer = got;
  else
    json_decref(got);
}

static void key_of(const char *name, struct json_text *body)
{
  char key[64];
  snprintf(key, sizeof key, "libpool/budget/%s", name);
  gateway_add_bytes(body, "key", key, strlen(key));
}

static void put_ledger(const char *name, const char *text)
{
  struct json_text body = {.limit = GATEWAY_BYTES};
  json_text_say(&body, "{");
  key_of(name, &body);
  json_text_say(&body, ",");
  gateway_add_bytes(&body, "value", text, strlen(text));
  json_text_add(&body, "}", 2);
  administer("/v3/kv/put", body.data, NULL);
  json_text_free(&body);
}

/* free() gives it back. */
static char *get_ledger(const char *name)
{
  size_t size;
  json_t *answer;
  struct json_text body = {.limit = GATEWAY_BYTES};
  json_text_say(&body, "{");
  key_of(name, &body);
  json_text_add(&body, "}", 2);
  administer("/v3/kv/range", body.data, &answer);
  json_text_free(&body);
  char *text = gateway_bytes(json_array_get(json_object_get(answer, "kvs"), 0), "value", &size);
  json_decref(answer);
  assert_non_null(text);
  return text;
}

/* How many keys begin with that of a ledger, the ledger's own among them. */
static int64_t keys_of(const char *name)
{
  char end[64];
  json_t *answer;
  struct json_text body = {.limit = GATEWAY_BYTES};
  snprintf(end, sizeof end, "libpool/budget/%s0", name); /* '0' is behind '/' */
  json_text_say(&body, "{");
  key_of(name, &body);
  json_text_say(&body, ",\"count_only\":true,");
  gateway_add_bytes(&body, "range_end", end, strlen(end));
  json_text_add(&body, "}", 2);
  administer("/v3/kv/range", body.data, &answer);
  json_text_free(&body);
  int64_t count = gateway_number(answer, "count");
  json_decref(answer);
  return count;
}

/* As the text of a ledger has it. */
static int64_t cluster_id(void)
{
  json_t *answer;
  administer("/v3/maintenance/status", "{}", &answer);
  const char *text = json_string_value(json_object_get(json_object_get(answer, "header"), "cluster_id"));
  int64_t id = (int64_t)strtoull(text, NULL, 10);
  json_decref(answer);
  return id;
}

/* A ledger that has no member, so that it need not learn, and of which many may be told. */
static void *open_new(const char *name, int32_t limit, int64_t term_ms)
{
  char text[256];
  snprintf(text, sizeof text, "libpool budget 1\n1 %" PRId64 " %d %" PRId64 " 0 -1\n0 0 0 0 0 1000000 0 0 0\n",
           cluster_id(), limit, term_ms * 1000);
  void *ledger = open_ledger(name, limit, term_ms);
  put_ledger(name, text);
  return ledger;
}

static int64_t seat_of(const char *name, uint64_t member)
{
  char line[32], *text = get_ledger(name);
  snprintf(line, sizeof line, "\n%" PRIu64 " ", member);
  const char *found = text;
  for (int i = 0; found && i < 2; i++) /* the lines before those of members */
    found = strchr(found + 1, '\n');
  found = found ? strstr(found + 1, line) : NULL;
  assert_non_null(found);
  int64_t seat = strtoll(found + strlen(line), NULL, 10);
  free(text);
  return seat;
}

/* By the key that the process of a member watches. */
static void tell(const char *name, uint64_t member)
{
  char key[64], id[24];
  snprintf(key, sizeof key, "%s/told/%08" PRIx64, name, seat_of(name, member));
  snprintf(id, sizeof id, "%" PRIu64 " ", member);
  put_ledger(key, id);
}

/* ---- a ledger that was lost ---- */

/* The text says that another cluster had it: what that one granted last is not known. */
static void test_budget_etcd__a_cluster_that_was_made_of_a_copy_learns(void **state)
{
  (void)state;
  void *ledger = open_ledger("copy", 10, HOUR_MS);
  struct member young = MEMBER(2, .wants = 10);
  put_ledger("copy", "libpool budget 1\n7 4711 10 3600000000 5 -1\n0 0 0 5 5 5 5 0 0\n");
  sync_one(ledger, &young);
  assert_int_equal(young.told.epoch, 7);
  assert_int_equal(young.told.learns, 1);
  assert_int_equal(young.told.granted, 0);
  engine.close(ledger);
}

/* ---- ledgers of others ---- */

static void expect_refused(void *ledger, const char *text)
{
  struct member member = MEMBER(1, .wants = 10);
  pool_error_t error = POOL_ERROR_INIT;
  put_ledger("alien", text);
  assert_int_equal(ask(ledger, &member, in_ms(60000), &error), POOL_E_INVALID);
  assert_non_null(strstr(error.message, "the key libpool/budget/alien has a value that is no ledger"));
  assert_int_equal(engine.look(ledger, NULL, NULL, NULL, in_ms(60000), &error), POOL_E_INVALID);
  assert_int_equal(engine.leave(ledger, 1, in_ms(60000), &error), POOL_E_INVALID);
  char *left = get_ledger("alien");
  assert_string_equal(left, text);
  free(left);
}

#define HEAD                    "libpool budget 1\n1 0 10 5000 0 -1\n"
#define MEMBER_OF(numbers, who) HEAD "0 0 0 0 0 0 0 0 1\n" numbers " " who "\n"

static void test_budget_etcd__a_value_of_others_is_refused_by_its_key(void **state)
{
  (void)state;
  static const char *const wrong[] = {
      "x",
      "libpool budget 2\n1 0 10 5000 0 -1\n0 0 0 0 0 0 0 0 0\n",
      "libpool budget 1\n",
      "libpool budget 1\nblue",
      "libpool budget 1\n1 0 0 5000 0 -1\n0 0 0 0 0 0 0 0 0\n",                  /* no limit */
      "libpool budget 1\n1 0 10 99999999999999999999 0 -1\n0 0 0 0 0 0 0 0 0\n", /* no term */
      HEAD "0 0 2 0 0 0 0 0 0\n",
      HEAD "0 0 0 0 0 0 0 0 5000000\n",
      HEAD "0 0 0 0 0 0 0 0 1\n", /* a member is missing */
      HEAD "0 0 0 0 0 0 0 0 0\nmore",
      MEMBER_OF("0 1 0 0 -1 1 1 1 1 0 1 1 0 0 0 0", "nobody"),
      MEMBER_OF("1 1 0 0 -1 2 1 1 1 0 1 1 0 0 0 0", "has more open than it was granted"),
      MEMBER_OF("1 1 0 0 -1 -1 1 1 1 0 1 1 0 0 0 0", "less than nothing"),
      MEMBER_OF("1 1 0 0 -1 1 1 1 0 0 1 1 0 0 0 0", "no weight"),
      MEMBER_OF("1 1 0 0 -1 1 1 1 1 0 1 1 0 0 0 3", "told what"),
      MEMBER_OF("1 1 0 0 -1 1 1 1 1 0 1 1 0 0 0 0",
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890"
                "12345678901234567890123456789012345678901234567890"),
  };
  void *ledger = open_ledger("alien", 10, HOUR_MS);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    expect_refused(ledger, wrong[i]);
  engine.close(ledger);
}

/* ---- keys of those that are told ---- */

/* Two processes, one of which has left when the other is told no more. */
static void test_budget_etcd__what_was_told_those_that_are_gone_is_gone(void **state)
{
  (void)state;
  void *first = open_new("keys", 10, HOUR_MS), *second = open_ledger("keys", 10, HOUR_MS);
  struct member a = MEMBER(1, .wants = 10), b = MEMBER(2, .wants = 10);
  hand_half_over(first, &a, second, &b);
  leave(second, 1);
  assert_int_equal(wait_told(second), 2);
  assert_int_equal(keys_of("keys"), 2);
  leave(second, 2);
  assert_int_equal(keys_of("keys"), 1);
  engine.close(first);
  engine.close(second);
}

/* ---- watches that are none ---- */

static const char answer_head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

/* A message that never ends, and for the next that asks one that does. */
static void watch_without_end(struct impostor *impostor, int connection)
{
  static const char message[] = "{\"result\":{}}\n";
  static char blanks[1024 * 1024];
  static bool was_asked;
  bool again = was_asked;
  bool goes_on = impostor_hear(impostor, connection) && impostor_send(connection, answer_head, sizeof answer_head - 1);
  was_asked = true;
  memset(blanks, ' ', sizeof blanks);
  while (goes_on && !again)
    goes_on = impostor_send(connection, blanks, sizeof blanks);
  if (goes_on && impostor_send(connection, message, sizeof message - 1))
    impostor_hear_all(impostor, connection);
}

static void test_budget_etcd__a_message_without_end_is_forgotten_with_its_watch(void **state)
{
  (void)state;
  char url[URL_SIZE];
  static struct impostor impostor; /* its thread goes on where the test fails */
  struct member member = MEMBER(1);
  pool_error_t error = POOL_ERROR_INIT;
  impostor_start(&impostor, watch_without_end);
  url_at(url, impostor.port, "endless", 10, "");
  void *ledger = open_at(url, "endless", 10, HOUR_MS);
  assert_int_equal(ask(ledger, &member, in_ms(60000), &error), POOL_E_NOMEM);
  assert_int_equal(ask(ledger, &member, in_ms(500), &error), POOL_E_TIMEOUT); /* it is watched, and not answered */
  engine.close(ledger);
  impostor_stop(&impostor);
}

/* ---- users ---- */

static void be_root(const char *password)
{
  http_close(&admin.http);
  admin_place.user = "root";
  admin_place.password = password;
}

static void end_users(void)
{
  administer("/v3/auth/disable", "{}", NULL);
  gateway_close(&admin);
  admin_place.user = admin_place.password = NULL;
}

/* Its token ends with the server that gave it. */
static void test_budget_etcd__users_log_in_and_a_wrong_password_is_said_without_it(void **state)
{
  (void)state;
  char url[URL_SIZE];
  struct member member = MEMBER(1, .wants = 10);
  administer("/v3/auth/user/add", "{\"name\":\"root\",\"password\":\"open-sesame\"}", NULL);
  administer("/v3/auth/role/add", "{\"name\":\"root\"}", NULL);
  administer("/v3/auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}", NULL);
  administer("/v3/auth/enable", "{}", NULL);
  be_root("open-sesame");
  snprintf(url, sizeof url, "etcd://root:swordfish@127.0.0.1:%d/users?limit=3", server.port);
  expect_no_entry(url, POOL_E_REMOTE, "swordfish", "authentication failed");
  url_at(url, server.port, "users", 3, "");
  expect_no_entry(url, POOL_E_OPEN, "swordfish", "user name is empty");
  snprintf(url, sizeof url, "etcd://root:open-sesame@127.0.0.1:%d/users?limit=10", server.port);
  void *ledger = open_at(url, "users", 10, HOUR_MS);
  sync_one(ledger, &member);
  server_kill(&server.server);
  etcd_start(&server);
  await_sync(ledger, &member);
  leave(ledger, 1);
  engine.close(ledger);
  end_users();
}

/* It says no more than it was told. */
static void quote(struct impostor *impostor, int connection)
{
  static const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
                               "{\"message\":\"what is {'name':'root','password':'swordfish'}?\"}";
  if (impostor_hear(impostor, connection))
    impostor_send(connection, answer, sizeof answer - 1);
}

static void test_budget_etcd__a_server_that_quotes_the_password_is_not_quoted(void **state)
{
  (void)state;
  char url[URL_SIZE];
  static struct impostor impostor; /* its thread goes on where the test fails */
  impostor_start(&impostor, quote);
  snprintf(url, sizeof url, "etcd://root:swordfish@127.0.0.1:%d/users?limit=3", impostor.port);
  expect_no_entry(url, POOL_E_REMOTE, "swordfish", "logging in");
  impostor_stop(&impostor);
}

/* ---- the whole ---- */

static const struct wrong_url wrong_urls[] = {
    {"etcd://127.0.0.1:2379?limit=3", "orders", "the path is the name"},
    {"etcd://127.0.0.1/0/orders?limit=3", "orders", "the path is the name"},
    {"etcd:///orders?limit=3", "orders", "the host is missing"},
    {NULL, NULL, NULL},
};

static void make(void)
{
  char url[URL_SIZE];
  pool_error_t error = POOL_ERROR_INIT;
  etcd_make(&server);
  url_at(url, server.port, "admin", 1, "");
  pool_budget_place_t place = {.size = sizeof place, .url = url, .name = "admin", .term_ms = HOUR_MS};
  http_begin(&admin.http);
  if (place_read(&admin_place, &place, &error) != 0)
    fail_msg("%s", error.message);
}

static void start(void)
{
  etcd_start(&server);
}

static void lose(void)
{
  server_kill(&server.server);
  etcd_empty(&server);
  start();
}

static void end(void)
{
  gateway_close(&admin);
  place_free(&admin_place);
  etcd_remove(&server);
}

/* The watch has no length, so it ends with the connection. */
static void flood(struct impostor *impostor, int connection)
{
  static const char message[] = "{\"result\":{}}\n";
  static char many[1000 * (sizeof message - 1) + 1];
  for (char *to = many; to < many + sizeof many - 1;)
    to = stpcpy(to, message);
  bool goes_on = impostor_hear(impostor, connection) && impostor_send(connection, answer_head, sizeof answer_head - 1);
  while (goes_on)
    goes_on = impostor_send(connection, many, sizeof many - 1);
}

static void fork_begins(void)
{
}

static void fork_ended(const char *name, uint64_t parent, uint64_t child)
{
  assert_true(seat_of(name, parent) != seat_of(name, child));
}

static int own_tests(void)
{
  const struct CMUnitTest tests[] = {
      ENGINE_TEST(test_budget_etcd__a_cluster_that_was_made_of_a_copy_learns),
      ENGINE_TEST(test_budget_etcd__a_value_of_others_is_refused_by_its_key),
      ENGINE_TEST(test_budget_etcd__what_was_told_those_that_are_gone_is_gone),
      ENGINE_TEST(test_budget_etcd__a_message_without_end_is_forgotten_with_its_watch),
      ENGINE_TEST(test_budget_etcd__users_log_in_and_a_wrong_password_is_said_without_it),
      ENGINE_TEST(test_budget_etcd__a_server_that_quotes_the_password_is_not_quoted),
  };
  return cmocka_run_group_tests_name("etcd, what is particular", tests, NULL, NULL);
}

const struct kind kind = {
    .scheme = "etcd",
    .login = "",
    .path = "",
    .load = pool_budget_engine_etcd,
    .gap_ms = 40,
    .keeps_data = true,
    .urls = wrong_urls,
    .server = &server.server,
    .port = &server.port,
    .tls_port = &server.tls_port,
    .certificate = server.certificate,
    .make = make,
    .start = start,
    .lose = lose,
    .remove = end,
    .open_new = open_new,
    .read = get_ledger,
    .tell = tell,
    .flood = flood,
    .fork_begins = fork_begins,
    .fork_ended = fork_ended,
    .own_tests = own_tests,
};
