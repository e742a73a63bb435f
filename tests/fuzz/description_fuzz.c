/* SPDX-License-Identifier: MIT */
/* Any bytes as a description, and then a URL for it, which its size chooses.  No library is loaded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "foreign/filler.h"
#include "foreign/parser.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const urls[] = {
    "test:",
    "test://user:secret@host:17/path",
    "test://%2Frun%2Fsocket?a=1&b=x&busy_ms=5&timeout_ms=7&protocol=http",
    "test://[::1]/a%20b?known_hosts=x&n=-1&a=99999999999999999999",
};

static char *copy_of(const uint8_t *data, size_t size)
{
  char *copy = malloc(size + 1);
  memcpy(copy, data, size);
  copy[size] = 0;
  return copy;
}

/* What failed has said so. */
static void must_be_said(int code, const pool_error_t *error)
{
  if (code && (code != error->code || !error->message[0]))
    abort();
}

static void read_one(const uint8_t *data, size_t size, const char *url)
{
  struct description description;
  pool_error_t error = POOL_ERROR_INIT;
  description_init(&description);
  description.source = (struct source){.path = "x.pool", .text = copy_of(data, size), .size = size};
  int code = parser_read(&description, &error);
  must_be_said(code, &error);
  if (code == 0 && !url_read(&description.url, url)) {
    code = filler_fill(&description, &error);
    must_be_said(code, &error);
  }
  if (code && filler_has_secret(&description, error.message) && !strstr(description.source.text, "secret"))
    abort();
  description_free(&description);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size <= SOURCE_SIZE_LIMIT)
    read_one(data, size, urls[size % (sizeof urls / sizeof *urls)]);
  return 0;
}
