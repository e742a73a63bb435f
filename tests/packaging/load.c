/* SPDX-License-Identifier: MIT */
/* load FOLDER: loads the libraries of a jar as the JVM does, whose processor and C library this program has, and opens a
 * pool with them. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

#include <pool/pool.h>

static void *find(void *library, const char *name)
{
  void *found = library ? dlsym(library, name) : NULL;
  if (!found)
    fprintf(stderr, "%s: %s\n", name, dlerror());
  return found;
}

static int open_one(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)deadline_ns, (void)error;
  *conn = context;
  return 0;
}

static int close_one(void *context, void *conn, pool_error_t *error)
{
  (void)error;
  return context == conn ? 0 : POOL_E_BROKEN;
}

/* Through the core that the shim has loaded, so that is the one from the same folder. */
static int lend(void *core)
{
  int (*create)(const pool_config_t *, const pool_vtable_t *, void *, pool_t **, pool_error_t *);
  pool_lease_t (*get)(pool_t *);
  void *(*conn)(pool_lease_t);
  *(void **)&create = find(core, "pool_create");
  *(void **)&get = find(core, "pool_get");
  *(void **)&conn = find(core, "pool_conn");
  if (!create || !get || !conn)
    return 1;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_vtable_t vtable = POOL_VTABLE_INIT;
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool;
  vtable.open = open_one;
  vtable.close = close_one;
  if (create(&config, &vtable, &config, &pool, &error) != 0) {
    fprintf(stderr, "no pool: %s\n", error.message);
    return 1;
  }
  return conn(get(pool)) == &config ? 0 : 1;
}

int main(int argc, char **argv)
{
  char path[4096];
  if (argc != 2)
    return 2;
  snprintf(path, sizeof path, "%s/libpooljni.so", argv[1]);
  void *shim = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!shim)
    fprintf(stderr, "%s\n", dlerror());
  if (!find(shim, "Java_libpool_Step_begin") || !find(shim, "Java_libpool_CoreJNI_pool_1version"))
    return 1;
  int failed = lend(dlopen("libpool.so.1", RTLD_NOW | RTLD_NOLOAD));
  if (!failed)
    puts("loaded, and a connection was lent");
  return failed;
}
