/* SPDX-License-Identifier: MIT */
#include "budget-etcd/http.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/deadline.h"
#include "support/disconnect.h"
#include "support/failure.h"
#include "support/openssl.h"

#define SOCKETS ((int)(sizeof((struct http *)0)->sockets / sizeof(int)))

/* ---- its life ---- */

void http_begin(struct http *http)
{
  *http = (struct http){.came.limit = HTTP_BYTES};
  for (int i = 0; i < SOCKETS; i++)
    http->sockets[i] = -1;
}

bool http_is_open(const struct http *http)
{
  return http->runs != NULL;
}

void http_close(struct http *http)
{
  if (http->runs && http->request)
    curl_multi_remove_handle(http->runs, http->request);
  curl_easy_cleanup(http->request);
  curl_multi_cleanup(http->runs);
  curl_slist_free_all(http->head);
  curl_slist_free_all(http->way);
  json_text_free(&http->came);
  http_begin(http);
}

/* libcurl may have been anywhere when the parent forked, so what it has in memory stays. */
void http_forget(struct http *http)
{
  for (int i = 0; i < SOCKETS; i++)
    if (http->sockets[i] >= 0)
      close(http->sockets[i]);
  http_begin(http);
}

static void begin_curl(void)
{
  openssl_outlive_exit();
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool make(struct http *http)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, begin_curl);
  if (http->runs)
    return true;
  http->runs = curl_multi_init();
  http->request = http->runs ? curl_easy_init() : NULL;
  return http->request != NULL;
}

/* ---- what libcurl calls ---- */

static void replace_socket(struct http *http, int from, int to)
{
  for (int i = 0; i < SOCKETS; i++)
    if (http->sockets[i] == from) {
      http->sockets[i] = to;
      return;
    }
}

static curl_socket_t open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
  (void)purpose;
  int descriptor = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (descriptor >= 0)
    replace_socket(data, -1, descriptor);
  return descriptor < 0 ? CURL_SOCKET_BAD : descriptor;
}

static int close_socket(void *data, curl_socket_t descriptor)
{
  replace_socket(data, descriptor, -1);
  disconnect(descriptor);
  return 0;
}

static size_t take(char *bytes, size_t size, size_t count, void *data)
{
  struct http *http = data;
  json_text_add(&http->came, bytes, size * count);
  return http->came.problem ? CURL_WRITEFUNC_ERROR : size * count;
}

/* ---- a request ---- */

static void set_tls(CURL *request, const struct url *url)
{
  const char *verify = url_value(url, "verify"), *key = url_value(url, "key"), *cert = url_value(url, "cert");
  bool checks = !verify || strcmp(verify, "none") != 0, names = !verify || strcmp(verify, "full") == 0;
  curl_easy_setopt(request, CURLOPT_SSL_VERIFYPEER, (long)checks);
  curl_easy_setopt(request, CURLOPT_SSL_VERIFYHOST, names ? 2L : 0L);
  if (url_value(url, "ca"))
    curl_easy_setopt(request, CURLOPT_CAINFO, url_value(url, "ca"));
  if (cert) {
    curl_easy_setopt(request, CURLOPT_SSLCERT, cert);
    curl_easy_setopt(request, CURLOPT_SSLKEY, key ? key : cert);
  }
}

