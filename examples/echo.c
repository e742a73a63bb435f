/* SPDX-License-Identifier: MIT */
/* A server for examples: what it reads from a connection it sends back. */
#include "echo.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
  perror(what);
  exit(1);
}

static void *serve(void *fd_as_pointer)
{
  int fd = (int)(intptr_t)fd_as_pointer;
  char bytes[512];
  ssize_t size;
  while ((size = read(fd, bytes, sizeof bytes)) > 0 && write(fd, bytes, (size_t)size) == size)
    ;
  close(fd);
  return NULL;
}

static _Noreturn void accept_all(int listener)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (;;) {
    pthread_t thread;
    int fd = accept(listener, NULL, NULL);
    if (fd < 0 || pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0)
      die("echo server");
    pthread_detach(thread);
  }
}

struct sockaddr_in echo_start(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    die("echo server");
  pid_t child = fork();
  if (child < 0)
    die("echo server");
  if (child == 0)
    accept_all(listener);
  close(listener);
  return address;
}
