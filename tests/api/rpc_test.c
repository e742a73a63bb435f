/* SPDX-License-Identifier: MIT */
/* Calls over leased connections: what becomes of the reply, and what becomes of the connection. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "witness.h"

/* ---- a server that can be called ---- */

#define PENDING_LIMIT 8192

struct server {
  struct fake fake; /* first: the context of the fake's own callbacks */
  struct gate calling;
  pthread_mutex_t lock;
  pool_call_t *pending[PENDING_LIMIT]; /* what `go` was given and nobody has answered yet */
  struct fake_conn *pending_conn[PENDING_LIMIT];
  int pending_count;
  int64_t deadline_ns;  /* of the last call */
  _Atomic int overlaps; /* calls that met another callback on their connection */
};

static struct server server;

static void server_init(void)
{
  memset(&server, 0, sizeof server);
  fake_init(&server.fake);
  gate_init(&server.calling, true);
  pthread_mutex_init(&server.lock, NULL);
}

static pool_bytes_t bytes_of(const char *text)
{
  pool_bytes_t bytes;
  must(pool_bytes_new(strlen(text), &bytes) == 0);
  memcpy(bytes.data, text, bytes.size);
  return bytes;
}

static pool_bytes_t args_of(const char *text)
{
  union {
    const char *in;
    void *out;
  } data = {.in = text};
  return (pool_bytes_t){.data = data.out, .size = strlen(text)};
}

static const pool_bytes_t no_args = {NULL, 0};

/* A method that is a number returns that number; "echo" and "gate" answer with their args. */
static int server_call(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                       int64_t deadline_ns, pool_error_t *error)
{
  (void)context;
  struct fake_conn *on = conn;
  atomic_fetch_add(&server.fake.calls, 1);
  atomic_fetch_add(&on->users, 1);
  must(atomic_load(&on->is_open));
  pthread_mutex_lock(&server.lock);
  server.deadline_ns = deadline_ns;
  pthread_mutex_unlock(&server.lock);
  if (strcmp(method, "gate") == 0)
    gate_pass(&server.calling);
  int code = atoi(method);
  if (code != 0) {
    error->native = 42;
    snprintf(error->message, sizeof error->message, "code %d\nand more", code);
  }
  if (strcmp(method, "nothing") != 0) {
    must(pool_bytes_new(args.size, reply) == 0);
    if (args.size > 0)
      memcpy(reply->data, args.data, args.size);
  }
  atomic_fetch_sub(&on->users, 1);
  return code;
}

/* "later" is kept until somebody answers it; a number below 0 is refused with it; all others are answered at once. */
static int server_go(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context;
  struct fake_conn *on = conn;
  atomic_fetch_add(&server.fake.calls, 1);
  must(atomic_load(&on->is_open));
  int code = atoi(method);
  if (code != 0)
    return code;
  if (strcmp(method, "later") != 0) {
    pool_bytes_t reply;
    must(pool_bytes_new(args.size, &reply) == 0);
    if (args.size > 0)
      memcpy(reply.data, args.data, args.size);
    must(pool_call_done(call, strcmp(method, "remote") == 0 ? POOL_E_REMOTE : 0, reply) == 0);
    return 0;
  }
  atomic_fetch_add(&on->users, 1);
  pthread_mutex_lock(&server.lock);
  must(server.pending_count < PENDING_LIMIT);
  server.deadline_ns = pool_call_deadline(call);
  server.pending_conn[server.pending_count] = on;
  server.pending[server.pending_count++] = call;
  pthread_mutex_unlock(&server.lock);
  return 0;
}

static int server_pending(void)
{
  pthread_mutex_lock(&server.lock);
  int count = server.pending_count;
  pthread_mutex_unlock(&server.lock);
  return count;
}

/* Takes the oldest call that waits for an answer; NULL if there is none. */
static pool_call_t *server_take(void)
{
  pool_call_t *call = NULL;
  pthread_mutex_lock(&server.lock);
  if (server.pending_count > 0) {
    call = server.pending[0];
    atomic_fetch_sub(&server.pending_conn[0]->users, 1);
    server.pending_count--;
    memmove(server.pending, server.pending + 1, sizeof *server.pending * (size_t)server.pending_count);
    memmove(server.pending_conn, server.pending_conn + 1, sizeof *server.pending_conn * (size_t)server.pending_count);
  }
  pthread_mutex_unlock(&server.lock);
  return call;
}

static pool_call_t *server_answer(int32_t code)
{
  pool_call_t *call = server_take();
  must(call);
  must(pool_call_done(call, code, bytes_of("answer")) == 0);
  return call;
}

static int server_reset(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)error;
  struct fake_conn *on = conn;
  if (atomic_load(&on->users) != 0)
    atomic_fetch_add(&server.overlaps, 1);
  return fake_reset(context, conn, deadline_ns, error);
}

/* A plan, see there, of connections that can be called. */
#define CALLABLE(...) PLAN(.vtable.call = server_call, .vtable.go = server_go, __VA_ARGS__)

static pool_t *server_start(const struct plan *plan)
{
  server_init();
  return fake_pool(&server.fake, &plan->config, &plan->vtable);
}

static void server_finish(pool_t *pool)
{
  assert_int_equal(server_pending(), 0);
  fake_finish(&server.fake, pool);
  assert_int_equal(server.overlaps, 0);
}

/* What a done was told. */
struct done {
  _Atomic int times;
  _Atomic int32_t code;
  char text[64];
  pool_lease_t put; /* put from within */
  pthread_t thread;
};

static void tell(void *user, int32_t code, pool_bytes_t reply)
{
  struct done *told = user;
  atomic_store(&told->code, code);
  snprintf(told->text, sizeof told->text, "%s", reply.data ? (char *)reply.data : "");
  pool_bytes_free(&reply);
  told->thread = pthread_self();
  if (told->put)
    must(pool_put(told->put) == 0);
  atomic_fetch_add(&told->times, 1);
}

/* A call without args is under way, or was answered at once. */
#define assert_goes(lease, method, done) assert_true(pool_go(lease, method, no_args, tell, done) > 0)

static void never(void *user, int32_t code, pool_bytes_t reply)
{
  (void)user, (void)code, (void)reply;
  must(!"done was called");
}

/* ---- pool_call ---- */

