/* SPDX-License-Identifier: MIT */
#include "impostor.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support.h"

static void *accept_all(void *data)
{
  struct impostor *impostor = data;
  for (int connection; (connection = accept4(impostor->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
    impostor->serve(impostor, connection);
    close(connection);
  }
  return NULL;
}

void impostor_start(struct impostor *impostor, void (*serve)(struct impostor *impostor, int connection))
{
  *impostor = (struct impostor){.serve = serve, .lock = PTHREAD_MUTEX_INITIALIZER};
  impostor->listener = listen_locally(64, &impostor->port);
  impostor->thread = thread_start(accept_all, impostor);
}

static int listen_unix(const char *path)
{
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
  must(listener >= 0 && bind(listener, (struct sockaddr *)&name, sizeof name) == 0 && listen(listener, 64) == 0);
  return listener;
}

void impostor_start_unix(struct impostor *impostor, const char *path,
                         void (*serve)(struct impostor *impostor, int connection))
{
  *impostor = (struct impostor){.serve = serve, .lock = PTHREAD_MUTEX_INITIALIZER};
  impostor->listener = listen_unix(path);
  impostor->thread = thread_start(accept_all, impostor);
}

void impostor_stop(struct impostor *impostor)
{
  shutdown(impostor->listener, SHUT_RDWR);
  thread_end(impostor->thread);
  close(impostor->listener);
}

bool impostor_send(int connection, const void *bytes, size_t size)
{
  return send(connection, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

bool impostor_hear(struct impostor *impostor, int connection)
{
  char bytes[1024];
  ssize_t size = recv(connection, bytes, sizeof bytes, 0);
  if (size <= 0)
    return false;
  pthread_mutex_lock(&impostor->lock);
  size_t room = sizeof impostor->heard - impostor->heard_size, taken = (size_t)size < room ? (size_t)size : room;
  memcpy(impostor->heard + impostor->heard_size, bytes, taken);
  impostor->heard_size += taken;
  pthread_mutex_unlock(&impostor->lock);
  return true;
}

void impostor_hear_all(struct impostor *impostor, int connection)
{
  while (impostor_hear(impostor, connection))
    ;
}

bool impostor_has_heard(struct impostor *impostor, const char *text)
{
  pthread_mutex_lock(&impostor->lock);
  bool heard = memmem(impostor->heard, impostor->heard_size, text, strlen(text)) != NULL;
  pthread_mutex_unlock(&impostor->lock);
  return heard;
}
