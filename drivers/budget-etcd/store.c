/* SPDX-License-Identifier: MIT */
#include "budget-etcd/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "budget-etcd/bell.h"
#include "support/deadline.h"
#include "support/failure.h"

#define TOLD_MOST     64 /* in one transaction, of which a server takes 128 parts; others are told by the next */
#define FREED_MOST    32
#define WINDOW_MOST   64
#define SLOT_LEAST_NS INT64_C(1000000)
#define SLOT_MOST_NS  INT64_C(20000000)

void store_begin(struct store *store, struct place *place)
{
  *store = (struct store){.gateway.place = place};
  http_begin(&store->gateway.http);
  if (getrandom(&store->random, sizeof store->random, 0) != sizeof store->random)
    store->random = (uint64_t)deadline_clock();
}

void store_forget(struct store *store)
{
  struct place *place = store->gateway.place;
  http_forget(&store->gateway.http);
  store_begin(store, place);
}

void store_end(struct store *store)
{
  gateway_close(&store->gateway);
  book_free(&store->book);
}

/* ---- reading ---- */

static int64_t cluster_of(const json_t *answer)
{
  const char *text = json_string_value(json_object_get(json_object_get(answer, "header"), "cluster_id"));
  return text ? (int64_t)strtoull(text, NULL, 10) : 0;
}

static void read_nothing(struct store *store, int64_t cluster)
{
  free(store->book.ledger);
  store->book.ledger = NULL;
  store->book.revision = 0;
  store->book.cluster = cluster;
}

static int read_value(struct store *store, const json_t *pair, int64_t cluster, pool_error_t *error)
{
  size_t size = 0;
  char *text = gateway_bytes(pair, "value", &size);
  if (!text && json_is_string(json_object_get(pair, "value")))
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for a ledger");
  int code = book_read(&store->book, store->gateway.place, text ? text : "", gateway_number(pair, "mod_revision"),
                       cluster, error);
  free(text);
  return code;
}

/* Takes what a range found. */
static int take_range(struct store *store, const json_t *range, int64_t cluster, pool_error_t *error)
{
  int code = 0;
  const json_t *pair = json_array_get(json_object_get(range, "kvs"), 0);
  if (pair)
    code = read_value(store, pair, cluster, error);
  else
    read_nothing(store, cluster);
  store->known = code == 0;
  return code;
}

static void add_range(struct json_text *body, const struct place *place)
{
  json_text_say(body, "{");
  gateway_add_bytes(body, "key", place->key, strlen(place->key));
  json_text_say(body, "}");
}

int store_read(struct store *store, int64_t deadline_ns, pool_error_t *error)
{
  json_t *answer;
  struct json_text body = {.limit = GATEWAY_BYTES};
  store->known = false;
  add_range(&body, store->gateway.place);
  int code = gateway_ask(&store->gateway, "/v3/kv/range", &body, &answer, deadline_ns, error);
  json_text_free(&body);
  if (code)
    return code;
  code = take_range(store, answer, cluster_of(answer), error);
  json_decref(answer);
  return code;
}

/* ---- who is told, and who is gone ---- */

/* Of the members before a change: each has the same place after it, or is gone. */
struct past {
  int32_t count;
  uint64_t *ids;
  int32_t *seats;
};

static bool remember(struct past *past, const struct ledger *ledger)
{
  past->count = ledger->used;
  past->ids = calloc((size_t)ledger->used + 1, sizeof *past->ids);
  past->seats = calloc((size_t)ledger->used + 1, sizeof *past->seats);
  for (int32_t i = 0; past->ids && past->seats && i < ledger->used; i++) {
    past->ids[i] = ledger->member[i].id;
    past->seats[i] = ledger->member[i].seat;
  }
  return past->ids && past->seats;
}

static void past_free(struct past *past)
{
  free(past->ids);
  free(past->seats);
}

static bool has_seat(const struct ledger *ledger, int32_t seat)
{
  for (int32_t i = 0; i < ledger->used; i++)
    if (ledger->member[i].id && ledger->member[i].seat == seat)
      return true;
  return false;
}

