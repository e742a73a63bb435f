/* SPDX-License-Identifier: MIT */
/* The engine etcd of budgets in a process that ends: OpenSSL, with which libcurl begins, stays for those that use it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <pool/budget.h>

POOL_API pool_budget_engine_fn pool_budget_engine_etcd;

/* Runs after what OpenSSL does when a process ends, for it was registered before. */
static void look_at_openssl(void)
{
  if (OPENSSL_init_crypto(0, NULL) == 1)
    return;
  fputs("OpenSSL was taken down\n", stderr);
  _exit(1);
}

static int must(int holds, const char *what)
{
  if (!holds)
    fprintf(stderr, "%s\n", what);
  return holds ? 0 : 1;
}

int main(void)
{
  pool_budget_engine_t engine = {.size = sizeof engine};
  pool_error_t error = POOL_ERROR_INIT;
  pool_budget_place_t place = {
      .size = sizeof place, .url = "etcd://127.0.0.1:1/orders?limit=1", .name = "orders", .limit = 1, .term_ms = 1000};
  pool_budget_ask_t ask = {.size = sizeof ask, .member = 1, .since_ns = -1, .weight = 1, .who = "", .who_size = 1};
  pool_budget_answer_t answer = {.size = sizeof answer};
  void *ledger = NULL;
  if (atexit(look_at_openssl) != 0)
    return 1;
  int code = pool_budget_engine_etcd(POOL_BUDGET_ENGINE_VERSION, &engine);
  if (code == 0)
    code = engine.open(&place, &ledger, &error);
  if (code == 0)
    code = must(engine.sync(ledger, &ask, &answer, POOL_NO_DEADLINE, &error) != 0, "a server is there");
  return code;
}