static void test_rpc__a_reply_belongs_to_the_caller(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE());
  pool_lease_t lease = pool_get(pool);
  pool_bytes_t reply = no_args;
  assert_int_equal(pool_call(lease, "echo", args_of("hello"), &reply, NULL), 0);
  assert_int_equal(reply.size, 5);
  assert_string_equal(reply.data, "hello");
  pool_bytes_free(&reply);
  assert_null(reply.data);
  assert_int_equal(reply.size, 0);
  pool_bytes_free(&reply);
  pool_bytes_free(NULL);
  assert_int_equal(pool_call(lease, "echo", no_args, &reply, NULL), 0);
  assert_int_equal(reply.size, 0);
  pool_bytes_free(&reply);
  reply = args_of("old");
  assert_int_equal(pool_call(lease, "nothing", no_args, &reply, NULL), 0); /* a driver may leave it empty */
  assert_null(reply.data);
  assert_int_equal(reply.size, 0);
  assert_int_equal(pool_put(lease), 0);
  server_finish(pool);
}

static void test_rpc__a_reply_of_no_interest_is_freed(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE());
  pool_lease_t lease = pool_get(pool);
  for (int i = 0; i < 10; i++)
    assert_int_equal(pool_call(lease, "echo", args_of("leaks if nobody frees it"), NULL, NULL), 0);
  assert_int_equal(server.fake.calls, 10);
  assert_int_equal(pool_put(lease), 0);
  server_finish(pool);
}

static void test_rpc__bytes_have_limits(void **state)
{
  (void)state;
  pool_bytes_t bytes = no_args;
  assert_int_equal(pool_bytes_new(0, NULL), POOL_E_INVALID);
  assert_int_equal(pool_bytes_new(SIZE_MAX, &bytes), POOL_E_NOMEM);
  assert_null(bytes.data);
  assert_int_equal(pool_bytes_new(0, &bytes), 0);
  assert_non_null(bytes.data);
  assert_int_equal(bytes.size, 0);
  pool_bytes_free(&bytes);
}

static void test_rpc__a_remote_error_leaves_the_connection_good(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.check = fake_check, .config.initial = 2));
  pool_lease_t lease = pool_get(pool);
  void *conn = pool_conn(lease);
  pool_bytes_t reply = args_of("untouched");
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_call(lease, "-6", args_of("freed"), &reply, &error), POOL_E_REMOTE);
  assert_string_equal(reply.data, "untouched");
  assert_int_equal(error.code, POOL_E_REMOTE);
  assert_int_equal(error.native, 42);
  assert_string_equal(error.message, "code -6"); /* one line */
  pool_error_t again = POOL_ERROR_INIT;
  assert_int_equal(pool_failure(&again), POOL_E_REMOTE);
  assert_string_equal(again.message, "code -6");
  assert_int_equal(again.native, 42);
  assert_ptr_equal(pool_conn(lease), conn);
  assert_int_equal(pool_call(lease, "-6", args_of("freed"), NULL, NULL), POOL_E_REMOTE);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 2);
  lease = pool_get(pool);
  pool_lease_t other = pool_get(pool);
  assert_true(pool_conn(lease) == conn || pool_conn(other) == conn);
  assert_int_equal(server.fake.checked, 0); /* nobody is under suspicion */
  assert_int_equal(server.fake.closed, 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_put(other), 0);
  server_finish(pool);
}

static int call_without_words(void *context, void *conn, const char *method, pool_bytes_t args, pool_bytes_t *reply,
                              int64_t deadline_ns, pool_error_t *error)
{
  (void)context, (void)conn, (void)args, (void)reply, (void)deadline_ns;
  if (strcmp(method, "endless") == 0)
    memset(error->message, 'x', sizeof error->message);
  return POOL_E_REMOTE;
}

static void test_rpc__a_drivers_message_may_be_missing_or_endless(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.call = call_without_words));
  pool_lease_t lease = pool_get(pool);
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_call(lease, "silent", no_args, NULL, &error), POOL_E_REMOTE);
  assert_string_equal(error.message, pool_strerror(POOL_E_REMOTE));
  assert_int_equal(pool_call(lease, "endless", no_args, NULL, &error), POOL_E_REMOTE);
  assert_int_equal(strlen(error.message), sizeof error.message - 1);
  /* The struct of an older caller is filled as far as it goes; one without a size not at all. */
  struct {
    pool_error_t error;
    char guard;
  } old = {POOL_ERROR_INIT, 'g'};
  old.error.size = offsetof(pool_error_t, message) + 20;
  memset(old.error.message, '?', sizeof old.error.message);
  assert_int_equal(pool_call(lease, "endless", no_args, NULL, &old.error), POOL_E_REMOTE);
  assert_int_equal(old.error.message[20], '?');
  assert_int_equal(old.error.message[18], 'x');
  assert_int_equal(old.guard, 'g');
  pool_error_t unsized = {.size = 0, .code = 7};
  assert_int_equal(pool_call(lease, "endless", no_args, NULL, &unsized), POOL_E_REMOTE);
  assert_int_equal(unsized.code, 7);
  assert_int_equal(pool_put(lease), 0);
  server_finish(pool);
}

/* What a driver must not say counts as broken, whatever it means elsewhere. */
static const struct {
  int said, heard;
  bool closed, closed_if_multiplexed;
} outcomes[] = {
    {POOL_E_REMOTE, POOL_E_REMOTE, false, false},
    {POOL_E_INVALID, POOL_E_INVALID, false, false},
    {POOL_E_UNSUPPORTED, POOL_E_UNSUPPORTED, false, false},
    {POOL_E_OVERLOAD, POOL_E_OVERLOAD, false, false},
    {POOL_E_NOMEM, POOL_E_NOMEM, false, false},
    {POOL_E_SYSTEM, POOL_E_SYSTEM, false, false},
    {POOL_E_TIMEOUT, POOL_E_TIMEOUT, true, false},
    {POOL_E_CANCELLED, POOL_E_CANCELLED, true, true},
    {POOL_E_BROKEN, POOL_E_BROKEN, true, true},
    {POOL_E_STALE, POOL_E_BROKEN, true, true},
    {POOL_E_CLOSED, POOL_E_BROKEN, true, true},
    {POOL_E_OPEN, POOL_E_BROKEN, true, true},
    {-77, POOL_E_BROKEN, true, true},
    {5, POOL_E_BROKEN, true, true},
    {INT32_MIN, POOL_E_BROKEN, true, true},
};