static bool is_gone(const struct past *past, int32_t i, const struct ledger *ledger)
{
  return past->ids[i] && (i >= ledger->used || ledger->member[i].id != past->ids[i]) &&
         !has_seat(ledger, past->seats[i]);
}

static void add_seat(struct json_text *body, const struct place *place, int32_t seat)
{
  char key[BELL_KEY];
  bell_key(place, seat, key);
  gateway_add_bytes(body, "key", key, strlen(key));
}

/* What was told a process that is gone is nobody's. */
static void add_freed(struct json_text *body, const struct place *place, const struct past *past,
                      const struct ledger *ledger)
{
  int freed = 0;
  for (int32_t i = 0; i < past->count && freed < FREED_MOST; i++)
    if (is_gone(past, i, ledger)) {
      json_text_say(body, ",{\"request_delete_range\":{");
      add_seat(body, place, past->seats[i]);
      json_text_say(body, "}}");
      freed++;
    }
}

struct told {
  const struct ledger_member *member[TOLD_MOST];
  int32_t count;
};

static void take_told(struct told *told, struct ledger *ledger)
{
  int32_t cursor = 0;
  const struct ledger_member *member;
  told->count = 0;
  while (told->count < TOLD_MOST && (member = ledger_next_told(ledger, &cursor)))
    told->member[told->count++] = member;
}

static bool was_before(const struct told *told, int32_t index)
{
  for (int32_t i = 0; i < index; i++)
    if (told->member[i]->seat == told->member[index]->seat)
      return true;
  return false;
}

/* The members of one seat, as a text of numbers. */
static void add_numbers(struct json_text *body, const struct told *told, int32_t seat)
{
  char numbers[TOLD_MOST * 21 + 1] = "";
  size_t size = 0;
  for (int32_t i = 0; i < told->count; i++)
    if (told->member[i]->seat == seat)
      size += (size_t)snprintf(numbers + size, sizeof numbers - size, "%" PRIu64 " ", told->member[i]->id);
  gateway_add_bytes(body, "value", numbers, size);
}

static void add_one_told(struct json_text *body, const struct place *place, const struct told *told, int32_t seat)
{
  json_text_say(body, ",{\"request_put\":{");
  add_seat(body, place, seat);
  json_text_say(body, ",");
  add_numbers(body, told, seat);
  json_text_say(body, "}}");
}

/* Each key is written once. */
static void add_told(struct json_text *body, const struct place *place, const struct told *told, int32_t echo)
{
  bool echoes = echo == STORE_NO_SEAT;
  for (int32_t i = 0; i < told->count; i++) {
    echoes = echoes || told->member[i]->seat == echo;
    if (!was_before(told, i))
      add_one_told(body, place, told, told->member[i]->seat);
  }
  if (!echoes)
    add_one_told(body, place, told, echo);
}

/* ---- writing ---- */

static void add_ledger(struct json_text *body, const struct book *book, const struct place *place)
{
  struct json_text text = {.limit = GATEWAY_BYTES};
  book_write(book, &text);
  json_text_say(body, "{\"request_put\":{");
  gateway_add_bytes(body, "key", place->key, strlen(place->key));
  json_text_say(body, ",");
  gateway_add_bytes(body, "value", text.data, text.size);
  json_text_say(body, "}}");
  if (text.problem)
    body->problem = text.problem;
  json_text_free(&text);
}

/* If the ledger is what it was it is written, else it is read. */
static void write_transaction(struct store *store, struct json_text *body, const struct past *past, int32_t echo)
{
  char revision[32];
  struct told told;
  const struct place *place = store->gateway.place;
  take_told(&told, store->book.ledger);
  snprintf(revision, sizeof revision, "\"%" PRId64 "\"", store->book.revision);
  json_text_say(body, "{\"compare\":[{\"target\":\"MOD\",\"result\":\"EQUAL\",");
  gateway_add_bytes(body, "key", place->key, strlen(place->key));
  json_text_say(body, ",\"mod_revision\":");
  json_text_say(body, revision);
  json_text_say(body, "}],\"success\":[");
  add_ledger(body, &store->book, place);
  add_told(body, place, &told, echo);
  add_freed(body, place, past, store->book.ledger);
  json_text_say(body, "],\"failure\":[{\"request_range\":");
  add_range(body, place);
  json_text_say(body, "}]}");
}

