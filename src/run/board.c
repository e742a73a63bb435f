/* SPDX-License-Identifier: MIT */
#include "run/board.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/text.h"

#define MAGIC   UINT64_C(0x316e6b6f6f626c6c)

/* C libraries have different mutexes of one size, and containers may share the memory of a machine. */
#ifdef __GLIBC__
#define VERSION 1u
#else
#define VERSION 2u
#endif

/* The boards of `process:`, each with its name. */
struct named {
  struct named *next;
  struct board *board;
  int32_t users;
  char name[BUDGET_NAME];
};

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct named *names;

struct ledger *board_ledger(struct board *board)
{
  return (struct ledger *)(void *)((char *)board + (sizeof *board + 63) / 64 * 64);
}

static size_t board_size(void)
{
  return (sizeof(struct board) + 63) / 64 * 64 + ledger_size(BOARD_MEMBERS);
}

/* ---- locks ---- */

void board_make_mutex(pthread_mutex_t *mutex)
{
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
}

static int mutex_lock_until(pthread_mutex_t *mutex, int64_t deadline_ns)
{
  static const struct timespec nap = {.tv_nsec = 100000};
  int error;
  while ((error = pthread_mutex_trylock(mutex)) == EBUSY && clock_now() < deadline_ns)
    nanosleep(&nap, NULL);
  return error;
}

/* Whoever held it is stopped where the time is over. */
int board_lock(struct board *board, int64_t deadline_ns, pool_error_t *error)
{
  int problem = mutex_lock_until(&board->lock, deadline_ns);
  if (problem == EBUSY)
    return error_set(error, POOL_E_OPEN, 0, "a process that was about to change the ledger does not go on");
  if (problem == EOWNERDEAD) {
    pthread_mutex_consistent(&board->lock);
    ledger_mend(board_ledger(board), clock_now());
    problem = 0;
  }
  return problem ? error_set(error, POOL_E_OPEN, problem, "the lock of the ledger is lost: %s", strerror(problem)) : 0;
}

void board_unlock(struct board *board)
{
  pthread_mutex_unlock(&board->lock);
}

/* ---- boards ---- */

static void board_begin(struct board *board, int32_t limit, bool is_host)
{
  int64_t now = clock_now();
  struct ledger_manners manners = {.pause_ns = is_host ? 500000 : 0};
  board_make_mutex(&board->lock);
  ledger_begin(board_ledger(board), BOARD_MEMBERS, limit, now, false, &manners, now);
  board->size = (uint32_t)board_size();
  board->version = VERSION;
  board->magic = MAGIC;
}

#ifdef __linux__

#define FOLDER "/dev/shm"

static void path_of(const struct board_place *place, char *path, size_t room)
{
  snprintf(path, room, FOLDER "/libpool-%ld-%s", (long)geteuid(), place->name);
}

