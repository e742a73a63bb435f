/* SPDX-License-Identifier: MIT */
/* The inbox of the bindings: each question gets exactly one letter, whatever becomes of it. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "inbox.h"

/* A connection that echoes, answers with an error, or not before it is told to. */

static pool_call_t *_Atomic delayed;

static int answer(pool_call_t *call, int32_t code, const char *text)
{
  pool_bytes_t reply = {NULL, 0};
  must(pool_bytes_new(strlen(text), &reply) == 0);
  memcpy(reply.data, text, reply.size);
  return pool_call_done(call, code, reply);
}

static int echo_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context, (void)conn;
  if (strcmp(method, "refuse") == 0)
    return POOL_E_OVERLOAD;
  if (strcmp(method, "later") == 0)
    atomic_store(&delayed, call);
  else if (strcmp(method, "break") == 0)
    must(pool_call_done(call, POOL_E_BROKEN, (pool_bytes_t){NULL, 0}) == 0);
  else if (strcmp(method, "echo") == 0)
    must(answer(call, 0, args.size ? args.data : "") == 0);
  else
    must(answer(call, POOL_E_REMOTE, "no such method") == 0);
  return 0;
}

static int slow_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                     int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)args, (void)deadline_ns;
  if (strcmp(method, "echo") != 0) {
    strcpy(error->message, "no such method here");
    return POOL_E_REMOTE;
  }
  must(pool_bytes_new(2, reply) == 0);
  memcpy(reply->data, "42", 2);
  return 0;
}

struct room {
  struct fake fake;
  pool_t *pool;
  inbox_t *inbox;
};

static void room_init(struct room *room, int32_t max_open, bool asynchronous)
{
  fake_init(&room->fake);
  pool_vtable_t vtable = fake_vtable();
  if (asynchronous)
    vtable.go = echo_go;
  else
    vtable.call = slow_call;
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = max_open;
  room->pool = fake_pool(&room->fake, &config, &vtable);
  room->inbox = inbox_new();
  assert_non_null(room->inbox);
}

static void room_finish(struct room *room)
{
  inbox_interrupt(room->inbox);
  assert_null(inbox_take(room->inbox)); /* nothing that nobody asked for */
  fake_finish(&room->fake, room->pool);
  free(room->inbox);
}

/* Takes the next letter, which must be this one and begin so. */
static pool_lease_t receive(struct room *room, int64_t number, const char *text)
{
  letter_t *letter = inbox_take(room->inbox);
  assert_non_null(letter);
  assert_int_equal(letter->number, number);
  pool_lease_t result = letter->result;
  if (text)
    assert_int_equal(strncmp(letter->text.data, text, strlen(text)), 0);
  letter_free(letter);
  return result;
}

static pool_bytes_t bytes(const char *text)
{
  return (pool_bytes_t){(void *)text, strlen(text)};
}

static void test_inbox__a_get_that_opens_that_waits_and_that_is_cancelled(void **state)
{
  (void)state;
  struct room room;
  room_init(&room, 1, true);
  assert_true(inbox_get(room.inbox, room.pool, -1, 1) > 0);
  pool_lease_t lease = receive(&room, 1, NULL);
  assert_int_equal(fake_number(lease), 0);
  assert_true(inbox_get(room.inbox, room.pool, -1, 2) > 0);
  int64_t ticket = inbox_get(room.inbox, room.pool, -1, 3);
  assert_true(ticket > 0);
  assert_int_equal(pool_cancel(ticket), 0);
  assert_int_equal(receive(&room, 3, "pool: cancelled: "), POOL_E_CANCELLED);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_put(receive(&room, 2, NULL)), 0);
  room_finish(&room);
}

static void test_inbox__a_look_lends_what_is_idle_and_opens_nothing(void **state)
{
  (void)state;
  struct room room;
  room_init(&room, 2, true);
  assert_int_equal(inbox_look(room.pool), 0);
  assert_int_equal(stats_of(room.pool).open, 0);
  assert_true(inbox_get(room.inbox, room.pool, -1, 1) > 0);
  pool_lease_t lease = receive(&room, 1, NULL);
  assert_int_equal(inbox_look(room.pool), 0);
  assert_int_equal(pool_put(lease), 0);
  pool_lease_t again = inbox_look(room.pool);
  assert_true(again > 0 && again != lease);
  assert_int_equal(pool_put(again), 0);
  assert_int_equal(stats_of(room.pool).opened, 1);
  room_finish(&room);
}

static void test_inbox__a_get_that_fails(void **state)
{
  (void)state;
  struct room room;
  room_init(&room, 1, true);
  assert_int_equal(inbox_get(room.inbox, NULL, -1, 1), 0);
  assert_int_equal(receive(&room, 1, "pool is NULL"), POOL_E_INVALID);
  pool_lease_t lease = pool_get(room.pool);
  assert_true(inbox_get(room.inbox, room.pool, 1, 2) > 0);
  assert_int_equal(receive(&room, 2, NULL), POOL_E_TIMEOUT);
  assert_int_equal(pool_close(room.pool, 0), 1);
  assert_int_equal(inbox_get(room.inbox, room.pool, -1, 3), 0);
  assert_int_equal(receive(&room, 3, "pool: pool is closed"), POOL_E_CLOSED);
  assert_int_equal(pool_put(lease), 0);
  room_finish(&room);
}

