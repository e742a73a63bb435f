/* SPDX-License-Identifier: MIT */
/*
 * A real server that a test or a benchmark starts for itself: a process, which ends with the program that started it,
 * with a temporary folder, which is removed then at the latest.
 *
 * No function returns a failure: it says what is wrong, shows what the server has printed, and ends the program.
 * Not thread-safe: one thread at a time uses a server, and it is the thread that called server_start().
 */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <sys/types.h>

struct server {
  pid_t process;    /* 0: it does not run */
  const char *user; /* of its processes if this program is root's; NULL: root itself */
  char folder[64];  /* its own, empty at first */
  char log[80];     /* what it has printed */
  int alive;        /* a pipe that is closed when this program ends: then the folder is removed */
};

/* Shows what the server has printed, if it is not NULL, says this, and ends the program. */
_Noreturn void server_fail(const struct server *server, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes the folder.  A server that refuses to run as root names a user without rights, who then owns the folder. */
void server_make(struct server *server, const char *user);

/* Stops the server if it runs, and removes the folder. */
void server_remove(struct server *server);

/* Runs a program of the server to its end, in the folder: arguments[0] is its name or path, NULL is behind the last.
   Returns its exit status. */
int server_run(struct server *server, const char *const *arguments);

/* Makes a certificate that is its own authority, for localhost and 127.0.0.1, and its key: files in the folder. */
void server_certify(struct server *server, const char *certificate, const char *key);

/* Starts the server's process, in the folder.  It can be started again when it has ended. */
void server_start(struct server *server, const char *const *arguments);

/* Returns when something accepts connections on a port of 127.0.0.1, or on a Unix socket. */
void server_await_port(struct server *server, int port);
void server_await_socket(struct server *server, const char *path);

/* Asks it to end by a signal, SIGTERM for example, and waits until it has ended. */
void server_stop(struct server *server, int signal);

/* Kills it and its child processes, and waits. */
void server_kill(struct server *server);

/* Stops it and its child processes, as a machine that hangs does: its sockets stay open. */
void server_freeze(struct server *server);
void server_thaw(struct server *server);

/* A port of 127.0.0.1 that is free at the moment; or at most 8, no two the same. */
int server_free_port(void);
void server_free_ports(int *ports, int count);

#endif