static struct board *map(int fd)
{
  void *memory = mmap(NULL, board_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? NULL : memory;
}

/* Takes all the memory now: where there is none any more, to write to the board would end the process. */
static bool reserve(int fd)
{
  int error;
  while ((error = posix_fallocate(fd, 0, (off_t)board_size())) == EINTR)
    ;
  errno = error;
  return error == 0;
}

/* A file that nobody meets, and how its maker finds it.  It has no name, so none is left where its process ends
   meanwhile.  Where there is no such file (gVisor), or no /proc that leads to it, it has a name that no other has. */
static int make_file(char *own, size_t room, bool *named)
{
  uint64_t number = 0;
  int fd = open(FOLDER, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  snprintf(own, room, "/proc/self/fd/%d", fd);
  *named = fd < 0 || access(own, F_OK) != 0;
  if (!*named)
    return fd;
  if (fd >= 0)
    close(fd);
  if (getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number)
    number = (uint64_t)clock_now();
  snprintf(own, room, FOLDER "/.libpool.%ld.%016llx", (long)getpid(), (unsigned long long)number);
  return open(own, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Makes a board, begins it, and gives it its name, unless another was faster: nobody meets one that is not complete. */
static int publish(const struct board_place *place, const char *path, pool_error_t *error)
{
  char own[80];
  bool named;
  int fd = make_file(own, sizeof own, &named);
  if (fd < 0)
    return error_set(error, POOL_E_SYSTEM, errno, "%s: %s", FOLDER, strerror(errno));
  struct board *board = reserve(fd) ? map(fd) : NULL;
  if (board)
    board_begin(board, place->limit, true);
  bool done = board && (linkat(AT_FDCWD, own, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST);
  int code = done ? 0 : error_set(error, POOL_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
  if (board)
    munmap(board, board_size());
  if (named)
    unlink(own);
  close(fd);
  return code;
}

static int check_file(const char *path, int fd, struct board_place *place, pool_error_t *error)
{
  struct stat file;
  if (fstat(fd, &file) != 0)
    return error_set(error, POOL_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
  if (file.st_uid != geteuid() || (file.st_mode & 077))
    return error_set(error, POOL_E_SYSTEM, 0, "%s is not this user's alone; remove it, or choose another name", path);
  if (file.st_size != (off_t)board_size())
    return error_set(error, POOL_E_SYSTEM, 0,
                     "%s is no ledger of this version of libpool; end the programs that use it, or remove it", path);
  place->file = file.st_ino;
  return 0;
}

/* 0 with a board, which may be gone; 1: there is none yet. */
static int open_file(const char *path, struct board_place *place, struct board **out, pool_error_t *error)
{
  int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0)
    return errno == ENOENT ? 1 : error_set(error, POOL_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
  int code = check_file(path, fd, place, error);
  struct board *board = code == 0 ? map(fd) : NULL;
  close(fd);
  if (code)
    return code;
  if (!board)
    return error_set(error, POOL_E_SYSTEM, errno, "%s: %s", path, strerror(errno));
  if (board->magic != MAGIC || board->version != VERSION || board->size != board_size()) {
    munmap(board, board_size());
    return error_set(error, POOL_E_SYSTEM, 0,
                     "%s is no ledger of this version of libpool; end the programs that use it, or remove it", path);
  }
  *out = board;
  return 0;
}

static int open_host(struct board_place *place, struct board **out, pool_error_t *error)
{
  char path[200];
  path_of(place, path, sizeof path);
  int code = open_file(path, place, out, error);
  if (code == 1 && place->limit == 0)
    return error_set(error, POOL_E_OPEN, 0, "no process of this user has a pool with the budget '%s'", place->name);
  if (code == 1)
    code = publish(place, path, error);
  if (code == 0 && !*out)
    code = open_file(path, place, out, error);
  return code == 1 ? error_set(error, POOL_E_SYSTEM, 0, "%s comes and goes", path) : code;
}

void board_take_name_away(const struct board_place *place)
{
  char path[200];
  struct stat file;
  path_of(place, path, sizeof path);
  if (lstat(path, &file) == 0 && file.st_ino == place->file)
    unlink(path);
}

#else

static int open_host(struct board_place *place, struct board **out, pool_error_t *error)
{
  (void)out;
  return error_set(error, POOL_E_UNSUPPORTED, 0, "host:%s needs Linux; use process: or a fleet's ledger", place->name);
}

void board_take_name_away(const struct board_place *place)
{
  (void)place;
}

#endif

static struct named *find_named(const char *name)
{
  struct named *named = names;
  while (named && strcmp(named->name, name) != 0)
    named = named->next;
  return named;
}

static struct named *add_named(const struct board_place *place)
{
  struct named *named = calloc(1, sizeof *named);
  if (named && !(named->board = calloc(1, board_size()))) {
    free(named);
    named = NULL;
  }
  if (!named)
    return NULL;
  text_copy(named->name, sizeof named->name, place->name);
  board_begin(named->board, place->limit, false);
  named->next = names;
  names = named;
  return named;
}

static int open_process(const struct board_place *place, struct board **out, pool_error_t *error)
{
  pthread_mutex_lock(&names_lock);
  struct named *named = find_named(place->name);
  if (!named && place->limit > 0)
    named = add_named(place);
  if (named)
    named->users++;
  *out = named ? named->board : NULL;
  pthread_mutex_unlock(&names_lock);
  if (*out)
    return 0;
  return place->limit > 0
             ? error_set(error, POOL_E_NOMEM, 0, "no memory for the ledger")
             : error_set(error, POOL_E_OPEN, 0, "no pool of this process has the budget '%s'", place->name);
}

static void close_process(const struct board *board)
{
  pthread_mutex_lock(&names_lock);
  for (struct named **at = &names; *at; at = &(*at)->next)
    if ((*at)->board == board) {
      struct named *named = *at;
      if (--named->users == 0) {
        *at = named->next;
        free(named->board);
        free(named);
      }
      break;
    }
  pthread_mutex_unlock(&names_lock);
}

void board_names_lock(void)
{
  pthread_mutex_lock(&names_lock);
}

void board_names_unlock(void)
{
  pthread_mutex_unlock(&names_lock);
}

void board_forget(void)
{
  names = NULL;
}

int board_open(struct board_place *place, struct board **board, pool_error_t *error)
{
  *board = NULL;
  return place->is_host ? open_host(place, board, error) : open_process(place, board, error);
}

void board_close(const struct board_place *place, struct board *board)
{
  if (place->is_host)
    munmap(board, board_size());
  else
    close_process(board);
}
