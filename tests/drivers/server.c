/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_S     60
#define MOST_ARGUMENTS 48
#define MOST_CHILDREN  256
#define MOST_PORTS     8

extern char **environ;

/* ---- failures ---- */

static void show_log(const struct server *server)
{
  char line[512];
  FILE *file = server ? fopen(server->log, "r") : NULL;
  while (file && fgets(line, sizeof line, file))
    fputs(line, stderr);
  if (file)
    fclose(file);
}

void server_fail(const struct server *server, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  show_log(server);
  fputs("server: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  abort();
}

/* ---- the folder ---- */

static int await_end(const struct server *server, pid_t process)
{
  int status;
  while (waitpid(process, &status, 0) != process)
    if (errno != EINTR)
      server_fail(server, "cannot wait for process %d: %s", (int)process, strerror(errno));
  return status;
}

/* Starts a shell in a session of its own, so that no signal of a terminal reaches it.  Its descriptor 3 is `input`. */
static pid_t start_shell(char *const *arguments, int input)
{
  pid_t shell;
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, input, 3);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&files, 0, 1);
  posix_spawn_file_actions_adddup2(&files, 0, 2);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
  int number = posix_spawnp(&shell, arguments[0], &files, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  if (number)
    server_fail(NULL, "cannot start %s: %s", arguments[0], strerror(number));
  return shell;
}

/* Has the folder and the log removed when this program ends, however it does: the kernel closes the pipe then.  What
   waits for that is no child, for a program that takes too long is killed with its children.  A server that is being
   killed may still write, so the removal is tried again. */
static void watch(struct server *server)
{
  static char script[] = "(read -r end <&3; for try in 1 2 3 4 5 6 7 8 9; do rm -rf \"$@\" && exit; sleep 1; done) &";
  char shell[] = "sh", option[] = "-c";
  char *const arguments[] = {shell, option, script, shell, server->folder, server->log, NULL};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    server_fail(NULL, "cannot make a pipe: %s", strerror(errno));
  await_end(server, start_shell(arguments, ends[0]));
  close(ends[0]);
  server->alive = ends[1];
}

void server_make(struct server *server, const char *user)
{
  *server = (struct server){.user = geteuid() == 0 ? user : NULL, .folder = "/tmp/pool-server-XXXXXX"};
  if (!mkdtemp(server->folder))
    server_fail(NULL, "cannot make a folder in /tmp: %s", strerror(errno));
  snprintf(server->log, sizeof server->log, "%s.log", server->folder);
  watch(server);
  const struct passwd *owner = server->user ? getpwnam(server->user) : NULL;
  if (server->user && (!owner || chown(server->folder, owner->pw_uid, owner->pw_gid) != 0))
    server_fail(NULL, "there is no user %s who could own %s", server->user, server->folder);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
  (void)status, (void)kind, (void)place;
  return remove(path);
}

void server_remove(struct server *server)
{
  if (server->process)
    server_kill(server);
  nftw(server->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  unlink(server->log);
  close(server->alive);
}

/* ---- processes ---- */

/* setpriv becomes the user, and has the kernel kill the process when the thread that started it ends. */
static void add_setpriv(const struct server *server, const char **all, int *count, char *user, size_t size)
{
  all[(*count)++] = "setpriv";
  all[(*count)++] = "--pdeathsig=KILL";
  if (!server->user)
    return;
  snprintf(user, size, "--reuid=%s", server->user);
  snprintf(user + size, size, "--regid=%s", server->user);
  all[(*count)++] = user;
  all[(*count)++] = user + size;
  all[(*count)++] = "--init-groups";
}

/* posix_spawn runs no handlers of fork, which are not the subject here. */
static pid_t spawn(const struct server *server, const char *const *arguments)
{
  const char *all[MOST_ARGUMENTS];
  char user[2][64];
  int count = 0;
  pid_t process;
  posix_spawn_file_actions_t files;
  add_setpriv(server, all, &count, user[0], sizeof user[0]);
  while (*arguments && count < MOST_ARGUMENTS - 1)
    all[count++] = *arguments++;
  all[count] = NULL;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, server->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  posix_spawn_file_actions_addchdir_np(&files, server->folder);
  int number = posix_spawnp(&process, "setpriv", &files, NULL, (char *const *)all, environ);
  posix_spawn_file_actions_destroy(&files);
  if (number)
    server_fail(server, "cannot start %s: %s", all[0], strerror(number));
  return process;
}

int server_run(struct server *server, const char *const *arguments)
{
  int status = await_end(server, spawn(server, arguments));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void server_certify(struct server *server, const char *certificate, const char *key)
{
  const char *arguments[] = {"openssl",
                             "req",
                             "-x509",
                             "-newkey",
                             "ec",
                             "-pkeyopt",
                             "ec_paramgen_curve:P-256",
                             "-nodes",
                             "-keyout",
                             key,
                             "-out",
                             certificate,
                             "-days",
                             "2",
                             "-subj",
                             "/CN=test",
                             "-addext",
                             "subjectAltName=DNS:localhost,IP:127.0.0.1",
                             NULL};
  if (server_run(server, arguments) != 0)
    server_fail(server, "openssl made no certificate (Debian: apt-get install openssl)");
}

void server_start(struct server *server, const char *const *arguments)
{
  server->process = spawn(server, arguments);
}

void server_stop(struct server *server, int signal)
{
  kill(server->process, signal);
  await_end(server, server->process);
  server->process = 0;
}

/* ---- the process and its children ---- */

static int children_of(pid_t process, pid_t *children)
{
  char path[64];
  int count = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)process, (int)process);
  FILE *file = fopen(path, "r");
  if (!file)
    return 0;
  while (count < MOST_CHILDREN && fscanf(file, "%d", &children[count]) == 1)
    count++;
  fclose(file);
  return count;
}

