/* SPDX-License-Identifier: MIT */
/*
 * A folder of sockets belongs to its user alone: a user that could write there could put another process's socket in
 * the place of a pool's.  In /tmp anybody may have made a folder of that name before, or a link.  So what counts is
 * what was opened, not what was looked at before: the descriptor is asked for owner and mode, and everything that
 * follows goes by the descriptor.
 */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* False: the environment names none. */
static bool find_path(enum folder folder, char path[PATH_MAX])
{
  int length = PATH_MAX;
  const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
  if (folder == FOLDER_TMP)
    length = snprintf(path, PATH_MAX, "/tmp/libpool-%lu", (unsigned long)geteuid());
  else if (runtime && runtime[0] == '/')
    length = snprintf(path, PATH_MAX, "%s/libpool", runtime);
  return length < PATH_MAX;
}

static bool is_private(int fd, const char *path, char *problem, size_t room)
{
  struct stat status;
  if (fstat(fd, &status) != 0)
    snprintf(problem, room, "%.200s: %s", path, strerror(errno));
  else if (status.st_uid != geteuid())
    snprintf(problem, room, MESSAGE("%.200s belongs to user %lu; it must be removed"), path,
             (unsigned long)status.st_uid);
  else if ((status.st_mode & 07777) != 0700)
    snprintf(problem, room, MESSAGE("%.200s has mode %04o; it must be 0700 (chmod 700 %.200s)"), path,
             (unsigned)status.st_mode & 07777, path);
  return problem[0] == 0;
}

static int open_path(const char *path, char *problem, size_t room)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return -1;
  if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
    snprintf(problem, room, MESSAGE("%.200s is no folder, or a link to one; it must be removed"), path);
  else if (fd < 0)
    snprintf(problem, room, "%.200s: %s", path, strerror(errno));
  else if (is_private(fd, path, problem, room))
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

int folder_open(enum folder folder, bool make, char *problem, size_t room)
{
  char path[PATH_MAX];
  problem[0] = 0;
  if (!find_path(folder, path))
    return -1;
  if (make && mkdir(path, 0700) != 0 && errno != EEXIST) {
    snprintf(problem, room, MESSAGE("%.200s cannot be made: %s"), path, strerror(errno));
    return -1;
  }
  return open_path(path, problem, room);
}
