/* SPDX-License-Identifier: MIT */
/*
 * A connection to a server of HTTP, by libcurl: one request after the other, or one whose answer has no end.
 *
 * Not thread-safe: one thread at a time uses a connection.  What fails is closed, and the next request connects anew.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include "budget-etcd/place.h"
#include "support/json_text.h"

#define HTTP_BYTES ((size_t)64 * 1024 * 1024) /* of an answer */

struct http {
  CURLM *runs; /* NULL: not connected */
  CURL *request;
  struct curl_slist *head, *way;
  struct json_text came; /* of the body, and not taken yet */
  int sockets[4];        /* that libcurl has open, or -1: while it connects there may be several */
  char why[CURL_ERROR_SIZE];
  int status;
  bool ended; /* the answer is complete */
};

void http_begin(struct http *http);

/* Sends a request and reads the beginning of the body of its answer, or all of it.  Connects where that is needed, to
   the first server of the place that can be reached.  The token may be NULL.  Returns 0, or a code that *error
   explains. */
int http_send(struct http *http, const struct place *place, const char *path, const char *token,
              const struct json_text *body, int64_t deadline_ns, pool_error_t *error);

/* Adds what comes of the body to the text: what is there already, or else what comes next.  Returns 0, or a code that
 *error explains, POOL_E_TIMEOUT where nothing came; then the connection stays. */
int http_more(struct http *http, struct json_text *text, int64_t deadline_ns, pool_error_t *error);

/* Sleeps until http_more() may have something, the descriptor can be read, or it is time. */
void http_sleep(struct http *http, int descriptor, int64_t until_ns);

bool http_is_open(const struct http *http);

void http_close(struct http *http);

/* In a child of fork: closes the descriptors and does nothing else. */
void http_forget(struct http *http);

#endif