static void test_rpc__each_outcome_decides_about_the_connection(void **state)
{
  (void)state;
  for (uint32_t flags = 0; flags <= POOL_VTABLE_MULTIPLEXED; flags++) {
    pool_t *pool = server_start(CALLABLE(.vtable.flags = flags));
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
      int closed = server.fake.closed;
      char method[16];
      snprintf(method, sizeof method, "%d", outcomes[i].said);
      pool_lease_t lease = pool_get(pool);
      void *conn = pool_conn(lease);
      pool_error_t error = POOL_ERROR_INIT;
      assert_int_equal(pool_call(lease, method, no_args, NULL, &error), outcomes[i].heard);
      assert_int_equal(error.code, outcomes[i].heard);
      assert_ptr_equal(pool_conn(lease), conn); /* the lease is its holder's in any case */
      assert_int_equal(server.fake.closed, closed);
      assert_int_equal(pool_put(lease), 0);
      bool expected = flags ? outcomes[i].closed_if_multiplexed : outcomes[i].closed;
      assert_int_equal(server.fake.closed, closed + expected);
      assert_int_equal(pool_len(pool), !expected);
    }
    server_finish(pool);
  }
}

static void test_rpc__each_outcome_of_go_decides_about_the_connection(void **state)
{
  (void)state;
  for (uint32_t flags = 0; flags <= POOL_VTABLE_MULTIPLEXED; flags++)
    for (int refused = 0; refused < 2; refused++) {
      pool_t *pool = server_start(CALLABLE(.vtable.flags = flags));
      for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        int closed = server.fake.closed;
        char method[16];
        snprintf(method, sizeof method, "%d", outcomes[i].said);
        pool_lease_t lease = pool_get(pool);
        struct done told = {0};
        if (refused) {
          assert_int_equal(pool_go(lease, method, no_args, never, NULL), outcomes[i].heard);
          assert_int_equal(pool_failure(NULL), outcomes[i].heard);
        } else {
          assert_goes(lease, "later", &told);
          assert_int_equal(told.times, 0);
          server_answer(outcomes[i].said);
          assert_int_equal(told.times, 1);
          assert_int_equal(told.code, outcomes[i].heard);
          assert_string_equal(told.text, "answer");
        }
        assert_int_equal(server.fake.closed, closed);
        assert_int_equal(pool_put(lease), 0);
        bool expected = flags ? outcomes[i].closed_if_multiplexed : outcomes[i].closed;
        assert_int_equal(server.fake.closed, closed + expected);
      }
      server_finish(pool);
    }
}

static void test_rpc__after_a_break_idle_siblings_are_checked(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.check = fake_check, .config.initial = 4, .config.max_open = 4));
  pool_lease_t leases[4];
  leases[0] = pool_get(pool);
  leases[1] = pool_get(pool); /* lent: its own next call will show whether it is good */
  assert_int_equal(server.fake.checked, 0);
  assert_int_equal(pool_call(leases[0], "-7", no_args, NULL, NULL), POOL_E_BROKEN);
  assert_int_equal(pool_put(leases[0]), 0);
  assert_int_equal(server.fake.closed, 1);
  assert_int_equal(pool_len(pool), 2); /* suspects are idle still */
  leases[2] = pool_get(pool);
  assert_int_equal(server.fake.checked, 1);
  leases[3] = pool_get(pool);
  assert_int_equal(server.fake.checked, 2);
  assert_int_equal(server.fake.opened, 4);
  for (int i = 1; i < 4; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  for (int i = 1; i < 4; i++)
    assert_true((leases[i] = pool_get(pool)) > 0);
  assert_int_equal(server.fake.checked, 2); /* once is enough */
  for (int i = 1; i < 4; i++)
    assert_int_equal(pool_put(leases[i]), 0);
  server_finish(pool);
}

/* What a program does that uses pool_conn() and has seen the connection break. */
static void test_rpc__a_connection_marked_as_broken_has_its_idle_siblings_checked(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.check = fake_check, .config.initial = 3, .config.max_open = 3));
  pool_lease_t broken = pool_get(pool), unusable = pool_get(pool);
  assert_int_equal(pool_mark_unusable(unusable), 0);
  pool_lease_t third = pool_get(pool);
  assert_int_equal(server.fake.checked, 0); /* says nothing about others */
  assert_int_equal(pool_put(third), 0);
  assert_int_equal(pool_mark_broken(broken), 0);
  assert_int_equal(pool_mark_broken(broken), 0);
  assert_int_equal(pool_put(broken), 0);
  assert_int_equal(pool_put(unusable), 0);
  assert_int_equal(stats_of(pool).closed_unusable, 2);
  assert_int_equal(pool_len(pool), 1);
  third = pool_get(pool);
  assert_int_equal(server.fake.checked, 1);
  assert_int_equal(pool_mark_broken(broken), POOL_E_STALE);
  assert_int_equal(pool_put(third), 0);
  third = pool_get(pool);
  assert_int_equal(server.fake.checked, 1); /* a stale lease says nothing */
  assert_int_equal(pool_put(third), 0);
  server_finish(pool);
}

static void test_rpc__what_is_suspect_is_checked_in_the_background_where_there_is_one(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.check = fake_check, .config.initial = 3, .config.max_open = 3,
                                       .config.keepalive_ms = 3600000, .config.keeper = POOL_KEEPER_MANUAL));
  pool_lease_t broken = pool_get(pool);
  assert_int_equal(pool_mark_broken(broken), 0);
  assert_true(pool_maintain(pool) > 0);
  assert_int_equal(server.fake.checked, 2);
  assert_int_equal(pool_put(broken), 0);
  server_finish(pool);
}

static void test_rpc__a_get_meets_one_dead_sibling_at_most(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.check = fake_check, .config.initial = 4, .config.max_open = 4));
  pool_lease_t lease = pool_get(pool);
  assert_int_equal(pool_call(lease, "-7", no_args, NULL, NULL), POOL_E_BROKEN);
  assert_int_equal(pool_put(lease), 0);
  server.fake.fail_check = 1;
  lease = pool_get_for(pool, 0);
  assert_true(lease > 0);
  wait_until(server.fake.closed == 4); /* one that is dead speaks for the others that were suspect */
  assert_int_equal(server.fake.checked, 1);
  assert_int_equal(server.fake.opened, 5);
  assert_int_equal(stats_of(pool).check_failures, 1);
  wait_until(stats_of(pool).open == 1);
  assert_int_equal(pool_put(lease), 0);
  server_finish(pool);
}

