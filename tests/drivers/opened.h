/* SPDX-License-Identifier: MIT */
/*
 * Pools that a test of a driver opens by their URLs, and all that they say: events, lines of the log, messages of
 * failures, reports.  It is kept to the end of the program, so that a test can look for passwords there.
 */
#ifndef OPENED_H
#define OPENED_H

#include <stddef.h>
#include <stdint.h>

#include <pool/driver.h>

#include "support.h"

#define URL_SIZE 1024

/* Formats a URL, and returns it. */
const char *url_format(char url[URL_SIZE], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Opens a pool, or returns the code of the failure. */
int open_url(const char *url, pool_t **pool, pool_error_t *error);

/* Opens a pool; fails the test if it cannot be opened. */
pool_t *open_pool(const char *url);

/* Closes a pool and frees it.  All its connections have been put. */
void end_pool(pool_t *pool);

pool_lease_t get_lease(pool_t *pool);
void put_lease(pool_lease_t lease);

/* What a get has just returned is this code, and its message has this text.  Returns the number of the server or the
   system. */
int expect_no_lease(pool_lease_t lease, int code, const char *text);

/* Adds a text to what was said. */
void tell(const char *text);

/* Where in what was said the present is, for was_told(). */
size_t told_so_far(void);

/* Whether a text was said since then; 0 is the beginning. */
bool was_told(const char *text, size_t since);

#endif
