/* SPDX-License-Identifier: MIT */
/* Prints what Prometheus would get from a program with several pools, some of whose names are awkward. */
#include <stdio.h>

#include "support.h"

#include "decide/pool.h"

int main(void)
{
  static const char *const names[] = {"orders", "pool", "pool", "\"a\\b\nc\"", "\xc3\xbc \xff", ""};
  enum { POOLS = sizeof names / sizeof *names };
  static struct fake fake[POOLS];
  for (int i = 0; i < POOLS; i++) {
    fake_init(&fake[i]);
    pool_config_t config = POOL_CONFIG_INIT;
    pool_vtable_t vtable = fake_vtable();
    config.name = names[i];
    pool_t *pool;
    must(pool_create(&config, &vtable, &fake[i], &pool, NULL) == 0);
    must(pool_put(pool_get(pool)) == 0);
    pthread_mutex_lock(&pool->lock);
    for (int64_t ns = 1; ns < INT64_C(1) << 42; ns *= 3)
      histogram_add(&pool->wait, ns);
    pthread_mutex_unlock(&pool->lock);
  }
  pool_bytes_t text;
  must(pool_report(NULL, POOL_FORMAT_PROMETHEUS, &text) == 0);
  must(fwrite(text.data, 1, text.size, stdout) == text.size);
  pool_bytes_free(&text);
  return 0;
}