static void set_manners(struct http *http)
{
  CURL *request = http->request;
  curl_easy_setopt(request, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(request, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(request, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(request, CURLOPT_ERRORBUFFER, http->why);
  curl_easy_setopt(request, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  curl_easy_setopt(request, CURLOPT_OPENSOCKETDATA, http);
  curl_easy_setopt(request, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  curl_easy_setopt(request, CURLOPT_CLOSESOCKETDATA, http);
  curl_easy_setopt(request, CURLOPT_WRITEFUNCTION, take);
  curl_easy_setopt(request, CURLOPT_WRITEDATA, http);
}

/* A name with a colon is an address of version 6. */
static bool set_url(CURL *request, const struct place *place, const struct address *address, const char *path)
{
  char *text = NULL;
  const char *given = place->tls ? url_value(&place->url, "server_name") : NULL;
  const char *name = given ? given : address->is_unix ? "localhost" : address->host;
  bool is_six = strchr(name, ':') != NULL;
  int size = asprintf(&text, "%s://%s%s%s%s%s%s", place->tls ? "https" : "http", is_six ? "[" : "", name,
                      is_six ? "]" : "", *address->port ? ":" : "", address->port, path);
  if (size < 0)
    return false;
  CURLcode code = curl_easy_setopt(request, CURLOPT_URL, text);
  if (address->is_unix)
    curl_easy_setopt(request, CURLOPT_UNIX_SOCKET_PATH, address->path);
  free(text);
  return code == CURLE_OK;
}

static void set_list(struct curl_slist **list, struct curl_slist *to)
{
  curl_slist_free_all(*list);
  *list = to;
}

/* The name that a certificate is to have need not be that of the host. */
static bool set_way(struct http *http, const struct place *place, const struct address *address)
{
  char *way = NULL;
  if (!place->tls || !url_value(&place->url, "server_name") || address->is_unix)
    return true;
  bool is_six = strchr(address->host, ':') != NULL;
  if (asprintf(&way, "::%s%s%s:%s", is_six ? "[" : "", address->host, is_six ? "]" : "", address->port) < 0)
    return false;
  set_list(&http->way, curl_slist_append(NULL, way));
  free(way);
  return http->way && curl_easy_setopt(http->request, CURLOPT_CONNECT_TO, http->way) == CURLE_OK;
}

static bool add_line(struct curl_slist **list, const char *name, const char *value)
{
  char *line = NULL;
  struct curl_slist *longer = NULL;
  if (asprintf(&line, "%s: %s", name, value) >= 0) {
    longer = curl_slist_append(*list, line);
    explicit_bzero(line, strlen(line));
    free(line);
  }
  *list = longer ? longer : *list;
  return longer != NULL;
}

static bool set_head(struct http *http, const char *token)
{
  set_list(&http->head, NULL);
  return add_line(&http->head, "Content-Type", "application/json") &&
         (!token || add_line(&http->head, "Authorization", token)) &&
         curl_easy_setopt(http->request, CURLOPT_HTTPHEADER, http->head) == CURLE_OK;
}

/* The body is the caller's, and there until the answer begins: libcurl sends it no later. */
static bool set_body(CURL *request, const struct json_text *body)
{
  return curl_easy_setopt(request, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size) == CURLE_OK &&
         curl_easy_setopt(request, CURLOPT_POSTFIELDS, body->data) == CURLE_OK;
}

static bool set_request(struct http *http, const struct place *place, const struct address *address, const char *path,
                        const char *token, const struct json_text *body)
{
  curl_easy_reset(http->request);
  set_manners(http);
  if (place->tls)
    set_tls(http->request, &place->url);
  return set_url(http->request, place, address, path) && set_way(http, place, address) && set_head(http, token) &&
         set_body(http->request, body);
}

/* ---- how it ends ---- */

static int code_of(CURLcode result)
{
  switch (result) {
  case CURLE_OUT_OF_MEMORY:
    return POOL_E_NOMEM;
  case CURLE_OPERATION_TIMEDOUT:
    return POOL_E_TIMEOUT;
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_GOT_NOTHING:
  case CURLE_PARTIAL_FILE:
    return POOL_E_BROKEN;
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_UNSUPPORTED_PROTOCOL:
  case CURLE_BAD_CONTENT_ENCODING:
  case CURLE_WRITE_ERROR:
    return POOL_E_REMOTE;
  default:
    return POOL_E_OPEN;
  }
}

static int say_no_memory(pool_error_t *error)
{
  return failure_set(error, POOL_E_NOMEM, 0, "no memory for a request");
}

static int say(const struct http *http, CURLcode result, pool_error_t *error)
{
  char line[CURL_ERROR_SIZE];
  if (http->came.problem == JSON_TEXT_NO_MEMORY) /* and libcurl was told to stop */
    return say_no_memory(error);
  failure_line(line, sizeof line, *http->why ? http->why : curl_easy_strerror(result));
  return failure_set(error, code_of(result), 0, "%s", line);
}

/* Takes note of the end of the answer, if it has come.  Returns 0, or a code that *error explains. */
static int note_end(struct http *http, pool_error_t *error)
{
  int left;
  long status = 0;
  const CURLMsg *message = curl_multi_info_read(http->runs, &left);
  if (!message)
    return 0;
  CURLcode result = message->data.result;
  curl_multi_remove_handle(http->runs, http->request);
  http->ended = true;
  curl_easy_getinfo(http->request, CURLINFO_RESPONSE_CODE, &status);
  http->status = (int)status;
  return result == CURLE_OK ? 0 : say(http, result, error);
}

/* Reads until something has come of the body, or all of it. */
static int run(struct http *http, int64_t deadline_ns, pool_error_t *error)
{
  int running, code = 0;
  long status = 0;
  while (code == 0 && !http->ended) {
    if (curl_multi_perform(http->runs, &running) != CURLM_OK)
      return say_no_memory(error);
    code = note_end(http, error);
    if (code || http->ended || http->came.size)
      break;
    if (deadline_is_past(deadline_ns))
      return failure_set(error, POOL_E_TIMEOUT, 0, "reading: the deadline passed");
    http_sleep(http, -1, deadline_ns);
  }
  if (code == 0 && !http->ended && curl_easy_getinfo(http->request, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
    http->status = (int)status;
  return code;
}

/* ---- what callers do ---- */

static int begin(struct http *http, const struct place *place, const struct address *address, const char *path,
                 const char *token, const struct json_text *body, int64_t connect_ns, pool_error_t *error)
{
  http->ended = false;
  http->came.size = 0;
  bool ready = make(http) && set_request(http, place, address, path, token, body);
  if (ready)
    curl_easy_setopt(http->request, CURLOPT_CONNECTTIMEOUT_MS, (long)deadline_poll_timeout(connect_ns));
  return ready && curl_multi_add_handle(http->runs, http->request) == CURLM_OK ? 0 : say_no_memory(error);
}

/* One that was connected may have done what it was asked: no other is asked then. */
static bool was_connected(const struct http *http)
{
  curl_off_t us = 0;
  return http->request && curl_easy_getinfo(http->request, CURLINFO_PRETRANSFER_TIME_T, &us) == CURLE_OK && us > 0;
}

/* Adds why one more server could not be reached. */
static int add_reason(pool_error_t *error, const pool_error_t *why)
{
  size_t length = strlen(error->message);
  error->code = why->code;
  error->native = why->native;
  snprintf(error->message + length, sizeof error->message - length, "%s%s", length ? "; " : "", why->message);
  return why->code;
}

int http_send(struct http *http, const struct place *place, const char *path, const char *token,
              const struct json_text *body, int64_t deadline_ns, pool_error_t *error)
{
  const struct servers *servers = &place->servers;
  int code = 0;
  bool again = true;
  if (http->runs && !http->ended)
    http_close(http);
  error->message[0] = 0;
  for (size_t i = 0; again && i < servers->count; i++) {
    pool_error_t why = POOL_ERROR_INIT;
    int64_t share_ns = deadline_share(deadline_ns, servers->count - i);
    code = begin(http, place, &servers->addresses[i], path, token, body, share_ns, &why);
    if (code == 0)
      code = run(http, deadline_ns, &why);
    again = code && !was_connected(http);
    if (code) {
      code = add_reason(error, &why);
      http_close(http);
    }
  }
  return code;
}

int http_more(struct http *http, struct json_text *text, int64_t deadline_ns, pool_error_t *error)
{
  int code = http->came.size ? 0 : run(http, deadline_ns, error);
  json_text_add(text, http->came.data, http->came.size);
  http->came.size = 0;
  return code == 0 && text->problem ? say_no_memory(error) : code;
}

void http_sleep(struct http *http, int descriptor, int64_t until_ns)
{
  struct curl_waitfd wait = {.fd = descriptor, .events = CURL_WAIT_POLLIN};
  struct pollfd alone = {.fd = descriptor, .events = POLLIN};
  int timeout_ms = deadline_poll_timeout(until_ns);
  if (http->runs)
    curl_multi_poll(http->runs, &wait, 1, timeout_ms < 0 ? INT_MAX : timeout_ms, NULL);
  else
    poll(&alone, 1, timeout_ms);
}