static void test_rpc__without_callbacks_calls_are_unsupported(void **state)
{
  (void)state;
  struct fake fake;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, NULL, NULL);
  pool_lease_t lease = pool_get(pool);
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_call(lease, "echo", no_args, NULL, &error), POOL_E_UNSUPPORTED);
  assert_int_equal(error.code, POOL_E_UNSUPPORTED);
  assert_true(strlen(error.message) > 0);
  assert_int_equal(pool_go(lease, "echo", no_args, never, NULL), POOL_E_UNSUPPORTED);
  assert_int_equal(pool_failure(&error), POOL_E_UNSUPPORTED);
  assert_non_null(strstr(error.message, "cannot call asynchronously; its vtable has no go"));
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(fake.closed, 0);
  fake_finish(&fake, pool);
}

static void test_rpc__wrong_parameters_reach_no_driver(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE());
  pool_lease_t lease = pool_get(pool);
  pool_bytes_t without_data = {NULL, 3};
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_call(lease, NULL, no_args, NULL, &error), POOL_E_INVALID);
  assert_non_null(strstr(error.message, "method"));
  assert_int_equal(pool_call(lease, "echo", without_data, NULL, &error), POOL_E_INVALID);
  assert_non_null(strstr(error.message, "args"));
  assert_int_equal(pool_go(lease, NULL, no_args, never, NULL), POOL_E_INVALID);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "method"));
  assert_int_equal(pool_go(lease, "echo", without_data, never, NULL), POOL_E_INVALID);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "args"));
  assert_int_equal(pool_go(lease, "echo", no_args, NULL, NULL), POOL_E_INVALID);
  pool_failure(&error);
  assert_non_null(strstr(error.message, "done"));
  assert_int_equal(server.fake.calls, 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1);
  server_finish(pool);
}

static void test_rpc__what_is_no_lease_reaches_no_connection(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.config.max_open = 1));
  pool_lease_t stale = pool_get(pool);
  assert_int_equal(pool_put(stale), 0);
  pool_lease_t lease = pool_get(pool); /* the same connection, by another lease */
  uint64_t bits = (uint64_t)lease;
  const pool_lease_t wrong[] = {
      stale,
      0,
      -1,
      -lease,
      INT64_MIN,
      INT64_MAX,
      lease + 1,
      lease - 1,
      lease + (1 << 20),
      1,
      (1 << 20) - 1,
      (pool_lease_t)(bits | UINT64_C(1) << 62),
      (pool_lease_t)(bits | UINT64_C(1) << 63),
      (pool_lease_t)(bits & ((1u << 20) - 1)),
      POOL_E_TIMEOUT,
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    pool_error_t error = POOL_ERROR_INIT;
    assert_int_equal(pool_call(wrong[i], "echo", no_args, NULL, &error), POOL_E_STALE);
    assert_int_equal(error.code, POOL_E_STALE);
    assert_int_equal(pool_go(wrong[i], "echo", no_args, never, NULL), POOL_E_STALE);
    assert_int_equal(pool_failure(NULL), POOL_E_STALE);
  }
  assert_int_equal(server.fake.calls, 0);
  assert_int_equal(pool_call(lease, "echo", no_args, NULL, NULL), 0);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_call(lease, "echo", no_args, NULL, NULL), POOL_E_STALE); /* idle is not lent */
  assert_int_equal(server.fake.calls, 1);
  server_finish(pool);
}

struct caller {
  pool_lease_t lease;
  const char *method;
  int result;
};

static void *call_main(void *data)
{
  struct caller *caller = data;
  caller->result = pool_call(caller->lease, caller->method, no_args, NULL, NULL);
  return NULL;
}

/* Then nothing that is_clean could have said holds any more. */
static void test_rpc__a_put_during_a_call_takes_effect_after_it(void **state)
{
  (void)state;
  pool_t *pool =
      server_start(CALLABLE(.vtable.reset = server_reset, .vtable.is_clean = fake_is_clean, .config.max_open = 1));
  server.fake.is_clean = 1;
  gate_set(&server.calling, false);
  struct caller caller = {.lease = pool_get(pool), .method = "gate"};
  pthread_t thread = thread_start(call_main, &caller);
  wait_until(gate_waiting(&server.calling) == 1);
  assert_int_equal(pool_put(caller.lease), 0);
  assert_int_equal(pool_put(caller.lease), POOL_E_STALE);
  assert_int_equal(pool_call(caller.lease, "echo", no_args, NULL, NULL), POOL_E_STALE);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(server.fake.reset, 0);
  gate_set(&server.calling, true);
  thread_end(thread);
  assert_int_equal(caller.result, 0);
  assert_int_equal(server.fake.reset, 1);
  get_and_put_now(pool);
  assert_int_equal(server.fake.opened, 1);
  server_finish(pool);
}

/* ---- pool_go ---- */

static void *answer_main(void *data)
{
  must_soon(server_pending() > 0);
  server_answer(0);
  return data;
}

static void test_rpc__done_is_called_once(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE());
  pool_lease_t lease = pool_get(pool);
  struct done inside = {0}, remote = {0}, elsewhere = {0};
  int64_t first = pool_go(lease, "echo", args_of("at once"), tell, &inside);
  assert_true(first > 0);
  assert_int_equal(inside.times, 1);
  assert_int_equal(inside.code, 0);
  assert_string_equal(inside.text, "at once");
  assert_true(pthread_equal(inside.thread, pthread_self()));
  int64_t second = pool_go(lease, "remote", args_of("no such thing"), tell, &remote);
  assert_true(second > 0 && second != first);
  assert_int_equal(remote.times, 1);
  assert_int_equal(remote.code, POOL_E_REMOTE);
  assert_string_equal(remote.text, "no such thing");
  pthread_t thread = thread_start(answer_main, NULL);
  assert_goes(lease, "later", &elsewhere);
  thread_end(thread);
  assert_int_equal(elsewhere.times, 1);
  assert_string_equal(elsewhere.text, "answer");
  assert_false(pthread_equal(elsewhere.thread, pthread_self()));
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1);
  server_finish(pool);
  assert_int_equal(inside.times + remote.times + elsewhere.times, 3);
}

static void test_rpc__a_second_report_is_stale(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE());
  pool_lease_t lease = pool_get(pool);
  struct done told = {0};
  assert_goes(lease, "later", &told);
  pool_call_t *call = server_answer(0);
  assert_int_equal(pool_call_done(call, 0, bytes_of("leaks if not freed")), POOL_E_STALE);
  assert_int_equal(pool_call_done(call, POOL_E_BROKEN, no_args), POOL_E_STALE);
  assert_int_equal(pool_failure(NULL), POOL_E_STALE);
  assert_int_equal(pool_call_done(NULL, 0, bytes_of("likewise")), POOL_E_INVALID);
  assert_int_equal(pool_call_done((pool_call_t *)1, 0, bytes_of("a small number, not a call")), POOL_E_INVALID);
  assert_int_equal(told.times, 1);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1); /* the late "broken" was of no effect */
  assert_true(pool_call_deadline(NULL) == POOL_NO_DEADLINE);
  assert_true(pool_call_deadline((pool_call_t *)1) == POOL_NO_DEADLINE);
  server_finish(pool);
}

