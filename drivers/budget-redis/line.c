/* SPDX-License-Identifier: MIT */
#include "budget-redis/line.h"

#include "redis/login.h"
#include "support/deadline.h"
#include "support/failure.h"

static int send_words(struct session *line, int count, const char *const *words, const size_t *sizes,
                      int64_t deadline_ns, pool_error_t *error)
{
  struct batch batch = {0};
  batch_add(&batch, count, words, sizes);
  int code = session_send(line, &batch, deadline_ns, error);
  batch_free(&batch);
  return code;
}

int line_send(struct session *line, const char *word, int64_t deadline_ns, pool_error_t *error)
{
  return send_words(line, 1, &word, NULL, deadline_ns, error);
}

int line_ask(struct session *line, int count, const char *const *words, const size_t *sizes, redisReply **reply,
             int64_t deadline_ns, pool_error_t *error)
{
  int code = send_words(line, count, words, sizes, deadline_ns, error);
  return code ? code : session_receive(line, reply, deadline_ns, error);
}

void line_close(struct session **line)
{
  if (*line)
    session_free(*line);
  *line = NULL;
}

void line_forget(struct session **line)
{
  if (*line)
    wire_forget(&(*line)->stream.wire);
  line_close(line);
}

/* ---- opening ---- */

static int connect_line(struct session **line, struct settings *settings, int64_t deadline_ns, pool_error_t *error)
{
  *line = session_new(settings);
  if (!*line)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for a connection");
  int code = servers_connect(&settings->servers, deadline_ns, &(*line)->stream.wire, error);
  if (code)
    line_close(line);
  return code;
}

static int ask_first(struct session *line, const char *const words[2], redisReply **reply, int64_t deadline_ns,
                     pool_error_t *error)
{
  int code = login_run(line, false, deadline_ns, error);
  return code ? code : line_ask(line, 2, words, NULL, reply, deadline_ns, error);
}

int line_open(struct session **line, struct place *place, const char *const words[2], redisReply **reply,
              int64_t deadline_ns, pool_error_t *error)
{
  size_t left = place->settings->servers.count;
  int code;
  do {
    code = connect_line(line, place->settings, deadline_ns, error);
    if (code) /* none can be reached */
      return code;
    code = ask_first(*line, words, reply, deadline_share(deadline_ns, left), error);
    if (code) {
      line_close(line);
      place_turn(place);
    }
  } while (code && --left > 0);
  return code;
}