/* The process first: when it has stopped it makes no more children. */
static void signal_all(struct server *server, int signal)
{
  pid_t children[MOST_CHILDREN];
  kill(server->process, signal);
  if (signal == SIGSTOP)
    waitpid(server->process, NULL, WUNTRACED);
  int count = children_of(server->process, children);
  for (int i = 0; i < count; i++)
    kill(children[i], signal);
}

void server_freeze(struct server *server)
{
  signal_all(server, SIGSTOP);
}

void server_thaw(struct server *server)
{
  signal_all(server, SIGCONT);
}

/* Whether a process is gone, or only waits to be reaped. */
static bool is_gone(pid_t process)
{
  char path[64], state = 'Z';
  snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
  FILE *file = fopen(path, "r");
  if (!file)
    return true;
  if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
    state = 'Z';
  fclose(file);
  return state == 'Z' || state == 'X';
}

static void await_gone(const struct server *server, pid_t process)
{
  for (int rounds = 0; !is_gone(process); rounds++) {
    if (rounds == PATIENCE_S * 1000)
      server_fail(server, "process %d was killed and is still there", (int)process);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}

void server_kill(struct server *server)
{
  server_freeze(server); /* or children would be left that nobody finds when their parent has ended */
  pid_t children[MOST_CHILDREN];
  int count = children_of(server->process, children);
  for (int i = 0; i < count; i++)
    kill(children[i], SIGKILL);
  kill(server->process, SIGKILL);
  await_end(server, server->process);
  for (int i = 0; i < count; i++)
    await_gone(server, children[i]); /* what they share may keep the server from starting again */
  server->process = 0;
}

/* ---- waiting ---- */

static bool accepts(const struct sockaddr *name, socklen_t size)
{
  int made = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool connected = made >= 0 && connect(made, name, size) == 0;
  if (made >= 0)
    close(made);
  return connected;
}

static void await(struct server *server, const struct sockaddr *name, socklen_t size)
{
  for (int rounds = 0; !accepts(name, size); rounds++) {
    int status;
    if (waitpid(server->process, &status, WNOHANG) == server->process)
      server_fail(server, "the server ended with status %d before it listened", status);
    if (rounds == PATIENCE_S * 100)
      server_fail(server, "nothing listens after %d s", PATIENCE_S);
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
}

static struct sockaddr_in loopback(int port)
{
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

void server_await_port(struct server *server, int port)
{
  struct sockaddr_in name = loopback(port);
  await(server, (const struct sockaddr *)&name, sizeof name);
}

void server_await_socket(struct server *server, const char *path)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
  await(server, (const struct sockaddr *)&name, sizeof name);
}

/* A socket that keeps the port. */
static int take_port(int *port)
{
  struct sockaddr_in name = loopback(0);
  socklen_t size = sizeof name;
  int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0 || bind(made, (const struct sockaddr *)&name, size) != 0 ||
      getsockname(made, (struct sockaddr *)&name, &size) != 0)
    server_fail(NULL, "no port is free: %s", strerror(errno));
  *port = ntohs(name.sin_port);
  return made;
}

void server_free_ports(int *ports, int count)
{
  int taken[MOST_PORTS];
  for (int i = 0; i < count; i++)
    taken[i] = take_port(&ports[i]);
  for (int i = 0; i < count; i++)
    close(taken[i]);
}

int server_free_port(void)
{
  int port;
  server_free_ports(&port, 1);
  return port;
}
