/* SPDX-License-Identifier: MIT */
#include "proxy.h"

#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in loopback(int port)
{
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void drop(struct proxy *proxy, int number)
{
  close(proxy->pairs[number].client);
  close(proxy->pairs[number].server);
  proxy->pairs[number] = proxy->pairs[--proxy->count];
}

static void reset(struct proxy *proxy, int number)
{
  struct linger at_once = {.l_onoff = 1};
  must(setsockopt(proxy->pairs[number].client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
  drop(proxy, number);
}

static void cut(struct proxy *proxy)
{
  while (proxy->count > 0)
    reset(proxy, 0);
}

static void lose(struct proxy *proxy)
{
  for (int i = 0; i < proxy->count; i++)
    proxy->pairs[i].lost = true;
}

static void take_client(struct proxy *proxy)
{
  struct sockaddr_in name = loopback(proxy->server_port);
  must(proxy->count < PROXY_PAIRS);
  int number = proxy->count++;
  proxy->pairs[number].lost = false;
  proxy->pairs[number].client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
  proxy->pairs[number].server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(proxy->pairs[number].client >= 0 && proxy->pairs[number].server >= 0);
  if (connect(proxy->pairs[number].server, (struct sockaddr *)&name, sizeof name) != 0)
    drop(proxy, number);
}

/* False when there is no more to come. */
static bool take(int from, char *bytes, size_t most, size_t *size)
{
  ssize_t count = recv(from, bytes, most, MSG_DONTWAIT);
  *size = count > 0 ? (size_t)count : 0;
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool give(int to, const char *bytes, size_t size)
{
  return size == 0 || send(to, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void pause_ms(int ms)
{
  nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* Each of these passes bytes one way, and returns false when one of the two is at its end. */

static bool pass_request(struct proxy *proxy, int number)
{
  char bytes[4096];
  size_t size;
  return take(proxy->pairs[number].client, bytes, sizeof bytes, &size) &&
         give(proxy->pairs[number].server, bytes, size);
}

static bool pass_reply(struct proxy *proxy, int number, int order)
{
  char bytes[4096];
  size_t size;
  if (!take(proxy->pairs[number].server, bytes, order == PROXY_DRIP ? 1 : sizeof bytes, &size))
    return false;
  bool halves = size > 0 && (order == PROXY_HALF || order == PROXY_MUTE);
  if (order == PROXY_DRIP || order == PROXY_LATE)
    pause_ms(order == PROXY_DRIP ? 1 : proxy->late_ms);
  proxy->pairs[number].lost = halves && order == PROXY_MUTE;
  return give(proxy->pairs[number].client, bytes, halves ? size / 2 : size) && !(halves && order == PROXY_HALF);
}

static void pass_all(struct proxy *proxy, const struct pollfd *watched, int count, int order)
{
  for (int i = count - 1; i >= 0; i--) {
    if ((!watched[2 * i].revents || pass_request(proxy, i)) &&
        (!watched[2 * i + 1].revents || pass_reply(proxy, i, order)))
      continue;
    if (order == PROXY_HALF)
      reset(proxy, i);
    else
      drop(proxy, i);
  }
}

static int obey(struct proxy *proxy)
{
  uint64_t orders;
  must(read(proxy->wake, &orders, sizeof orders) == sizeof orders);
  int order = atomic_load(&proxy->order);
  if (order == PROXY_CUT || order == PROXY_END)
    cut(proxy);
  if (order == PROXY_LOSE)
    lose(proxy);
  atomic_store(&proxy->obeyed, order);
  return order;
}

static void *proxy_main(void *data)
{
  struct proxy *proxy = data;
  struct pollfd watched[2 + 2 * PROXY_PAIRS];
  for (int order = PROXY_PASS; order != PROXY_END;) {
    int count = order == PROXY_HOLD ? 0 : proxy->count;
    watched[0] = (struct pollfd){.fd = proxy->wake, .events = POLLIN};
    watched[1] = (struct pollfd){.fd = order == PROXY_HOLD ? -1 : proxy->listener, .events = POLLIN};
    for (int i = 0; i < count; i++) {
      bool lost = proxy->pairs[i].lost;
      watched[2 + 2 * i] = (struct pollfd){.fd = lost ? -1 : proxy->pairs[i].client, .events = POLLIN};
      watched[3 + 2 * i] = (struct pollfd){.fd = lost ? -1 : proxy->pairs[i].server, .events = POLLIN};
    }
    must(poll(watched, 2 + 2 * (nfds_t)count, -1) > 0);
    pass_all(proxy, watched + 2, count, order);
    if (watched[1].revents)
      take_client(proxy);
    if (watched[0].revents)
      order = obey(proxy);
  }
  return NULL;
}

void proxy_start(struct proxy *proxy, int server_port)
{
  memset(proxy, 0, sizeof *proxy);
  proxy->server_port = server_port;
  proxy->late_ms = 20;
  proxy->wake = eventfd(0, EFD_CLOEXEC);
  assert_true(proxy->wake >= 0);
  proxy->listener = listen_locally(PROXY_PAIRS, &proxy->port);
  proxy->thread = thread_start(proxy_main, proxy);
}

void proxy_do(struct proxy *proxy, enum proxy_order order)
{
  uint64_t one = 1;
  atomic_store(&proxy->obeyed, -1);
  atomic_store(&proxy->order, (int)order);
  assert_int_equal(write(proxy->wake, &one, sizeof one), sizeof one);
  wait_until(atomic_load(&proxy->obeyed) == (int)order);
}

void proxy_end(struct proxy *proxy)
{
  proxy_do(proxy, PROXY_END);
  thread_end(proxy->thread);
  close(proxy->listener);
  close(proxy->wake);
}
