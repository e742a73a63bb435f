/* SPDX-License-Identifier: MIT */
#include "budget-etcd/gateway.h"

#include <stdlib.h>
#include <string.h>

#include "support/base64.h"
#include "support/deadline.h"
#include "support/failure.h"
#include "support/json_check.h"

/* ---- JSON ---- */

void gateway_add_bytes(struct json_text *text, const char *name, const char *bytes, size_t size)
{
  size_t letters = base64_size(size);
  char *encoded = malloc(letters + 1);
  if (!encoded) {
    text->problem = JSON_TEXT_NO_MEMORY;
    return;
  }
  base64_write(encoded, (const unsigned char *)bytes, size);
  json_text_string(text, name, strlen(name));
  json_text_say(text, ":\"");
  json_text_add(text, encoded, letters);
  json_text_say(text, "\"");
  free(encoded);
}

static bool is_json(const char *text, size_t size)
{
  struct json_check check;
  json_check_start(&check);
  json_check_feed(&check, text, size);
  return json_check_end(&check);
}

/* jansson does not always say that it had no memory, and takes all JSON that etcd writes. */
int gateway_read(const char *text, size_t size, json_t **answer, pool_error_t *error)
{
  *answer = json_loadb(text, size, 0, NULL);
  return *answer || !is_json(text, size) ? 0 : failure_set(error, POOL_E_NOMEM, 0, "no memory for an answer");
}

int64_t gateway_number(const json_t *object, const char *name)
{
  const json_t *value = json_object_get(object, name);
  return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : json_integer_value(value);
}

char *gateway_bytes(const json_t *object, const char *name, size_t *size)
{
  const json_t *value = json_object_get(object, name);
  size_t letters = json_string_length(value);
  char *bytes = json_is_string(value) ? malloc(letters + 1) : NULL;
  if (!bytes)
    return NULL;
  memcpy(bytes, json_string_value(value), letters);
  long long count = base64_read(bytes, letters);
  *size = count < 0 ? 0 : (size_t)count;
  bytes[*size] = 0;
  return bytes;
}

/* ---- answers ---- */

/* What the server says of an error, as one line. */
static int say_error(const json_t *answer, int status, const char *path, pool_error_t *error)
{
  char line[256] = "";
  const char *text = json_string_value(json_object_get(answer, "message"));
  if (!text)
    text = json_string_value(json_object_get(answer, "error"));
  failure_line(line, sizeof line, text ? text : "nothing that is understood");
  return failure_set(error, status == 401 || status == 403 ? POOL_E_OPEN : POOL_E_REMOTE, status,
                     "etcd answers %s with status %d: %s", path, status, line);
}

static int read_body(struct http *http, struct json_text *text, int64_t deadline_ns, pool_error_t *error)
{
  int code;
  do
    code = http_more(http, text, deadline_ns, error);
  while (code == 0 && !http->ended);
  return code;
}

static int read_answer(struct http *http, const char *path, json_t **answer, int64_t deadline_ns, pool_error_t *error)
{
  struct json_text text = {.limit = GATEWAY_BYTES};
  json_t *read = NULL;
  int code = read_body(http, &text, deadline_ns, error);
  if (code == 0)
    code = gateway_read(text.size ? text.data : "", text.size, &read, error);
  json_text_free(&text);
  if (code == 0 && http->status != 200)
    code = say_error(read, http->status, path, error);
  else if (code == 0 && !json_is_object(read))
    code = failure_set(error, POOL_E_REMOTE, 0, "the answer to %s is no JSON; is this a server of etcd?", path);
  if (code)
    json_decref(read);
  else
    *answer = read;
  return code;
}

static int ask_once(struct gateway *gateway, const char *path, const struct json_text *body, json_t **answer,
                    int64_t deadline_ns, pool_error_t *error)
{
  int code = http_send(&gateway->http, gateway->place, path, gateway->token, body, deadline_ns, error);
  return code ? code : read_answer(&gateway->http, path, answer, deadline_ns, error);
}

/* ---- logging in ---- */

void gateway_forget_token(struct gateway *gateway)
{
  free(gateway->token);
  gateway->token = NULL;
}

static void add_text(struct json_text *text, const char *before, const char *bytes)
{
  json_text_say(text, before);
  json_text_string(text, bytes, strlen(bytes));
}