/* The memory of a call serves other calls; a second report must not end one of those. */
static void test_rpc__a_second_report_reaches_no_later_call(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.flags = POOL_VTABLE_MULTIPLEXED));
  pool_lease_t lease = pool_get(pool);
  struct done first = {0}, later[200];
  memset(later, 0, sizeof later);
  assert_goes(lease, "later", &first);
  pool_call_t *call = server_answer(0);
  for (int i = 0; i < 200; i++) {
    assert_goes(lease, "later", &later[i]);
    assert_int_equal(pool_call_done(call, POOL_E_BROKEN, bytes_of("late")), POOL_E_STALE);
    if (i % 3 == 0)
      server_answer(0);
  }
  while (server_pending() > 0)
    server_answer(0);
  assert_int_equal(first.times, 1);
  for (int i = 0; i < 200; i++) {
    assert_int_equal(later[i].times, 1);
    assert_int_equal(later[i].code, 0);
  }
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1);
  server_finish(pool);
}

static void test_rpc__a_connection_put_during_go_is_nobodys_until_done(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.reset = server_reset, .config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  struct done told[2] = {0};
  assert_goes(lease, "later", &told[0]);
  assert_goes(lease, "later", &told[1]);
  assert_int_equal(pool_put(lease), 0);
  assert_null(pool_conn(lease));
  assert_int_equal(pool_mark_unusable(lease), POOL_E_STALE);
  assert_int_equal(pool_go(lease, "later", no_args, never, NULL), POOL_E_STALE);
  struct getter getters[2] = {{.keeps = true}, {.keeps = true}};
  getters_queue(getters, 2, pool, 20000);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(pool_len(pool), 0);
  server_answer(0);
  assert_int_equal(told[0].times, 1);
  assert_int_equal(server.fake.reset, 0); /* one more is under way */
  assert_int_equal(stats_of(pool).waiting, 2);
  server_answer(0);
  assert_int_equal(server.fake.reset, 1);
  assert_true(getter_end(&getters[0]) > 0); /* the first waiter has it */
  assert_int_equal(getters[1].result, 0);
  assert_int_equal(pool_put(getters[0].result), 0);
  assert_int_equal(pool_put(getter_end(&getters[1])), 0);
  assert_int_equal(server.fake.opened, 1);
  assert_int_equal(server.fake.closed, 0);
  server_finish(pool);
}

static void test_rpc__a_multiplexed_connection_is_lent_at_once(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.flags = POOL_VTABLE_MULTIPLEXED, .config.max_open = 1));
  pool_lease_t lease = pool_get(pool);
  void *conn = pool_conn(lease);
  struct done told[3] = {0};
  for (int i = 0; i < 3; i++) {
    assert_goes(lease, "later", &told[i]);
    assert_int_equal(pool_put(lease), 0);
    lease = pool_get_for(pool, 0);
    assert_ptr_equal(pool_conn(lease), conn);
  }
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_len(pool), 1);
  for (int i = 0; i < 3; i++)
    server_answer(0);
  for (int i = 0; i < 3; i++)
    assert_int_equal(told[i].times, 1);
  assert_int_equal(pool_len(pool), 1);
  server_finish(pool);
}

/* A call of an earlier lease breaks a multiplexed connection, wherever it is by then. */
static void test_rpc__an_earlier_call_dooms_a_multiplexed_connection(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.flags = POOL_VTABLE_MULTIPLEXED, .config.max_open = 1));
  struct done told[3] = {0};
  /* Idle, no other call: closed at once. */
  pool_lease_t lease = pool_get(pool);
  assert_goes(lease, "later", &told[0]);
  assert_int_equal(pool_put(lease), 0);
  server_answer(POOL_E_BROKEN);
  assert_int_equal(server.fake.closed, 1);
  /* Idle, another call under way: not lent again, and closed when that is done. */
  lease = pool_get_for(pool, 0);
  assert_goes(lease, "later", &told[1]);
  assert_goes(lease, "later", &told[2]);
  assert_int_equal(pool_put(lease), 0);
  server_answer(POOL_E_BROKEN);
  assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
  assert_int_equal(server.fake.closed, 1);
  server_answer(0);
  assert_int_equal(server.fake.closed, 2);
  /* Lent to another thread: closed when that puts it. */
  lease = pool_get_for(pool, 0);
  assert_goes(lease, "later", &told[0]);
  assert_int_equal(pool_put(lease), 0);
  lease = pool_get_for(pool, 0);
  assert_int_equal(server.fake.opened, 3);
  server_answer(POOL_E_BROKEN);
  assert_non_null(pool_conn(lease));
  assert_int_equal(server.fake.closed, 2);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(server.fake.closed, 3);
  server_finish(pool);
}

static void test_rpc__unusable_and_put_during_go_is_closed_when_done(void **state)
{
  (void)state;
  for (uint32_t flags = 0; flags <= POOL_VTABLE_MULTIPLEXED; flags++) {
    pool_t *pool = server_start(CALLABLE(.vtable.flags = flags, .vtable.reset = server_reset, .config.max_open = 1));
    struct done told = {0};
    pool_lease_t lease = pool_get(pool);
    assert_goes(lease, "later", &told);
    assert_int_equal(pool_mark_unusable(lease), 0);
    assert_int_equal(pool_put(lease), 0);
    assert_int_equal(server.fake.closed, 0);
    assert_int_equal(pool_get_for(pool, 0), POOL_E_TIMEOUT);
    server_answer(0);
    assert_int_equal(server.fake.closed, 1);
    assert_int_equal(server.fake.reset, 0);
    get_and_put_now(pool);
    server_finish(pool);
  }
}

static void test_rpc__multiplexed_connections_are_reset_between_calls(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.flags = POOL_VTABLE_MULTIPLEXED, .vtable.reset = server_reset));
  struct done told = {0};
  pool_lease_t lease = pool_get(pool);
  assert_goes(lease, "later", &told);
  assert_int_equal(pool_put(lease), 0);
  server_answer(0);
  assert_int_equal(server.fake.reset, 1);
  assert_int_equal(pool_len(pool), 1);
  server_finish(pool); /* no reset met a call */
}

