/* SPDX-License-Identifier: MIT */
/* A process that is really stopped, with real clocks: what it is lent when it goes on. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define LIMIT_MS 300
#define STOP_NS  INT64_C(500000000)

enum { MANY = 5 };
enum policy { IDLE_TIMEOUT, CHECK_AFTER, LIFETIME, POLICIES };

static const struct keeping {
  int32_t keeper, openers;
  bool maintained;
} keepings[] = {{POOL_KEEPER_THREAD, 0, false}, {POOL_KEEPER_THREAD, 2, false}, {POOL_KEEPER_MANUAL, 0, true},
                {POOL_KEEPER_MANUAL, 2, true},  {POOL_KEEPER_MANUAL, 0, false}, {POOL_KEEPER_MANUAL, 2, false}};

enum { KEEPINGS = sizeof keepings / sizeof *keepings };

static pool_t *make(struct fake *fake, const struct keeping *keeping, enum policy policy)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = fake_vtable();
  vtable.check = fake_check;
  config.keeper = keeping->keeper;
  config.openers = keeping->openers;
  config.initial = MANY;
  config.idle_timeout_ms = policy == IDLE_TIMEOUT ? LIMIT_MS : 0;
  config.check_after_ms = policy == CHECK_AFTER ? LIMIT_MS : -1;
  config.max_lifetime_ms = policy == LIFETIME ? LIMIT_MS : 0;
  fake_init(fake);
  return fake_pool(fake, &config, &vtable);
}

static void get_all(pool_t *pool, pool_lease_t *leases)
{
  for (int i = 0; i < MANY; i++)
    must((leases[i] = pool_get(pool)) > 0);
}

static void put_all(const pool_lease_t *leases)
{
  for (int i = 0; i < MANY; i++)
    must(pool_put(leases[i]) == 0);
}

/* Stops itself while all connections are idle, and goes on when the parent says. */
static void child(const struct keeping *keeping, enum policy policy)
{
  struct fake fake;
  pool_lease_t leases[MANY];
  pool_t *pool = make(&fake, keeping, policy);
  for (int i = 0; i < 3; i++) {
    get_all(pool, leases);
    put_all(leases);
    if (keeping->maintained)
      pool_maintain(pool);
  }
  int opened = fake.opened, checked = fake.checked;
  must(raise(SIGSTOP) == 0);
  get_all(pool, leases);
  for (int i = 0; i < MANY; i++)
    must(policy == CHECK_AFTER || fake_number(leases[i]) >= opened);
  must(policy != CHECK_AFTER || fake.checked == checked + MANY);
  put_all(leases);
  pool_close(pool, -1);
  pool_free(pool);
}

static void test_frozen__a_process_that_goes_on_is_lent_nothing_overdue(void **state)
{
  (void)state;
  pid_t children[KEEPINGS * POLICIES];
  int status;
  for (int i = 0; i < KEEPINGS * POLICIES; i++) {
    children[i] = fork();
    assert_true(children[i] >= 0);
    if (children[i] == 0) {
      child(&keepings[i / POLICIES], i % POLICIES);
      _exit(0);
    }
  }
  for (int i = 0; i < KEEPINGS * POLICIES; i++) {
    assert_int_equal(waitpid(children[i], &status, WUNTRACED), children[i]);
    assert_true(WIFSTOPPED(status));
  }
  int64_t stopped_ns = now_ns();
  wait_until(now_ns() - stopped_ns >= STOP_NS);
  for (int i = 0; i < KEEPINGS * POLICIES; i++)
    assert_int_equal(kill(children[i], SIGCONT), 0);
  for (int i = 0; i < KEEPINGS * POLICIES; i++) {
    assert_int_equal(waitpid(children[i], &status, 0), children[i]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      fail_msg("with keeping %d and policy %d the status is %x", i / POLICIES, i % POLICIES, (unsigned)status);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_frozen__a_process_that_goes_on_is_lent_nothing_overdue),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
