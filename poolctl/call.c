/* SPDX-License-Identifier: MIT */
/* poolctl call: one call, its reply on standard output. */
#include <string.h>

#include <pool/driver.h>

#include "arguments.h"
#include "base/clock.h"
#include "commands.h"
#include "lend.h"
#include "say.h"

/* As JSON where it is that, else as text; of bytes that are no text, nothing. */
static json_t *reply_json(const pool_bytes_t *reply)
{
  json_t *value = reply->size ? json_loadb(reply->data, reply->size, JSON_DECODE_ANY, NULL) : json_null();
  if (!value)
    value = json_stringn(reply->data, reply->size);
  return value ? value : json_null();
}

static int print(const struct arguments *arguments, const pool_bytes_t *reply, int64_t ns)
{
  if (arguments->json)
    return say_json(json_pack("{s:b, s:I, s:o}", "ok", 1, "ns", (json_int_t)ns, "reply", reply_json(reply)));
  fwrite(reply->data, 1, reply->size, stdout);
  if (reply->size == 0 || ((const char *)reply->data)[reply->size - 1] != '\n')
    putchar('\n');
  return EXIT_OK;
}

static int refuse(const struct arguments *arguments, const pool_error_t *error)
{
  if (arguments->json)
    say_json(json_pack("{s:b, s:i, s:s}", "ok", 0, "code", error->code, "message", error->message));
  return say_failure(lend_exit_code(error->code), "%s", error->message);
}

static int use(const struct arguments *arguments, pool_lease_t lease)
{
  pool_error_t error = POOL_ERROR_INIT;
  const char *words = arguments->words[1] ? arguments->words[1] : "";
  pool_bytes_t args = {(char *)words, strlen(words)}, reply = {NULL, 0};
  int64_t began = clock_now();
  int code = pool_call(lease, arguments->words[0], args, &reply, &error);
  code = code ? refuse(arguments, &error) : print(arguments, &reply, clock_now() - began);
  pool_bytes_free(&reply);
  return code;
}

int call_run(const struct arguments *arguments)
{
  pool_t *pool;
  pool_error_t error = POOL_ERROR_INIT;
  if (lend_open(arguments, 1, &pool, &error))
    return refuse(arguments, &error);
  pool_lease_t lease = pool_get(pool);
  int code;
  if (lease > 0) {
    code = use(arguments, lease);
    pool_put(lease);
  } else {
    pool_failure(&error);
    code = refuse(arguments, &error);
  }
  pool_close(pool, 1000);
  pool_free(pool);
  return code;
}
