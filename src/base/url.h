/* SPDX-License-Identifier: MIT */
/*
 * A URL taken apart, each part percent-decoded (RFC 3986), for the library and for drivers.
 *
 *   SCHEME://USER:PASSWORD@HOST:PORT,HOST:PORT/PATH?NAME=VALUE&NAME=VALUE
 *
 * Everything but the scheme may be missing.  Several hosts have commas between them.  An IPv6 address stands in
 * brackets.  A host may be the path of a Unix socket with %2F for '/'.  A problem quotes nothing of the URL, for a
 * password that was not encoded could end up in any part.
 */
#ifndef URL_H
#define URL_H

#include <stdbool.h>
#include <stddef.h>

struct url_host {
  const char *name; /* without brackets, never "" */
  const char *port; /* digits from 1 to 65535, or "" */
};

struct url_parameter {
  const char *name;
  const char *value;
};

struct url {
  const char *scheme;     /* in small letters */
  const char *user;       /* NULL: none is given */
  const char *password;   /* NULL: none is given */
  struct url_host *hosts; /* none where nothing stands between // and the path */
  size_t host_count;
  const char *path; /* with its first '/', or "" */
  struct url_parameter *parameters;
  size_t parameter_count;
  char *storage; /* all the texts; wiped before it is freed */
  size_t storage_size;
};

/* Takes a URL apart.  NULL, or why it is none, as a sentence for a message; then *url is empty.  "no memory" is
   url_no_memory; url_no_scheme shows the URL of a server. */
const char *url_read(struct url *url, const char *text);
extern const char url_no_memory[], url_no_scheme[];

/* Wipes and frees.  An empty one, all 0, is fine. */
void url_free(struct url *url);

/* The value of the parameter of this name, or NULL. */
const char *url_value(const struct url *url, const char *name);

/* Whether an earlier parameter has the name of this one: the reader of a URL refuses that, for one of the two values
   would not count.  Its message quotes the name where it is a known one: else it may be part of a password. */
bool url_is_repeated(const struct url *url, size_t index);

/* Copies the text that *url was read from, without the parameters whose names begin with the prefix, the scheme in
   small letters.  All bytes behind the copy are 0, and `room` of them are for the caller.  NULL without memory; the
   caller wipes it and frees it with free(). */
char *url_without(const struct url *url, const char *text, const char *prefix, size_t room);

#endif
