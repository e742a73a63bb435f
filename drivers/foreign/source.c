/* SPDX-License-Identifier: MIT */
#include "foreign/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/failure.h"

#define PATH_SHOWN 160 /* bytes of a path in a message; of a longer one the end is shown */

static const char *shown(const char *path)
{
  size_t length = strlen(path);
  return length > PATH_SHOWN ? path + length - PATH_SHOWN : path;
}

int source_fail(const struct source *source, struct place place, pool_error_t *error, const char *format, ...)
{
  char message[sizeof error->message];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (place.line == 0)
    return failure_set(error, POOL_E_INVALID, 0, "%s: %s", shown(source->path), message);
  return failure_set(error, POOL_E_INVALID, 0, "%s:%u:%u: %s", shown(source->path), place.line, place.column, message);
}

static int say_system(const char *path, pool_error_t *error)
{
  int native = errno;
  return failure_set(error, POOL_E_DRIVER, native, "%s: %s", shown(path), strerror(native));
}

/* Without O_NONBLOCK the open of a pipe would wait for a writer. */
static int open_file(const char *path, struct stat *about, pool_error_t *error)
{
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0 || fstat(descriptor, about) != 0) {
    say_system(path, error);
    if (descriptor >= 0)
      close(descriptor);
    return -1;
  }
  const char *problem = !S_ISREG(about->st_mode)                     ? "a description is a file"
                        : (size_t)about->st_size > SOURCE_SIZE_LIMIT ? "a description has at most 64 KiB"
                                                                     : NULL;
  if (!problem)
    return descriptor;
  failure_set(error, POOL_E_DRIVER, 0, "%s: %s", shown(path), problem);
  close(descriptor);
  return -1;
}

static int read_all(struct source *source, int descriptor, size_t size, pool_error_t *error)
{
  source->text = malloc(size + 1);
  if (!source->text)
    return failure_set(error, POOL_E_NOMEM, 0, "no memory for a description");
  for (ssize_t got = 1; got > 0 && source->size < size;) {
    got = read(descriptor, source->text + source->size, size - source->size);
    if (got < 0 && errno != EINTR)
      return say_system(source->path, error);
    source->size += got > 0 ? (size_t)got : 0;
    got = got < 0 ? 1 : got;
  }
  source->text[source->size] = 0;
  return 0;
}

int source_read(struct source *source, const char *path, pool_error_t *error)
{
  struct stat about;
  *source = (struct source){.path = path};
  int descriptor = open_file(path, &about, error);
  if (descriptor < 0)
    return error->code;
  int code = read_all(source, descriptor, (size_t)about.st_size, error);
  close(descriptor);
  if (code)
    source_free(source);
  return code;
}

void source_free(struct source *source)
{
  free(source->text);
  source->text = NULL;
}
