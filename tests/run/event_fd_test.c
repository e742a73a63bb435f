/* SPDX-License-Identifier: MIT */
/* pool_event_fd: an event loop learns that pool_maintain has something to do. */
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pool_config_t manual(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.keeper = POOL_KEEPER_MANUAL;
  config.max_open = 1;
  return config;
}

static bool is_readable(int fd)
{
  struct pollfd look = {.fd = fd, .events = POLLIN};
  must(poll(&look, 1, 0) >= 0 && !(look.revents & POLLNVAL));
  return look.revents & POLLIN;
}

static int descriptor_count(void)
{
  int count = 0;
  DIR *descriptors = opendir("/proc/self/fd");
  assert_non_null(descriptors);
  for (struct dirent *descriptor; (descriptor = readdir(descriptors));)
    count += descriptor->d_name[0] != '.';
  closedir(descriptors);
  return count;
}

/* Keeps the result, and how many there were. */
struct got {
  int count;
  int64_t result;
};

static void got(void *user, int64_t result)
{
  struct got *mine = user;
  mine->count++;
  mine->result = result;
}

/* A pool whose only connection is lent, and a descriptor that says that nothing is to be done. */
struct busy {
  struct fake fake;
  pool_t *pool;
  pool_lease_t lease;
  int fd;
};

static void busy_begin(struct busy *busy)
{
  pool_config_t config = manual();
  fake_init(&busy->fake);
  busy->pool = fake_pool(&busy->fake, &config, NULL);
  busy->lease = pool_get(busy->pool);
  assert_true(busy->lease > 0);
  busy->fd = pool_event_fd(busy->pool);
  assert_true(busy->fd >= 0);
  assert_false(is_readable(busy->fd));
}

/* Somebody asks and must wait. */
static int64_t ask(struct busy *busy, struct got *asked)
{
  *asked = (struct got){0};
  int64_t ticket = pool_get_async(busy->pool, -1, got, asked);
  assert_true(ticket > 0);
  pool_maintain(busy->pool);
  assert_int_equal(asked->count, 0);
  assert_false(is_readable(busy->fd));
  return ticket;
}

static void maintain(struct busy *busy)
{
  assert_true(is_readable(busy->fd));
  assert_true(pool_maintain(busy->pool) == INT64_MAX);
  assert_false(is_readable(busy->fd));
}

static void test_event_fd__is_always_the_same(void **state)
{
  (void)state;
  struct busy busy;
  busy_begin(&busy);
  for (int i = 0; i < 10; i++)
    assert_int_equal(pool_event_fd(busy.pool), busy.fd);
  assert_true(fcntl(busy.fd, F_GETFD) & FD_CLOEXEC);
  assert_true(fcntl(busy.fd, F_GETFL) & O_NONBLOCK);
  pool_put(busy.lease);
  fake_finish(&busy.fake, busy.pool);
}

static void test_event_fd__is_readable_when_somebody_asks(void **state)
{
  (void)state;
  struct busy busy;
  struct got asked = {0};
  busy_begin(&busy);
  pool_put(busy.lease);
  assert_false(is_readable(busy.fd)); /* nobody asked for it */
  assert_true(pool_get_async(busy.pool, -1, got, &asked) > 0);
  assert_int_equal(asked.count, 0);
  maintain(&busy);
  assert_int_equal(asked.count, 1);
  assert_true(asked.result > 0);
  pool_put(asked.result);
  fake_finish(&busy.fake, busy.pool);
}

/* It may be that pool_maintain must only learn of the deadline. */
static void test_event_fd__is_readable_when_there_is_a_deadline_to_keep(void **state)
{
  (void)state;
  struct busy busy;
  struct got asked = {0};
  busy_begin(&busy);
  assert_true(pool_maintain(busy.pool) == INT64_MAX);
  assert_true(pool_get_async(busy.pool, 100000, got, &asked) > 0);
  assert_true(is_readable(busy.fd));
  int64_t wait = pool_maintain(busy.pool);
  assert_true(wait > 0 && wait <= INT64_C(100000000000));
  assert_false(is_readable(busy.fd));
  pool_put(busy.lease);
  maintain(&busy);
  pool_put(asked.result);
  fake_finish(&busy.fake, busy.pool);
}

