/* SPDX-License-Identifier: MIT */
/* The look-up of names (drivers/support/lookup.h) with a resolver of the test's own, which may be silent. */
#include "support.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/lookup.h"

#define MANY 60

static struct gate answers;          /* closed: the resolver is silent */
static _Atomic int asked, answering; /* how often it was; and the others at once */

/* In place of the system's.  A name whose resolver is silent is found once that answers. */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
  (void)port;
  if (hints->ai_flags & AI_NUMERICHOST)
    return EAI_NONAME;
  if (strcmp(host, "silent") == 0) {
    atomic_fetch_add(&asked, 1);
    if (!atomic_load(&answering))
      gate_pass(&answers);
  }
  *found = calloc(1, sizeof **found);
  return *found ? 0 : EAI_MEMORY;
}

void freeaddrinfo(struct addrinfo *found)
{
  free(found);
}

static int look_up(const char *host, int64_t timeout_ns)
{
  struct address address = {.port = "1"};
  struct addrinfo *found = NULL;
  pool_error_t error = POOL_ERROR_INIT;
  strcpy(address.host, host);
  int code = lookup_name(&address, now_ns() + timeout_ns, &found, &error);
  if (code == 0)
    freeaddrinfo(found);
  return code;
}

/* The resolver becomes silent, and many callers give up. */
static int64_t give_up_often(void)
{
  int64_t began_ns = now_ns();
  gate_set(&answers, false);
  atomic_store(&asked, 0);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(look_up("silent", 1000000), POOL_E_TIMEOUT);
  return began_ns;
}

/* The threads end that nobody waits for. */
static void let_answer(int threads)
{
  gate_set(&answers, true);
  wait_until(thread_count() == threads);
}

static void test_lookup__callers_that_give_up_leave_few_threads(void **state)
{
  (void)state;
  int threads = thread_count_at_rest();
  int64_t began_ns = give_up_often();
  int seconds = (int)((now_ns() - began_ns) / 1000000000);
  assert_in_range(atomic_load(&asked), 1, 4 + 1 + seconds);
  assert_true(thread_count() <= threads + atomic_load(&asked));
  assert_int_equal(look_up("another", LONG_NS), 0);
  let_answer(threads);
  assert_int_equal(look_up("silent", LONG_NS), 0);
}

static void test_lookup__a_resolver_that_answers_again_is_asked_again(void **state)
{
  (void)state;
  int threads = thread_count_at_rest();
  give_up_often();
  atomic_store(&answering, 1);
  assert_int_equal(look_up("silent", LONG_NS), 0); /* though the others are silent still */
  atomic_store(&answering, 0);
  let_answer(threads);
}

static void test_lookup__a_child_of_fork_waits_for_no_thread_of_its_parent(void **state)
{
  int status;
  (void)state;
  int threads = thread_count_at_rest();
  give_up_often();
  pid_t child = fork();
  if (child == 0) {
    int before = atomic_load(&asked);
    must(look_up("silent", 1000000) == POOL_E_TIMEOUT);
    must_soon(atomic_load(&asked) == before + 1);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  let_answer(threads);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lookup__callers_that_give_up_leave_few_threads),
      cmocka_unit_test(test_lookup__a_resolver_that_answers_again_is_asked_again),
      cmocka_unit_test(test_lookup__a_child_of_fork_waits_for_no_thread_of_its_parent),
  };
  gate_init(&answers, true);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
