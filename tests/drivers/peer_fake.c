/* SPDX-License-Identifier: MIT */
#include "peer_fake.h"

#include "support.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* False: the test is over. */
static bool await(const struct peer *peer, int descriptor, short events)
{
  struct pollfd set[2] = {{.fd = peer->wake, .events = POLLIN}, {.fd = descriptor, .events = events}};
  must(poll(set, 2, -1) > 0);
  return set[0].revents == 0;
}

/* False: the other side has closed, or the test is over. */
static bool hear(const struct peer *peer, int descriptor)
{
  char bytes[4096];
  return await(peer, descriptor, POLLIN) && recv(descriptor, bytes, sizeof bytes, 0) > 0;
}

static bool say(const struct peer *peer, int descriptor, const char *answer)
{
  size_t size = strlen(answer);
  while (size > 0) {
    ssize_t sent = send(descriptor, answer, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN)
      return false;
    answer += sent > 0 ? sent : 0;
    size -= sent > 0 ? (size_t)sent : 0;
    if (size > 0 && !await(peer, descriptor, POLLOUT))
      return false;
  }
  return true;
}

static void serve(const struct peer *peer, int descriptor)
{
  bool goes_on = true;
  for (int i = 0; goes_on && peer->answers[i]; i++) {
    goes_on = (i == 0 && peer->at_once) || hear(peer, descriptor);
    bool again = peer->endless && !peer->answers[i + 1];
    do
      goes_on = goes_on && say(peer, descriptor, peer->answers[i]);
    while (goes_on && again);
  }
  while (goes_on && !peer->closes)
    goes_on = hear(peer, descriptor);
}

static void *peer_main(void *data)
{
  struct peer *peer = data;
  while (await(peer, peer->listener, POLLIN)) {
    int descriptor = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC);
    must(descriptor >= 0);
    atomic_fetch_add(&peer->connections, 1);
    serve(peer, descriptor);
    close(descriptor);
  }
  return NULL;
}

void peer_start(struct peer *peer)
{
  peer->wake = eventfd(0, EFD_CLOEXEC);
  assert_true(peer->wake >= 0);
  peer->listener = listen_locally(16, &peer->port);
  peer->thread = thread_start(peer_main, peer);
}

void peer_end(struct peer *peer)
{
  uint64_t one = 1;
  assert_int_equal(write(peer->wake, &one, sizeof one), sizeof one);
  thread_end(peer->thread);
  close(peer->listener);
  close(peer->wake);
}
