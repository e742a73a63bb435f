/* SPDX-License-Identifier: MIT */
/* ThreadSanitizer asks every program of the tests for its options. */

/* Children of fork start threads, and ThreadSanitizer would end them. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
  return "die_after_fork=0";
}