static void test_rpc__put_from_within_done(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.reset = server_reset));
  struct done inside = {.put = pool_get(pool)}, elsewhere = {0};
  assert_goes(inside.put, "echo", &inside);
  assert_int_equal(inside.times, 1);
  assert_int_equal(pool_len(pool), 1);
  elsewhere.put = pool_get(pool);
  pthread_t thread = thread_start(answer_main, NULL);
  assert_goes(elsewhere.put, "later", &elsewhere);
  thread_end(thread);
  assert_int_equal(elsewhere.times, 1);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(server.fake.reset, 2);
  server_finish(pool);
}

struct again {
  pool_t *pool;
  _Atomic int rounds;
};

/* Uses everything from within done. */
static void go_again(void *user, int32_t code, pool_bytes_t reply)
{
  struct again *again = user;
  must(code == 0);
  pool_bytes_free(&reply);
  must(pool_close(again->pool, 10) == POOL_E_INVALID);
  must(pool_close(again->pool, -1) == POOL_E_INVALID);
  if (atomic_fetch_add(&again->rounds, 1) == 20) {
    must(pool_close(again->pool, 0) > 0);
    return;
  }
  pool_lease_t lease = pool_get_for(again->pool, 0);
  must(lease > 0);
  must(pool_call(lease, "echo", args_of("x"), NULL, NULL) == 0);
  must(pool_go(lease, "echo", no_args, go_again, again) > 0);
  must(pool_put(lease) == 0);
}

static void test_rpc__done_may_call_everything(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE());
  struct again again = {.pool = pool};
  pool_lease_t lease = pool_get(pool);
  assert_true(pool_go(lease, "echo", no_args, go_again, &again) > 0);
  assert_int_equal(again.rounds, 21);
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(pool_get(pool), POOL_E_CLOSED);
  server_finish(pool);
}

static int go_reports_and_refuses(void *context, void *conn, const char *method, pool_bytes_t args, pool_call_t *call)
{
  (void)context, (void)conn, (void)method, (void)args;
  must(pool_call_done(call, 0, bytes_of("x")) == 0);
  return POOL_E_BROKEN;
}

static void test_rpc__a_go_that_reports_and_refuses_ends_once(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.go = go_reports_and_refuses));
  pool_lease_t lease = pool_get(pool);
  struct done told[3] = {0};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(pool_go(lease, "x", no_args, tell, &told[i]), POOL_E_BROKEN);
    assert_int_equal(told[i].times, 1);
  }
  assert_int_equal(pool_put(lease), 0);
  assert_int_equal(stats_of(pool).open, pool_len(pool)); /* no call is left on it */
  server_finish(pool);
}

static void test_rpc__a_refused_go_leaves_no_call_behind(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE());
  for (int i = 0; i < 10; i++) {
    pool_lease_t lease = pool_get(pool);
    assert_int_equal(pool_go(lease, "-1", no_args, never, NULL), POOL_E_INVALID);
    assert_int_equal(pool_put(lease), 0);
    assert_int_equal(pool_len(pool), 1);
  }
  assert_int_equal(pool_close(pool, -1), 0);
  server_finish(pool);
}

static void test_rpc__a_successful_go_leaves_the_last_failure_alone(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE());
  pool_lease_t lease = pool_get(pool);
  struct done told = {0};
  pool_error_t error = POOL_ERROR_INIT;
  assert_int_equal(pool_call(lease, "-6", no_args, NULL, NULL), POOL_E_REMOTE);
  assert_goes(lease, "echo", &told);
  assert_int_equal(pool_failure(&error), POOL_E_REMOTE);
  assert_string_equal(error.message, "code -6");
  /* And a failure of go is not told with the words of an earlier one. */
  assert_int_equal(pool_go(lease, "-6", no_args, never, NULL), POOL_E_REMOTE);
  assert_int_equal(pool_failure(&error), POOL_E_REMOTE);
  assert_string_not_equal(error.message, "code -6");
  assert_int_equal(pool_put(lease), 0);
  server_finish(pool);
}

static void test_rpc__drivers_see_the_deadline(void **state)
{
  (void)state;
  const int64_t timeouts_ms[] = {-1, 0, 5000};
  for (size_t i = 0; i < sizeof timeouts_ms / sizeof *timeouts_ms; i++) {
    pool_t *pool = server_start(CALLABLE(.config.call_timeout_ms = timeouts_ms[i]));
    pool_lease_t lease = pool_get(pool);
    for (int round = 0; round < 2; round++) {
      struct done told = {0};
      int64_t before = now_ns();
      if (round == 0)
        assert_int_equal(pool_call(lease, "echo", no_args, NULL, NULL), 0);
      else
        assert_goes(lease, "later", &told);
      int64_t after = now_ns();
      if (timeouts_ms[i] < 0) {
        assert_true(server.deadline_ns == POOL_NO_DEADLINE);
      } else {
        assert_true(server.deadline_ns >= before + timeouts_ms[i] * 1000000);
        assert_true(server.deadline_ns <= after + timeouts_ms[i] * 1000000);
      }
      if (round == 1)
        server_answer(0);
    }
    assert_int_equal(pool_put(lease), 0);
    server_finish(pool);
  }
}

/* ---- many calls ---- */

struct sharing {
  pool_lease_t lease;
  _Atomic int ended, stop;
};

static void count_ended(void *user, int32_t code, pool_bytes_t reply)
{
  struct sharing *sharing = user;
  must(code == 0 || code == POOL_E_REMOTE);
  pool_bytes_free(&reply);
  atomic_fetch_add(&sharing->ended, 1);
}

static void *share_main(void *data)
{
  struct sharing *sharing = data;
  for (int i = 0; i < 1000; i++) {
    char text[32];
    pool_bytes_t reply;
    snprintf(text, sizeof text, "%d of %p", i, (void *)&reply);
    must(pool_call(sharing->lease, "echo", args_of(text), &reply, NULL) == 0);
    must(strcmp(reply.data, text) == 0);
    pool_bytes_free(&reply);
    must(pool_go(sharing->lease, i % 2 ? "later" : "echo", no_args, count_ended, sharing) > 0);
  }
  return NULL;
}

static void *answer_all_main(void *data)
{
  struct sharing *sharing = data;
  for (;;) {
    bool stop = atomic_load(&sharing->stop);
    pool_call_t *call = server_take();
    if (call)
      must(pool_call_done(call, POOL_E_REMOTE, bytes_of("x")) == 0);
    else if (stop)
      return NULL;
    else
      yield_ns();
  }
}

