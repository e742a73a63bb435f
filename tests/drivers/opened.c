/* SPDX-License-Identifier: MIT */
#include "opened.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what pools say ---- */

static struct {
  pthread_mutex_t lock;
  char *text;
  size_t size;
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

void tell(const char *text)
{
  size_t size = strlen(text);
  pthread_mutex_lock(&told.lock);
  told.text = realloc(told.text, told.size + size + 2);
  must(told.text);
  memcpy(told.text + told.size, text, size);
  told.size += size;
  strcpy(told.text + told.size, "\n");
  told.size++;
  pthread_mutex_unlock(&told.lock);
}

size_t told_so_far(void)
{
  pthread_mutex_lock(&told.lock);
  size_t size = told.size;
  pthread_mutex_unlock(&told.lock);
  return size;
}

bool was_told(const char *text, size_t since)
{
  pthread_mutex_lock(&told.lock);
  bool found = told.text && strstr(told.text + since, text);
  pthread_mutex_unlock(&told.lock);
  return found;
}

static void hear_event(void *user, const pool_event_t *event)
{
  (void)user;
  tell(event->message);
}

static void hear_line(void *user, int32_t level, const char *line)
{
  (void)user, (void)level;
  tell(line);
}

static void tell_report(pool_t *pool)
{
  for (int format = POOL_FORMAT_TEXT; format <= POOL_FORMAT_PROMETHEUS; format++) {
    pool_bytes_t report = {NULL, 0};
    assert_int_equal(pool_report(pool, format, &report), 0);
    tell(report.data);
    pool_bytes_free(&report);
  }
}

/* ---- pools ---- */

const char *url_format(char url[URL_SIZE], const char *format, ...)
{
  va_list values;
  va_start(values, format);
  vsnprintf(url, URL_SIZE, format, values);
  va_end(values);
  return url;
}

int open_url(const char *url, pool_t **pool, pool_error_t *error)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.events = hear_event;
  config.event_mask = (1 << (POOL_EVENT_WARNING + 1)) - 2;
  config.log = hear_line;
  int code = pool_open_with(&config, url, pool, error);
  tell(error->message);
  return code;
}

pool_t *open_pool(const char *url)
{
  pool_error_t error = POOL_ERROR_INIT;
  pool_t *pool = NULL;
  if (open_url(url, &pool, &error) != 0)
    fail_msg("%s", error.message);
  return pool;
}

void end_pool(pool_t *pool)
{
  tell_report(pool);
  assert_int_equal(pool_close(pool, 10000), 0);
  assert_int_equal(stats_of(pool).open, 0);
  pool_free(pool);
}

/* ---- leases ---- */

pool_lease_t get_lease(pool_t *pool)
{
  pool_lease_t lease = pool_get(pool);
  if (lease < 0) {
    pool_error_t error = POOL_ERROR_INIT;
    pool_failure(&error);
    fail_msg("no connection: %s", error.message);
  }
  return lease;
}

void put_lease(pool_lease_t lease)
{
  assert_int_equal(pool_put(lease), 0);
}

int expect_no_lease(pool_lease_t lease, int code, const char *text)
{
  pool_error_t error = POOL_ERROR_INIT;
  assert_true(lease < 0);
  pool_failure(&error);
  tell(error.message);
  if (lease != code || !strstr(error.message, text))
    fail_msg("%d: %s", (int)lease, error.message);
  return error.native;
}