static void test_inbox__calls(void **state)
{
  (void)state;
  struct room room;
  room_init(&room, 1, true);
  pool_lease_t lease = pool_get(room.pool);
  assert_int_equal(inbox_call(room.inbox, lease, "echo", bytes("hello"), 1), 0);
  assert_int_equal(receive(&room, 1, "hello"), 0);
  assert_int_equal(inbox_call(room.inbox, lease, "nonsense", bytes(""), 2), 0);
  assert_int_equal(receive(&room, 2, "no such method"), POOL_E_REMOTE);
  assert_int_equal(inbox_call(room.inbox, lease, NULL, bytes(""), 3), 0);
  assert_int_equal(receive(&room, 3, "method is NULL"), POOL_E_INVALID);
  assert_int_equal(inbox_call(room.inbox, lease, "refuse", bytes(""), 4), 0);
  assert_int_equal(receive(&room, 4, NULL), POOL_E_OVERLOAD);
  /* Put while a call is under way: the connection is not lent before it is done. */
  assert_int_equal(inbox_call(room.inbox, lease, "later", bytes(""), 5), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_get_for(room.pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(answer(atomic_load(&delayed), 0, "late"), 0);
  assert_int_equal(receive(&room, 5, "late"), 0);
  assert_int_equal(inbox_call(room.inbox, lease, "echo", bytes(""), 6), 0);
  assert_int_equal(receive(&room, 6, "pool: no such lease: it was put back already or never given"), POOL_E_STALE);
  lease = pool_get(room.pool);
  assert_int_equal(inbox_call(room.inbox, lease, "break", bytes(""), 7), 0);
  assert_int_equal(receive(&room, 7, "the connection broke"), POOL_E_BROKEN);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(room.fake.closed, 1);
  room_finish(&room);
}

static void test_inbox__calls_of_a_driver_that_can_only_wait(void **state)
{
  (void)state;
  struct room room;
  room_init(&room, 1, false);
  pool_lease_t lease = pool_get(room.pool);
  assert_int_equal(inbox_call(room.inbox, lease, "echo", bytes(""), 1), 0);
  assert_int_equal(receive(&room, 1, "42"), 0);
  assert_int_equal(inbox_call(room.inbox, lease, "nonsense", bytes(""), 2), 0);
  assert_int_equal(receive(&room, 2, "no such method here"), POOL_E_REMOTE);
  assert_int_equal(pool_put(lease), 0);
  room_finish(&room);
}

static void test_inbox__an_interrupt_waits_for_who_comes(void **state)
{
  (void)state;
  inbox_t *inbox = inbox_new();
  inbox_interrupt(inbox);
  inbox_interrupt(inbox);
  assert_null(inbox_take(inbox));
  assert_null(inbox_take(inbox));
  free(inbox);
}

/* ---- many threads that ask, and one that takes ---- */

enum { ASKERS = 4, ASKED = 500 };

struct crowd {
  struct room room;
  _Atomic pool_lease_t leases[ASKERS * ASKED]; /* by number: 0 while nothing came */
};

static void *take_main(void *data)
{
  struct crowd *crowd = data;
  for (letter_t *letter; (letter = inbox_take(crowd->room.inbox)); letter_free(letter))
    must(atomic_exchange(&crowd->leases[letter->number], letter->result) == 0);
  return NULL;
}

struct asker {
  struct crowd *crowd;
  int number;
};

static void *ask_main(void *data)
{
  struct asker *asker = data;
  struct crowd *crowd = asker->crowd;
  uint64_t seed = (uint64_t)asker->number + 1;
  for (int i = 0; i < ASKED; i++) {
    int number = asker->number * ASKED + i;
    int64_t ticket = inbox_get(crowd->room.inbox, crowd->room.pool, -1, number);
    must(ticket > 0);
    if (random_next(&seed) % 3 == 0)
      pool_cancel(ticket);
    pool_lease_t lease;
    while ((lease = atomic_load(&crowd->leases[number])) == 0)
      yield_ns();
    must(lease == POOL_E_CANCELLED || (lease > 0 && pool_put(lease) == 0));
  }
  return NULL;
}

static void test_inbox__nothing_is_lost_among_many(void **state)
{
  (void)state;
  static struct crowd crowd;
  room_init(&crowd.room, 2, true);
  pthread_t taker = thread_start(take_main, &crowd), threads[ASKERS];
  struct asker askers[ASKERS];
  for (int i = 0; i < ASKERS; i++) {
    askers[i] = (struct asker){&crowd, i};
    threads[i] = thread_start(ask_main, &askers[i]);
  }
  for (int i = 0; i < ASKERS; i++)
    thread_end(threads[i]);
  inbox_interrupt(crowd.room.inbox);
  thread_end(taker);
  room_finish(&crowd.room);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_inbox__a_get_that_opens_that_waits_and_that_is_cancelled),
      cmocka_unit_test(test_inbox__a_look_lends_what_is_idle_and_opens_nothing),
      cmocka_unit_test(test_inbox__a_get_that_fails),
      cmocka_unit_test(test_inbox__calls),
      cmocka_unit_test(test_inbox__calls_of_a_driver_that_can_only_wait),
      cmocka_unit_test(test_inbox__an_interrupt_waits_for_who_comes),
      cmocka_unit_test(test_inbox__nothing_is_lost_among_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
