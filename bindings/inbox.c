/* SPDX-License-Identifier: MIT */
#include "inbox.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct inbox {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  letter_t *first, *last;
  int interrupts;
};

inbox_t *inbox_new(void)
{
  inbox_t *inbox = calloc(1, sizeof *inbox);
  if (!inbox)
    return NULL;
  pthread_mutex_init(&inbox->lock, NULL);
  pthread_cond_init(&inbox->changed, NULL);
  return inbox;
}

static letter_t *letter_new(inbox_t *inbox, int64_t number)
{
  letter_t *letter = calloc(1, sizeof *letter);
  if (letter) {
    letter->inbox = inbox;
    letter->number = number;
  }
  return letter;
}

void letter_free(letter_t *letter)
{
  if (!letter)
    return;
  pool_bytes_free(&letter->text);
  free(letter);
}

static void post(letter_t *letter)
{
  inbox_t *inbox = letter->inbox;
  pthread_mutex_lock(&inbox->lock);
  if (inbox->first)
    inbox->last->next = letter;
  else
    inbox->first = letter;
  inbox->last = letter;
  pthread_cond_signal(&inbox->changed);
  pthread_mutex_unlock(&inbox->lock);
}

/* Without memory for a message the code says it. */
static void post_failure(letter_t *letter, int64_t code, const char *message)
{
  letter->result = code;
  if (pool_bytes_new(strlen(message), &letter->text) == 0)
    memcpy(letter->text.data, message, letter->text.size);
  post(letter);
}

/* The same for a failure of this thread, whose message is still to be had. */
static void post_own_failure(letter_t *letter, int64_t code)
{
  pool_error_t error = POOL_ERROR_INIT;
  bool known = pool_failure(&error) == code && error.message[0];
  post_failure(letter, code, known ? error.message : pool_strerror(code));
}

letter_t *inbox_take(inbox_t *inbox)
{
  pthread_mutex_lock(&inbox->lock);
  while (!inbox->first && inbox->interrupts == 0)
    pthread_cond_wait(&inbox->changed, &inbox->lock);
  letter_t *letter = inbox->first;
  if (letter)
    inbox->first = letter->next;
  else
    inbox->interrupts--;
  pthread_mutex_unlock(&inbox->lock);
  return letter;
}

void inbox_interrupt(inbox_t *inbox)
{
  pthread_mutex_lock(&inbox->lock);
  inbox->interrupts++;
  pthread_cond_broadcast(&inbox->changed);
  pthread_mutex_unlock(&inbox->lock);
}

static void got(void *user, pool_lease_t result)
{
  letter_t *letter = user;
  if (result < 0) {
    post_own_failure(letter, result);
    return;
  }
  letter->result = result;
  post(letter);
}

int64_t inbox_look(pool_t *pool)
{
  pool_lease_t lease = pool_len(pool) > 0 ? pool_get_for(pool, 0) : 0;
  return lease > 0 ? lease : 0;
}

int64_t inbox_get(inbox_t *inbox, pool_t *pool, int64_t timeout_ms, int64_t number)
{
  letter_t *letter = letter_new(inbox, number);
  if (!letter)
    return POOL_E_NOMEM;
  int64_t ticket = pool_get_async(pool, timeout_ms, got, letter);
  if (ticket > 0)
    return ticket; /* the letter may be gone by now */
  post_own_failure(letter, ticket);
  return 0;
}

static void done(void *user, int32_t code, pool_bytes_t reply)
{
  letter_t *letter = user;
  if (code != 0 && reply.size == 0) {
    pool_bytes_free(&reply);
    post_failure(letter, code, pool_strerror(code));
    return;
  }
  letter->result = code;
  letter->text = reply;
  post(letter);
}

static void call_and_wait(letter_t *letter, pool_lease_t lease, const char *method, pool_bytes_t args)
{
  pool_error_t error = POOL_ERROR_INIT;
  int code = pool_call(lease, method, args, &letter->text, &error);
  if (code)
    post_failure(letter, code, error.message);
  else
    post(letter);
}

int inbox_call(inbox_t *inbox, pool_lease_t lease, const char *method, pool_bytes_t args, int64_t number)
{
  letter_t *letter = letter_new(inbox, number);
  if (!letter)
    return POOL_E_NOMEM;
  int64_t call = pool_go(lease, method, args, done, letter);
  if (call == POOL_E_UNSUPPORTED)
    call_and_wait(letter, lease, method, args);
  else if (call < 0)
    post_own_failure(letter, call);
  return 0;
}