static void test_event_fd__is_readable_after_a_put_that_serves(void **state)
{
  (void)state;
  struct busy busy;
  struct got first, second;
  busy_begin(&busy);
  ask(&busy, &first);
  ask(&busy, &second);
  pool_put(busy.lease);
  maintain(&busy);
  assert_int_equal(first.count, 1);
  assert_int_equal(second.count, 0);
  pool_put(first.result);
  maintain(&busy);
  assert_int_equal(second.count, 1);
  pool_put(second.result);
  assert_false(is_readable(busy.fd));
  fake_finish(&busy.fake, busy.pool);
}

static void test_event_fd__is_readable_after_a_cancel(void **state)
{
  (void)state;
  struct busy busy;
  struct got asked;
  busy_begin(&busy);
  assert_int_equal(pool_cancel(ask(&busy, &asked)), 0);
  assert_int_equal(asked.count, 0);
  maintain(&busy);
  assert_int_equal(asked.count, 1);
  assert_int_equal(asked.result, POOL_E_CANCELLED);
  pool_put(busy.lease);
  fake_finish(&busy.fake, busy.pool);
}

static void test_event_fd__is_readable_after_a_close(void **state)
{
  (void)state;
  struct busy busy;
  struct got asked;
  busy_begin(&busy);
  ask(&busy, &asked);
  assert_int_equal(pool_close(busy.pool, 0), 1);
  maintain(&busy);
  assert_int_equal(asked.count, 1);
  assert_int_equal(asked.result, POOL_E_CLOSED);
  pool_put(busy.lease);
  fake_finish(&busy.fake, busy.pool);
}

/* What was served before anybody asked for a descriptor is told as well. */
static void test_event_fd__tells_what_came_before_it(void **state)
{
  (void)state;
  struct fake fake;
  struct got asked = {0};
  pool_config_t config = manual();
  config.initial = 1;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  assert_true(pool_get_async(pool, -1, got, &asked) > 0);
  int fd = pool_event_fd(pool);
  assert_true(is_readable(fd));
  pool_maintain(pool);
  assert_int_equal(asked.count, 1);
  assert_false(is_readable(fd));
  pool_put(asked.result);
  fake_finish(&fake, pool);
}

/* ---- many threads put, one loop serves ---- */

enum { PUTTERS = 4, ROUNDS = 500 };

static void *get_and_put(void *data)
{
  for (int i = 0; i < ROUNDS; i++) {
    pool_lease_t lease = pool_get_for(data, -1);
    must(lease > 0);
    must(pool_put(lease) == 0);
  }
  return NULL;
}

static void put_again(void *user, int64_t result)
{
  must(result > 0);
  must(pool_put(result) == 0);
  ++*(int *)user;
}

/* The loop looks only when it is told to, so a signal that is lost is a loop that hangs. */
static void test_event_fd__misses_nothing(void **state)
{
  (void)state;
  struct fake fake;
  pthread_t putters[PUTTERS];
  pool_config_t config = manual();
  config.max_open = 2;
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  struct pollfd watched = {.fd = pool_event_fd(pool), .events = POLLIN};
  for (int i = 0; i < PUTTERS; i++)
    putters[i] = thread_start(get_and_put, pool);
  int served = 0;
  for (int asked = 0; served < ROUNDS;) {
    if (asked == served) {
      asked++;
      assert_true(pool_get_async(pool, -1, put_again, &served) > 0);
    }
    assert_int_equal(poll(&watched, 1, 10000), 1);
    pool_maintain(pool);
  }
  for (int i = 0; i < PUTTERS; i++)
    thread_end(putters[i]);
  fake_finish(&fake, pool);
}

/* ---- fork ---- */

static void succeeds(pid_t child)
{
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static pid_t fork_child(void)
{
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0)
    alarm(60);
  return child;
}