static void test_rpc__many_threads_share_a_multiplexed_lease(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE(.vtable.flags = POOL_VTABLE_MULTIPLEXED));
  struct sharing sharing = {.lease = pool_get(pool)};
  pthread_t threads[8], answering[2];
  threads_start(answering, 2, answer_all_main, &sharing);
  threads_start(threads, 8, share_main, &sharing);
  threads_end(threads, 8);
  sharing.stop = 1;
  threads_end(answering, 2);
  assert_int_equal(sharing.ended, 8000);
  assert_int_equal(pool_put(sharing.lease), 0);
  assert_int_equal(pool_len(pool), 1);
  assert_int_equal(server.fake.opened, 1);
  server_finish(pool);
}

static void test_rpc__too_many_calls_under_way_are_refused(void **state)
{
  (void)state;
  for (uint32_t flags = 0; flags <= POOL_VTABLE_MULTIPLEXED; flags++) {
    pool_t *pool = server_start(CALLABLE(.vtable.flags = flags));
    struct sharing sharing = {.lease = pool_get(pool)};
    enum { MOST = 4095 };
    for (int i = 0; i < MOST; i++)
      assert_true(pool_go(sharing.lease, "later", no_args, count_ended, &sharing) > 0);
    pool_error_t error = POOL_ERROR_INIT;
    for (int i = 0; i < 3; i++) {
      assert_int_equal(pool_go(sharing.lease, "later", no_args, never, NULL), POOL_E_OVERLOAD);
      assert_int_equal(pool_call(sharing.lease, "echo", no_args, NULL, &error), POOL_E_OVERLOAD);
      assert_int_equal(error.code, POOL_E_OVERLOAD);
    }
    assert_non_null(pool_conn(sharing.lease));
    server_answer(0);
    assert_int_equal(pool_call(sharing.lease, "echo", no_args, NULL, NULL), 0);
    assert_int_equal(pool_mark_unusable(sharing.lease), 0); /* the flags beside the count are not hurt by it */
    assert_int_equal(pool_put(sharing.lease), 0);
    while (server_pending() > 0) {
      assert_int_equal(server.fake.closed, 0);
      server_answer(0);
    }
    assert_int_equal(sharing.ended, MOST);
    assert_int_equal(server.fake.closed, 1);
    server_finish(pool);
  }
}

/* ---- closing ---- */

static bool is_closed(pool_t *pool)
{
  pool_lease_t lease = pool_get_for(pool, 0);
  if (lease > 0)
    pool_put(lease);
  return lease == POOL_E_CLOSED;
}

static void test_rpc__close_waits_for_calls_under_way(void **state)
{
  (void)state;
  for (uint32_t flags = 0; flags <= POOL_VTABLE_MULTIPLEXED; flags++) {
    pool_t *pool = server_start(CALLABLE(.vtable.flags = flags, .config.max_open = 2));
    struct done told[3] = {0};
    pool_lease_t put = pool_get(pool), kept = pool_get(pool);
    assert_goes(put, "later", &told[0]);
    assert_goes(put, "later", &told[1]);
    assert_goes(kept, "later", &told[2]);
    assert_int_equal(pool_put(put), 0);
    struct closer closer;
    closer_start(&closer, pool, -1);
    wait_until(is_closed(pool));
    assert_int_equal(pool_close(pool, 1), 2);
    assert_int_equal(server.fake.closed, 0);
    struct done more = {0};
    assert_goes(kept, "echo", &more); /* a lease may be used to its end */
    server_answer(0);
    assert_int_equal(server.fake.closed, 0);
    server_answer(0);
    assert_int_equal(server.fake.closed, 1);
    assert_int_equal(pool_put(kept), 0);
    assert_int_equal(pool_close(pool, 1), 1);
    assert_true(closer_waits(&closer));
    server_answer(POOL_E_BROKEN);
    closer_end(&closer, 0);
    assert_int_equal(server.fake.closed, 2);
    server_finish(pool);
  }
}

static void test_rpc__a_freed_pool_lives_until_the_last_call_is_done(void **state)
{
  (void)state;
  for (uint32_t flags = 0; flags <= POOL_VTABLE_MULTIPLEXED; flags++) {
    pool_t *pool = server_start(CALLABLE(.vtable.flags = flags, .vtable.release = fake_release));
    struct done told[2] = {0};
    pool_lease_t lease = pool_get(pool), other = pool_get(pool);
    assert_goes(lease, "later", &told[0]);
    assert_goes(other, "later", &told[1]);
    assert_int_equal(pool_put(lease), 0);
    pool_free(pool);
    assert_int_equal(server.fake.closed, 0);
    server_answer(0);
    assert_int_equal(told[0].times, 1);
    assert_int_equal(server.fake.closed, 1);
    assert_int_equal(server.fake.released, 0);
    server_answer(POOL_E_REMOTE);
    assert_int_equal(told[1].times, 1);
    assert_int_equal(server.fake.closed, 1);
    assert_int_equal(pool_call(other, "echo", no_args, NULL, NULL), 0);
    assert_int_equal(pool_put(other), 0);
    assert_int_equal(server.fake.closed, 2);
    assert_int_equal(server.fake.released, 1);
    assert_int_equal(server.fake.misuse, 0);
  }
}

/* The pool of the call ended with it, and the new one has its memory. */
static void end_another(void *user, int32_t code, pool_bytes_t reply)
{
  pool_t *former = user, *pool = NULL;
  pool_vtable_t vtable = fake_vtable();
  must(code == 0);
  pool_bytes_free(&reply);
  must(pool_create(NULL, &vtable, &server.fake, &pool, NULL) == 0);
  must(pool == former);
  must(pool_close(pool, -1) == 0);
  pool_free(pool);
}

static void test_rpc__done_of_a_pool_that_has_ended_may_drain_another(void **state)
{
  (void)state;
  pool_t *pool = server_start(CALLABLE());
  pool_lease_t lease = pool_get(pool);
  assert_true(pool_go(lease, "later", no_args, end_another, pool) > 0);
  assert_int_equal(pool_put(lease), 0);
  pool_free(pool);
  server_answer(0);
  assert_int_equal(server.fake.closed, 1);
  assert_int_equal(server.fake.misuse, 0);
}

/* ---- everything at once ---- */

struct storm {
  pool_t *pool;
  _Atomic int begun, ended, stop;
};

