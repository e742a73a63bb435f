/* SPDX-License-Identifier: MIT */
#include "jsonrpc/request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "support/deadline.h"
#include "support/failure.h"
#include "support/json_check.h"

#define CHECK_MOST ((size_t)256 * 1024) /* checked between two looks at the clock */

static const char null_text[] = "null";

/* jansson returns NULL both for a name that is not UTF-8 and without memory.  With this check NULL means the latter. */
static bool is_utf8(const char *text)
{
  struct json_check check;
  json_check_start(&check);
  bool good = json_check_feed(&check, "\"", 1);
  for (; *text && good; text++) {
    bool special = *text == '"' || *text == '\\' || (unsigned char)*text < ' ';
    good = json_check_feed(&check, special ? " " : text, 1);
  }
  return good && json_check_feed(&check, "\"", 1);
}

int request_say_expired(pool_error_t *error)
{
  return failure_set(error, POOL_E_TIMEOUT, 0, "the deadline passed before the request was sent");
}

static int check_args(pool_bytes_t args, int64_t deadline_ns, pool_error_t *error)
{
  struct json_check check;
  const char *text = args.data;
  json_check_start(&check);
  for (size_t left = args.size; left > 0;) {
    size_t part = left < CHECK_MOST ? left : CHECK_MOST;
    if (!json_check_feed(&check, text, part))
      break;
    text += part;
    left -= part;
    if (left > 0 && deadline_is_past(deadline_ns))
      return request_say_expired(error);
  }
  if (args.size == 0 || json_check_end(&check))
    return 0;
  return failure_set(error, POOL_E_INVALID, 0, "not sent: args are not one JSON value, %s; byte %zu of %zu is wrong",
                     check.problem, check.size + 1, args.size);
}

int request_make(struct request *request, const char *method, pool_bytes_t args, int64_t deadline_ns,
                 pool_error_t *error)
{
  *request = (struct request){0};
  int code = check_args(args, deadline_ns, error);
  if (code)
    return code;
  if (!is_utf8(method))
    return failure_set(error, POOL_E_INVALID, 0, "not sent: the name of the method is not UTF-8");
  json_t *name = json_string_nocheck(method);
  char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
  json_decref(name);
  int size = quoted ? asprintf(&request->head, "{\"method\":%s,\"params\":[", quoted) : -1;
  free(quoted);
  if (size < 0) {
    request->head = NULL;
    return failure_set(error, POOL_E_NOMEM, 0, "not sent: no memory for the request");
  }
  request->parts[0] = (struct iovec){request->head, (size_t)size};
  request->parts[1] = args.size > 0 ? (struct iovec){args.data, args.size}
                                    : (struct iovec){(char *)(uintptr_t)null_text, sizeof null_text - 1};
  return 0;
}

void request_set_id(struct request *request, uint64_t id)
{
  int size = snprintf(request->tail, sizeof request->tail, "],\"id\":%" PRIu64 "}\n", id);
  request->parts[2] = (struct iovec){request->tail, (size_t)size};
}

void request_free(struct request *request)
{
  free(request->head);
}

bool request_advance(struct request *request, size_t sent)
{
  request->begun = true;
  while (request->first < 3 && sent >= request->parts[request->first].iov_len)
    sent -= request->parts[request->first++].iov_len;
  if (request->first == 3)
    return true;
  struct iovec *part = &request->parts[request->first];
  part->iov_base = (char *)part->iov_base + sent;
  part->iov_len -= sent;
  return false;
}
