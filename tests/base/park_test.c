/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "base/park.h"

struct sleeper {
  _Atomic uint32_t *word;
  int64_t deadline_ns;
  _Atomic bool woke;
};

static void *sleep_on(void *data)
{
  struct sleeper *sleeper = data;
  while (atomic_load(sleeper->word) == 0 && now_ns() < sleeper->deadline_ns)
    park_wait(sleeper->word, 0, sleeper->deadline_ns);
  atomic_store(&sleeper->woke, true);
  return NULL;
}

static void test_park__returns_at_once_if_the_word_has_changed(void **state)
{
  (void)state;
  _Atomic uint32_t word = 1;
  park_wait(&word, 0, POOL_NO_DEADLINE);
}

static void test_park__ends_at_the_deadline(void **state)
{
  (void)state;
  _Atomic uint32_t word = 0;
  int64_t deadline_ns = now_ns() + 20000000;
  struct sleeper sleeper = {.word = &word, .deadline_ns = deadline_ns};
  sleep_on(&sleeper);
  assert_true(now_ns() >= deadline_ns);
  park_wait(&word, 0, now_ns() - 1); /* a moment of the past */
  park_wait(&word, 0, 1);
}

static void test_park__wakes_everybody_and_loses_nobody(void **state)
{
  (void)state;
  for (int round = 0; round < 300; round++) {
    _Atomic uint32_t word = 0;
    struct sleeper sleepers[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
      sleepers[i] = (struct sleeper){.word = &word, .deadline_ns = POOL_NO_DEADLINE};
      threads[i] = thread_start(sleep_on, &sleepers[i]);
    }
    if (round % 2)
      yield_ns();
    atomic_store(&word, 1);
    park_wake(&word);
    for (int i = 0; i < 4; i++)
      thread_end(threads[i]);
  }
}

static void test_park__can_wake_what_nobody_sleeps_on(void **state)
{
  (void)state;
  _Atomic uint32_t word = 0;
  park_wake(&word);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_park__returns_at_once_if_the_word_has_changed),
      cmocka_unit_test(test_park__ends_at_the_deadline),
      cmocka_unit_test(test_park__wakes_everybody_and_loses_nobody),
      cmocka_unit_test(test_park__can_wake_what_nobody_sleeps_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
