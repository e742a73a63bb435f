/* SPDX-License-Identifier: MIT */
#include "redis_server.h"

#include <stdio.h>

void redis_start(struct redis *redis)
{
  char port[12], tls_port[12];
  const char *arguments[40] = {"redis-server",
                               "--port",
                               port,
                               "--tls-port",
                               tls_port,
                               "--bind",
                               "127.0.0.1",
                               "--save",
                               "",
                               "--appendonly",
                               "no",
                               "--tls-cert-file",
                               "cert.pem",
                               "--tls-key-file",
                               "key.pem",
                               "--tls-ca-cert-file",
                               "cert.pem",
                               "--tls-auth-clients",
                               "optional",
                               "--unixsocket",
                               redis->socket,
                               "--requirepass",
                               REDIS_PASSWORD};
  snprintf(port, sizeof port, "%d", redis->port);
  snprintf(tls_port, sizeof tls_port, "%d", redis->tls_port);
  int count = 23;
  for (int i = 0; redis->settings[i]; i++)
    arguments[count++] = redis->settings[i];
  server_start(&redis->server, arguments);
  server_await_socket(&redis->server, redis->socket); /* the last that it listens on */
}

void redis_make(struct redis *redis)
{
  int ports[2];
  server_make(&redis->server, NULL);
  server_free_ports(ports, 2);
  redis->port = ports[0];
  redis->tls_port = ports[1];
  snprintf(redis->socket, sizeof redis->socket, "%s/socket", redis->server.folder);
  snprintf(redis->certificate, sizeof redis->certificate, "%s/cert.pem", redis->server.folder);
  snprintf(redis->other, sizeof redis->other, "%s/other.pem", redis->server.folder);
  server_certify(&redis->server, "cert.pem", "key.pem");
  server_certify(&redis->server, "other.pem", "other-key.pem");
  redis_start(redis);
}

void redis_remove(struct redis *redis)
{
  server_remove(&redis->server);
}
