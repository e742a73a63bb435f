/* SPDX-License-Identifier: MIT */
/* A plugin that pools.  Built twice: linked with libpool, and with PLUGIN_LOADS naming the file that it loads. */
#include "plugin.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <pool/api.h>

#ifdef PLUGIN_LOADS
static void *library;
static const pool_api_t *api;
#define POOL(name) api->name

static int load(void)
{
  pool_get_api_fn *get_api;
  library = dlopen(PLUGIN_LOADS, RTLD_NOW | RTLD_LOCAL);
  void *symbol = library ? dlsym(library, "pool_get_api") : NULL;
  memcpy(&get_api, &symbol, sizeof get_api);
  api = get_api ? get_api(POOL_API_VERSION) : NULL;
  return api && POOL_API_HAS(api, step_next) ? 0 : -1;
}

static int unload(void)
{
  return dlclose(library);
}
#else
#define POOL(name) pool_##name

static int load(void)
{
  return 0;
}

static int unload(void)
{
  return 0;
}
#endif

static pool_t *pool;
static _Atomic int open_now, checked;

/* Each of this plugin's connections begins with a pointer to it. */
static int open_one(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  void **made = malloc(sizeof *made);
  if (!made)
    return POOL_E_NOMEM;
  *made = context;
  *conn = made;
  open_now++;
  return 0;
}

static int close_one(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)error;
  free(conn);
  open_now--;
  return 0;
}

static int check_one(void *context, void *conn, int64_t deadline_ns, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  checked++;
  return *(void **)conn != context;
}

static int begin(void)
{
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  config.initial = 1;
  config.min_idle = 1;
  config.max_open = 3;
  config.keepalive_ms = 1;
  config.name = "plugin";
  vtable.open = open_one;
  vtable.close = close_one;
  vtable.check = check_one;
  return load() ? -1 : POOL(create)(&config, &vtable, &pool, &pool, NULL);
}

static void got(void *user, pool_lease_t result)
{
  atomic_store((_Atomic pool_lease_t *)user, result);
}

static pool_lease_t get_asynchronously(void)
{
  _Atomic pool_lease_t result = 0;
  if (POOL(get_async)(pool, -1, got, &result) < 0)
    return -1;
  while (atomic_load(&result) == 0)
    sched_yield();
  return result;
}

static int use(int rounds)
{
  int wrong = 0;
  for (int i = 0; i < rounds; i++) {
    pool_lease_t lease = i % 100 ? POOL(get)(pool) : get_asynchronously();
    void **conn = POOL(conn)(lease);
    wrong += !conn || *conn != &pool;
    wrong += POOL(put)(lease) != 0;
  }
  return wrong;
}

static int checks(void)
{
  return checked;
}

static int64_t take(void)
{
  return POOL(get)(pool);
}

static int give(int64_t lease)
{
  return POOL(put)(lease);
}

static int knows(int64_t lease)
{
  return POOL(conn)(lease) != NULL;
}

static int end(void)
{
  int wrong = POOL(close)(pool, -1) != 0;
  POOL(free)(pool);
  return wrong + (open_now != 0) + (unload() != 0);
}

const struct plugin *plugin(void);
const struct plugin *plugin(void)
{
  static const struct plugin self = {begin, use, checks, take, give, knows, end};
  return &self;
}