/* Returns 0, STORE_SAME where another was faster, or a code. */
static int take_result(struct store *store, const json_t *answer, pool_error_t *error)
{
  const json_t *first = json_array_get(json_object_get(answer, "responses"), 0);
  if (!json_is_true(json_object_get(answer, "succeeded"))) {
    int code = take_range(store, json_object_get(first, "response_range"), cluster_of(answer), error);
    return code ? code : STORE_SAME;
  }
  store->book.revision = gateway_number(json_object_get(answer, "header"), "revision");
  store->known = true;
  return 0;
}

static int write_ledger(struct store *store, const struct past *past, int32_t echo, int64_t deadline_ns,
                        pool_error_t *error)
{
  json_t *answer;
  struct json_text body = {.limit = GATEWAY_BYTES};
  write_transaction(store, &body, past, echo);
  store->known = false;
  int64_t began_ns = deadline_clock();
  int code = gateway_ask(&store->gateway, "/v3/kv/txn", &body, &answer, deadline_ns, error);
  json_text_free(&body);
  store->took_ns = deadline_clock() - began_ns;
  if (code)
    return code;
  code = take_result(store, answer, error);
  json_decref(answer);
  return code;
}

/* ---- a change ---- */

/* Those that collided wait for a time of their own, so that not all collide again. */
static void pause_a_little(struct store *store, int64_t deadline_ns)
{
  store->random = store->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  int64_t slot_ns = store->took_ns < SLOT_LEAST_NS  ? SLOT_LEAST_NS
                    : store->took_ns > SLOT_MOST_NS ? SLOT_MOST_NS
                                                    : store->took_ns;
  int64_t left_ns = deadline_left(deadline_ns);
  int64_t pause_ns = (int64_t)(store->random >> 33) % (store->window * slot_ns + 1);
  if (pause_ns > left_ns / 2)
    pause_ns = left_ns / 2;
  nanosleep(&(struct timespec){.tv_sec = pause_ns / 1000000000, .tv_nsec = pause_ns % 1000000000}, NULL);
}

static void note_collision(struct store *store)
{
  store->window = store->window == 0 ? 2 : store->window < WINDOW_MOST ? 2 * store->window : WINDOW_MOST;
}

static int change_once(struct store *store, store_change_fn *change, void *user, int32_t echo, int64_t deadline_ns,
                       pool_error_t *error)
{
  struct past past = {0};
  struct book *book = &store->book;
  int code = book->ledger ? 0 : book_begin(book, store->gateway.place, book->cluster, error);
  if (code == 0 && (!book_make_room(book) || !remember(&past, book->ledger)))
    code = failure_set(error, POOL_E_NOMEM, 0, "no memory for a ledger");
  if (code == 0)
    code = change(book->ledger, book_now(book), user, error);
  bool same = code == STORE_SAME;
  store->known = store->known && !same && code == 0; /* what is in memory may be half changed */
  if (code == 0)
    code = write_ledger(store, &past, echo, deadline_ns, error);
  past_free(&past);
  return same ? 0 : code;
}

/* What was read before a pause is old. */
static int prepare(struct store *store, int64_t deadline_ns, pool_error_t *error)
{
  if (store->window > 0)
    pause_a_little(store, deadline_ns);
  return store->window > 0 || !store->known ? store_read(store, deadline_ns, error) : 0;
}

int store_change(struct store *store, store_change_fn *change, void *user, int32_t echo, int64_t deadline_ns,
                 pool_error_t *error)
{
  for (int tries = 1;; tries++) {
    int code = prepare(store, deadline_ns, error);
    if (code == 0)
      code = change_once(store, change, user, echo, deadline_ns, error);
    if (code == 0 && tries == 1)
      store->window /= 2;
    if (code != STORE_SAME)
      return code;
    note_collision(store);
    if (deadline_is_past(deadline_ns))
      return failure_set(error, POOL_E_TIMEOUT, 0, "others were faster %d times to write the ledger", tries);
  }
}
