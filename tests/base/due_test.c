/* SPDX-License-Identifier: MIT */
/* The order by deadline, against a naive model: an array that is searched from end to end. */
#include "support.h"

#include <string.h>

#include "base/due.h"

enum { MEMBERS = 300, STEPS = 200000 };

static struct due members[MEMBERS];
static bool is_in[MEMBERS];

static int64_t earliest(void)
{
  int64_t at = INT64_MAX;
  for (int i = 0; i < MEMBERS; i++)
    if (is_in[i] && members[i].at_ns < at)
      at = members[i].at_ns;
  return at;
}

static void remove_member(struct due_heap *heap, struct due *due)
{
  due_remove(heap, due);
  is_in[due - members] = false;
}

static void test_due__the_first_is_always_the_earliest(void **state)
{
  (void)state;
  struct due_heap heap = {0};
  uint64_t seed = 11;
  memset(is_in, 0, sizeof is_in);
  for (int step = 0; step < STEPS; step++) {
    uint32_t dice = random_next(&seed);
    int i = (int)(dice / 8 % MEMBERS);
    if (dice % 8 == 0 && heap.first) {
      remove_member(&heap, heap.first);
    } else if (is_in[i]) {
      remove_member(&heap, &members[i]);
    } else {
      due_add(&heap, &members[i], random_next(&seed) % 100); /* so that many are equal */
      is_in[i] = true;
    }
    assert_int_equal(heap.first ? heap.first->at_ns : INT64_MAX, earliest());
    if (heap.first)
      assert_true(is_in[heap.first - members]);
  }
}

static void test_due__empties_in_order(void **state)
{
  (void)state;
  struct due_heap heap = {0};
  for (int i = 0; i < MEMBERS; i++)
    due_add(&heap, &members[i], (i * 7919) % MEMBERS);
  for (int i = 0; i < MEMBERS; i++) {
    assert_int_equal(heap.first->at_ns, i);
    due_remove(&heap, heap.first);
  }
  assert_null(heap.first);
}

/* What this thread has used of a processor: others may be busy with something else. */
static int64_t used_ns(void)
{
  struct timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return used.tv_sec * INT64_C(1000000000) + used.tv_nsec;
}

/* One that was added in order of its deadline, or against it, may not cost a walk over all. */
static void test_due__a_hundred_thousand_cost_no_more_each_than_a_few(void **state)
{
  (void)state;
  enum { MANY = 100000 };
  static struct due many[MANY];
  struct due_heap heap = {0};
  for (int round = 0; round < 3; round++) {
    int64_t began = used_ns();
    for (int i = 0; i < MANY; i++)
      due_add(&heap, &many[i], round == 0 ? i : round == 1 ? MANY - i : (i * INT64_C(7919)) % MANY);
    for (int i = 0; i < MANY; i++)
      due_remove(&heap, heap.first);
    assert_null(heap.first);
    assert_true(used_ns() - began < INT64_C(20000000000)); /* a walk each would take minutes */
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_due__the_first_is_always_the_earliest),
      cmocka_unit_test(test_due__empties_in_order),
      cmocka_unit_test(test_due__a_hundred_thousand_cost_no_more_each_than_a_few),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