/* What is no etcd may quote what it does not understand. */
static int without_password(int code, const char *password, pool_error_t *error)
{
  if (!failure_quotes(error->message, strlen(error->message), password))
    return code;
  return failure_set(error, code, error->native, "logging in: the answer has the password in it and is not shown");
}

static int log_in(struct gateway *gateway, int64_t deadline_ns, pool_error_t *error)
{
  struct json_text body = {.limit = GATEWAY_BYTES};
  json_t *answer;
  add_text(&body, "{\"name\":", gateway->place->user);
  add_text(&body, ",\"password\":", gateway->place->password);
  json_text_say(&body, "}");
  int code = ask_once(gateway, "/v3/auth/authenticate", &body, &answer, deadline_ns, error);
  if (body.data)
    explicit_bzero(body.data, body.size);
  json_text_free(&body);
  if (code)
    return without_password(code, gateway->place->password, error);
  const char *token = json_string_value(json_object_get(answer, "token"));
  gateway->token = token && !strpbrk(token, "\r\n") ? strdup(token) : NULL;
  json_decref(answer);
  return gateway->token ? 0 : failure_set(error, POOL_E_OPEN, 0, "etcd gave no token for the user of the URL");
}

/* Tokens end with the server that gave them, and with changes of users: then once more, with a new one. */
static bool may_log_in_anew(struct gateway *gateway, int code, const pool_error_t *error)
{
  if (!gateway->token || (code != POOL_E_REMOTE && code != POOL_E_OPEN) || error->native < 400 || error->native > 499)
    return false;
  gateway_forget_token(gateway);
  return true;
}

static int ask_as_user(struct gateway *gateway, const char *path, const struct json_text *body, json_t **answer,
                       int64_t deadline_ns, pool_error_t *error)
{
  int code = gateway->place->user && !gateway->token ? log_in(gateway, deadline_ns, error) : 0;
  return code ? code : ask_once(gateway, path, body, answer, deadline_ns, error);
}

/* A server that does not do its work is the last to be tried again. */
static int judge(struct gateway *gateway, struct http *http, int code, const pool_error_t *error)
{
  bool is_remote = code == POOL_E_REMOTE && error->native < 500;
  if (code && !is_remote)
    place_turn(gateway->place);
  if (code)
    http_close(http);
  return code;
}

/* How many servers may be asked: of a connection that is there, the one. */
static size_t tries_of(const struct gateway *gateway, const struct http *http)
{
  return http_is_open(http) ? 1 : gateway->place->servers.count;
}

static int ask(struct gateway *gateway, const char *path, const struct json_text *body, json_t **answer,
               int64_t deadline_ns, pool_error_t *error)
{
  int code = ask_as_user(gateway, path, body, answer, deadline_ns, error);
  if (may_log_in_anew(gateway, code, error))
    code = ask_as_user(gateway, path, body, answer, deadline_ns, error);
  return judge(gateway, &gateway->http, code, error);
}

int gateway_ask(struct gateway *gateway, const char *path, const struct json_text *body, json_t **answer,
                int64_t deadline_ns, pool_error_t *error)
{
  size_t left = tries_of(gateway, &gateway->http);
  int code = body->problem ? failure_set(error, POOL_E_NOMEM, 0, "no memory for a request") : POOL_E_TIMEOUT;
  for (; code == POOL_E_TIMEOUT && left > 0; left--)
    code = ask(gateway, path, body, answer, deadline_share(deadline_ns, left), error);
  return code;
}

static int follow(struct gateway *gateway, struct http *http, const char *path, const struct json_text *body,
                  int64_t deadline_ns, pool_error_t *error)
{
  json_t *none = NULL;
  int code = gateway->place->user && !gateway->token ? log_in(gateway, deadline_ns, error) : 0;
  if (code == 0)
    code = http_send(http, gateway->place, path, gateway->token, body, deadline_ns, error);
  if (code == 0 && http->status != 200)
    code = read_answer(http, path, &none, deadline_ns, error);
  return judge(gateway, http, code, error);
}

int gateway_follow(struct gateway *gateway, struct http *http, const char *path, const struct json_text *body,
                   int64_t deadline_ns, pool_error_t *error)
{
  int code = POOL_E_TIMEOUT;
  for (size_t left = tries_of(gateway, http); code == POOL_E_TIMEOUT && left > 0; left--)
    code = follow(gateway, http, path, body, deadline_share(deadline_ns, left), error);
  return code;
}

void gateway_close(struct gateway *gateway)
{
  http_close(&gateway->http);
  gateway_forget_token(gateway);
}
