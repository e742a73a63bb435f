/* SPDX-License-Identifier: MIT */
/*
 * Copies of the library that a program loads while it runs, in one that has an allocator of its own.
 *
 * The C library has a little room for thread-local data of what is loaded late.  The first copies use it up; a copy
 * after them gets its data from the allocator when a thread first touches it.  The call for that may come anywhere in
 * the library's code.  Any function may overwrite the vector registers, so this allocator overwrites them each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pool/api.h>

enum { COPIES = 8, THREADS = 100 };

static const char *library_path;

/* ---- the allocator ---- */

void *memalign(size_t alignment, size_t size);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static _Atomic long allocations;

static void overwrite_registers(void)
{
  atomic_fetch_add(&allocations, 1);
#ifdef __SSE2__
#define ONES(register) "pcmpeqd %%" register ", %%" register "\n"
  __asm__ volatile(ONES("xmm0") ONES("xmm1") ONES("xmm2") ONES("xmm3") ONES("xmm4") ONES("xmm5") ONES("xmm6")
                       ONES("xmm7")::
                           : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
#ifdef __x86_64__
  __asm__ volatile(ONES("xmm8") ONES("xmm9") ONES("xmm10") ONES("xmm11") ONES("xmm12") ONES("xmm13") ONES("xmm14")
                       ONES("xmm15")::
                           : "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#endif
#endif
}

void *malloc(size_t size)
{
  overwrite_registers();
  return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
  overwrite_registers();
  return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
  overwrite_registers();
  return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size)
{
  overwrite_registers();
  return __libc_memalign(alignment, size);
}

void free(void *memory)
{
  __libc_free(memory);
}

/* ---- copies ---- */

static void copy_file(const char *from, const char *to)
{
  FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
  char part[4096];
  size_t size;
  assert_non_null(in);
  assert_non_null(out);
  while ((size = fread(part, 1, sizeof part, in)) > 0)
    assert_int_equal(fwrite(part, 1, size, out), size);
  assert_int_equal(fclose(out), 0);
  fclose(in);
}

/* Another file is another library to the loader, though it has the same name inside. */
static const pool_api_t *load_copy(const char *folder, int number)
{
  char path[256];
  pool_get_api_fn *get_api;
  snprintf(path, sizeof path, "%s/copy%d.so", folder, number);
  copy_file(library_path, path);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  unlink(path);
  void *symbol = library ? dlsym(library, "pool_get_api") : NULL;
  if (!symbol)
    fail_msg("%s", dlerror());
  memcpy(&get_api, &symbol, sizeof get_api);
  return get_api(POOL_API_VERSION);
}

static void load_copies(const pool_api_t **apis)
{
  char folder[] = "/tmp/pool-tls-XXXXXX";
  assert_non_null(mkdtemp(folder));
  for (int i = 0; i < COPIES; i++)
    apis[i] = load_copy(folder, i);
  rmdir(folder);
}

/* ---- what each thread is told ---- */

struct job {
  pthread_t thread;
  const pool_api_t *api;
  pool_t *pool; /* or NULL: then its get is refused */
  int64_t code;
  int failure;
  bool allocated;
  pool_error_t given, told;
};

/* The first use of the library in this thread is one that fails. */
static void *fail_first(void *data)
{
  struct job *job = data;
  pool_config_t config = POOL_CONFIG_INIT;
  pool_t *pool;
  long before = allocations;
  config.max_open = -5;
  job->code = job->pool ? job->api->get_for(job->pool, 0) : job->api->create(&config, NULL, NULL, &pool, &job->given);
  job->allocated = allocations > before;
  job->failure = job->api->failure(&job->told);
  return NULL;
}

/* Returns how many threads were told something else than what happened. */
static int run_threads(const pool_api_t *api, pool_t *pool, int code, const char *message, int *allocated)
{
  static struct job jobs[THREADS];
  int wrong = 0;
  for (int i = 0; i < THREADS; i++) {
    jobs[i] = (struct job){.api = api, .pool = pool, .given = POOL_ERROR_INIT, .told = POOL_ERROR_INIT};
    assert_int_equal(pthread_create(&jobs[i].thread, NULL, fail_first, &jobs[i]), 0);
    assert_int_equal(pthread_join(jobs[i].thread, NULL), 0);
    bool right = jobs[i].code == code && jobs[i].failure == code && jobs[i].told.code == code &&
                 strstr(jobs[i].told.message, message) && (pool || strstr(jobs[i].given.message, message));
    if (!right && wrong++ == 0)
      print_message("code %d, told %d \"%s\", given \"%s\"\n", (int)jobs[i].code, jobs[i].failure, jobs[i].told.message,
                    jobs[i].given.message);
    *allocated += jobs[i].allocated;
  }
  return wrong;
}

static int never_open(void *context, int64_t deadline_ns, void **conn, pool_error_t *error)
{
  (void)context, (void)deadline_ns, (void)conn;
  snprintf(error->message, sizeof error->message, "nobody listens");
  return POOL_E_OPEN;
}

static int never_close(void *context, void *conn, pool_error_t *error)
{
  (void)context, (void)conn, (void)error;
  return 0;
}

static void test_tls__every_thread_is_told_what_failed_whoever_allocates(void **state)
{
  (void)state;
  const pool_api_t *apis[COPIES];
  int wrong = 0, allocated = 0;
  load_copies(apis);
  for (int i = 0; i < COPIES; i++) {
    pool_vtable_t vtable = POOL_VTABLE_INIT;
    pool_t *pool;
    vtable.open = never_open;
    vtable.close = never_close;
    assert_int_equal(apis[i]->create(NULL, &vtable, NULL, &pool, NULL), 0);
    wrong += run_threads(apis[i], NULL, POOL_E_INVALID, "max_open", &allocated);
    wrong += run_threads(apis[i], pool, POOL_E_OPEN, "nobody listens", &allocated);
    assert_int_equal(apis[i]->close(pool, -1), 0);
    apis[i]->free(pool);
  }
  assert_int_equal(wrong, 0);
  assert_true(allocated >= THREADS); /* else no copy was without room, and nothing was seen here */
}

int main(int count, char **arguments)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tls__every_thread_is_told_what_failed_whoever_allocates),
  };
  if (count != 2) {
    fprintf(stderr, "usage: %s LIBPOOL\n", arguments[0]);
    return 2;
  }
  library_path = arguments[1];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