/* In the child: the number is known, and what happens is the child's own business. */
static _Noreturn void has_its_own(pool_t *pool, int fd)
{
  struct got asked = {0};
  must(!is_readable(fd));
  must(pool_event_fd(pool) == fd);
  must(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  must(pool_get_async(pool, -1, got, &asked) > 0);
  must(is_readable(fd));
  while (!asked.count)
    pool_maintain(pool);
  must(asked.result > 0 && pool_put(asked.result) == 0);
  must(pool_get_async(pool, -1, got, &asked) > 0);
  _exit(is_readable(fd) ? 0 : 1);
}

static void test_event_fd__is_a_new_one_in_a_child(void **state)
{
  (void)state;
  struct busy busy;
  struct got asked;
  busy_begin(&busy);
  pid_t child = fork_child();
  if (child == 0)
    has_its_own(busy.pool, busy.fd);
  succeeds(child);
  assert_false(is_readable(busy.fd));

  /* Nor does a child take away what the parent was told. */
  ask(&busy, &asked);
  pool_put(busy.lease);
  assert_true(is_readable(busy.fd));
  child = fork_child();
  if (child == 0)
    has_its_own(busy.pool, busy.fd);
  succeeds(child);
  maintain(&busy);
  pool_put(asked.result);
  fake_finish(&busy.fake, busy.pool);
}

/* Where every number is used, the child makes do with the one that it has. */
static void test_event_fd__is_a_new_one_where_no_number_is_free(void **state)
{
  (void)state;
  struct busy busy;
  struct rlimit before, low;
  int taken[256], count = 0;
  busy_begin(&busy);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = (rlim_t)busy.fd + 8;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  while ((taken[count] = dup(0)) >= 0)
    count++;
  pid_t child = fork_child();
  if (child == 0)
    has_its_own(busy.pool, busy.fd);
  while (count > 0)
    close(taken[--count]);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  succeeds(child);
  assert_false(is_readable(busy.fd));
  pool_put(busy.lease);
  fake_finish(&busy.fake, busy.pool);
}

/* ---- what cannot be ---- */

static void refuses(pool_t *pool, int code)
{
  assert_int_equal(pool_event_fd(pool), code);
  assert_int_equal(pool_failure(NULL), code);
}

static void test_event_fd__is_for_pools_that_the_program_keeps(void **state)
{
  (void)state;
  struct fake fake;
  pool_t *stepped;
  pool_config_t config = manual();
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, NULL, NULL);
  assert_int_equal(pool_step_create(&config, 0, &stepped, NULL), 0);
  refuses(NULL, POOL_E_INVALID);
  refuses(pool, POOL_E_UNSUPPORTED);
  refuses(stepped, POOL_E_UNSUPPORTED);
  pool_free(stepped);
  fake_finish(&fake, pool);
}

static void test_event_fd__says_that_the_system_refuses(void **state)
{
  (void)state;
  struct fake fake;
  struct rlimit before, none;
  pool_config_t config = manual();
  fake_init(&fake);
  pool_t *pool = fake_pool(&fake, &config, NULL);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  refuses(pool, POOL_E_SYSTEM);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_true(pool_event_fd(pool) >= 0);
  fake_finish(&fake, pool);
}

static void test_event_fd__is_closed_with_its_pool(void **state)
{
  (void)state;
  int before = descriptor_count();
  for (int i = 0; i < 1000; i++) {
    struct busy busy;
    busy_begin(&busy);
    assert_int_equal(descriptor_count(), before + 1);
    pool_put(busy.lease);
    fake_finish(&busy.fake, busy.pool);
  }
  assert_int_equal(descriptor_count(), before);

  /* Not before its end, which is when the last lease is put. */
  struct busy busy;
  busy_begin(&busy);
  pool_free(busy.pool);
  assert_int_equal(descriptor_count(), before + 1);
  pool_put(busy.lease);
  assert_int_equal(descriptor_count(), before);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_event_fd__is_always_the_same),
      cmocka_unit_test(test_event_fd__is_readable_when_somebody_asks),
      cmocka_unit_test(test_event_fd__is_readable_when_there_is_a_deadline_to_keep),
      cmocka_unit_test(test_event_fd__is_readable_after_a_put_that_serves),
      cmocka_unit_test(test_event_fd__is_readable_after_a_cancel),
      cmocka_unit_test(test_event_fd__is_readable_after_a_close),
      cmocka_unit_test(test_event_fd__tells_what_came_before_it),
      cmocka_unit_test(test_event_fd__misses_nothing),
      cmocka_unit_test(test_event_fd__is_a_new_one_in_a_child),
      cmocka_unit_test(test_event_fd__is_a_new_one_where_no_number_is_free),
      cmocka_unit_test(test_event_fd__is_for_pools_that_the_program_keeps),
      cmocka_unit_test(test_event_fd__says_that_the_system_refuses),
      cmocka_unit_test(test_event_fd__is_closed_with_its_pool),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