static void count_storm(void *user, int32_t code, pool_bytes_t reply)
{
  struct storm *storm = user;
  must(code <= 0);
  pool_bytes_free(&reply);
  atomic_fetch_add(&storm->ended, 1);
}

static void *storm_main(void *data)
{
  struct storm *storm = data;
  uint64_t seed = (uint64_t)(uintptr_t)&seed | 1;
  for (int i = 0; i < 4000; i++) {
    pool_lease_t lease = pool_get(storm->pool);
    must(lease > 0);
    for (uint32_t calls = random_next(&seed) % 3; calls > 0; calls--) {
      uint32_t dice = random_next(&seed) % 64;
      if (dice == 0) {
        int code = pool_go(lease, "-7", no_args, never, NULL) == POOL_E_BROKEN ? 0 : 1;
        must(code == 0);
      } else if (dice < 8) {
        int code = pool_call(lease, dice == 1 ? "-7" : "echo", args_of("x"), NULL, NULL);
        must(code == 0 || code == POOL_E_BROKEN);
      } else {
        must(pool_go(lease, dice < 16 ? "echo" : "later", no_args, count_storm, storm) > 0);
        atomic_fetch_add(&storm->begun, 1);
      }
    }
    if (random_next(&seed) % 100 == 0)
      must(pool_mark_unusable(lease) == 0);
    must(pool_put(lease) == 0);
    must(pool_put(lease) == POOL_E_STALE);
  }
  return NULL;
}

static void *storm_answer_main(void *data)
{
  struct storm *storm = data;
  uint64_t seed = (uint64_t)(uintptr_t)&seed | 1;
  for (;;) {
    bool stop = atomic_load(&storm->stop);
    pool_call_t *call = server_take();
    if (!call && stop)
      return NULL;
    if (!call) {
      yield_ns();
      continue;
    }
    uint32_t dice = random_next(&seed) % 64;
    must(pool_call_done(call, dice == 0 ? POOL_E_BROKEN : dice < 8 ? POOL_E_REMOTE : 0, bytes_of("x")) == 0);
  }
}

static void test_rpc__a_storm_of_calls(void **state)
{
  (void)state;
  for (uint32_t flags = 0; flags <= POOL_VTABLE_MULTIPLEXED; flags++) {
    static struct storm storm;
    memset(&storm, 0, sizeof storm);
    storm.pool = server_start(CALLABLE(.vtable.flags = flags, .vtable.check = fake_check,
                                       .vtable.reset = flags ? NULL : server_reset, .vtable.release = fake_release,
                                       .config.max_open = 3));
    server.fake.fail_check = 50;
    pthread_t threads[6], answering[2];
    threads_start(answering, 2, storm_answer_main, &storm);
    threads_start(threads, 6, storm_main, &storm);
    threads_end(threads, 6);
    storm.stop = 1;
    threads_end(answering, 2);
    assert_int_equal(storm.ended, storm.begun);
    assert_true(server.fake.most_open <= 3);
    wait_until(stats_of(storm.pool).open == stats_of(storm.pool).idle); /* the dead are closed in the background */
    pool_stats_t stats = stats_of(storm.pool);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.leased, 0);
    server.fake.fail_check = 0;
    pool_lease_t leases[3];
    for (int i = 0; i < 3; i++)
      assert_true((leases[i] = pool_get_for(storm.pool, 0)) > 0);
    leases_put(leases, 3);
    server_finish(storm.pool);
    assert_int_equal(server.fake.released, 1);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rpc__a_reply_belongs_to_the_caller),
      cmocka_unit_test(test_rpc__a_reply_of_no_interest_is_freed),
      cmocka_unit_test(test_rpc__bytes_have_limits),
      cmocka_unit_test(test_rpc__a_remote_error_leaves_the_connection_good),
      cmocka_unit_test(test_rpc__a_drivers_message_may_be_missing_or_endless),
      cmocka_unit_test(test_rpc__each_outcome_decides_about_the_connection),
      cmocka_unit_test(test_rpc__each_outcome_of_go_decides_about_the_connection),
      cmocka_unit_test(test_rpc__after_a_break_idle_siblings_are_checked),
      cmocka_unit_test(test_rpc__a_connection_marked_as_broken_has_its_idle_siblings_checked),
      cmocka_unit_test(test_rpc__what_is_suspect_is_checked_in_the_background_where_there_is_one),
      cmocka_unit_test(test_rpc__a_get_meets_one_dead_sibling_at_most),
      cmocka_unit_test(test_rpc__without_callbacks_calls_are_unsupported),
      cmocka_unit_test(test_rpc__wrong_parameters_reach_no_driver),
      cmocka_unit_test(test_rpc__what_is_no_lease_reaches_no_connection),
      cmocka_unit_test(test_rpc__a_put_during_a_call_takes_effect_after_it),
      cmocka_unit_test(test_rpc__done_is_called_once),
      cmocka_unit_test(test_rpc__a_second_report_is_stale),
      cmocka_unit_test(test_rpc__a_second_report_reaches_no_later_call),
      cmocka_unit_test(test_rpc__a_connection_put_during_go_is_nobodys_until_done),
      cmocka_unit_test(test_rpc__a_multiplexed_connection_is_lent_at_once),
      cmocka_unit_test(test_rpc__an_earlier_call_dooms_a_multiplexed_connection),
      cmocka_unit_test(test_rpc__unusable_and_put_during_go_is_closed_when_done),
      cmocka_unit_test(test_rpc__multiplexed_connections_are_reset_between_calls),
      cmocka_unit_test(test_rpc__put_from_within_done),
      cmocka_unit_test(test_rpc__done_may_call_everything),
      cmocka_unit_test(test_rpc__a_go_that_reports_and_refuses_ends_once),
      cmocka_unit_test(test_rpc__a_refused_go_leaves_no_call_behind),
      cmocka_unit_test(test_rpc__a_successful_go_leaves_the_last_failure_alone),
      cmocka_unit_test(test_rpc__drivers_see_the_deadline),
      cmocka_unit_test(test_rpc__many_threads_share_a_multiplexed_lease),
      cmocka_unit_test(test_rpc__too_many_calls_under_way_are_refused),
      cmocka_unit_test(test_rpc__close_waits_for_calls_under_way),
      cmocka_unit_test(test_rpc__a_freed_pool_lives_until_the_last_call_is_done),
      cmocka_unit_test(test_rpc__done_of_a_pool_that_has_ended_may_drain_another),
      cmocka_unit_test(test_rpc__a_storm_of_calls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
