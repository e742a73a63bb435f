/* SPDX-License-Identifier: MIT */
/* What etcd is asked, by its gateway that speaks JSON.  Messages of this process have no password in them. */
#ifndef GATEWAY_H
#define GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "budget-etcd/http.h"
#include "budget-etcd/place.h"

#define GATEWAY_BYTES HTTP_BYTES

struct gateway {
  struct place *place;
  struct http http;
  char *token; /* NULL: not logged in */
};

/* Asks, and reads the answer, which json_decref() gives back.  Logs in where that is needed.  Where there is no
   connection yet, and a server does not answer, the next one is asked: each has its share of the time that is left.
   So a server may be asked what another has done already.  Returns 0, or a code that *error explains. */
int gateway_ask(struct gateway *gateway, const char *path, const struct json_text *body, json_t **answer,
                int64_t deadline_ns, pool_error_t *error);

/* The same by another connection, and reads only up to the body of the answer, which comes by and by. */
int gateway_follow(struct gateway *gateway, struct http *http, const char *path, const struct json_text *body,
                   int64_t deadline_ns, pool_error_t *error);

/* It logs in anew when it asks the next time. */
void gateway_forget_token(struct gateway *gateway);

void gateway_close(struct gateway *gateway);

/* Reads an answer, which json_decref() gives back; NULL: it is no JSON.  Returns 0, or POOL_E_NOMEM that *error
   explains. */
int gateway_read(const char *text, size_t size, json_t **answer, pool_error_t *error);

/* Adds "NAME":"BYTES" with the bytes in base64. */
void gateway_add_bytes(struct json_text *text, const char *name, const char *bytes, size_t size);

/* A number that an answer has as a text; 0: none is there. */
int64_t gateway_number(const json_t *object, const char *name);

/* Bytes that an answer has as base64, with a 0 behind them; free() gives them back.  NULL: none, or no memory. */
char *gateway_bytes(const json_t *object, const char *name, size_t *size);

#endif
