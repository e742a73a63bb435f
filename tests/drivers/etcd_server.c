/* SPDX-License-Identifier: MIT */
#include "etcd_server.h"

#include <stdio.h>

void etcd_start(struct etcd *etcd)
{
  char clients[96], peers[64], cluster[80];
  const char *arguments[] = {"etcd",
                             "--data-dir=data",
                             "--cert-file=cert.pem",
                             "--key-file=key.pem",
                             "--heartbeat-interval=20",
                             "--election-timeout=200",
                             "--listen-client-urls",
                             clients,
                             "--advertise-client-urls",
                             clients,
                             "--listen-peer-urls",
                             peers,
                             "--initial-advertise-peer-urls",
                             peers,
                             "--initial-cluster",
                             cluster,
                             NULL};
  snprintf(clients, sizeof clients, "http://127.0.0.1:%d,https://127.0.0.1:%d", etcd->port, etcd->tls_port);
  snprintf(peers, sizeof peers, "http://127.0.0.1:%d", etcd->peer_port);
  snprintf(cluster, sizeof cluster, "default=%s", peers);
  server_start(&etcd->server, arguments);
  server_await_port(&etcd->server, etcd->tls_port); /* it listens when it is ready to answer */
  server_await_port(&etcd->server, etcd->port);
}

void etcd_make(struct etcd *etcd)
{
  int ports[3];
  server_make(&etcd->server, NULL);
  server_free_ports(ports, 3);
  etcd->port = ports[0];
  etcd->tls_port = ports[1];
  etcd->peer_port = ports[2];
  snprintf(etcd->certificate, sizeof etcd->certificate, "%s/cert.pem", etcd->server.folder);
  server_certify(&etcd->server, "cert.pem", "key.pem");
  etcd_start(etcd);
}

void etcd_empty(struct etcd *etcd)
{
  if (server_run(&etcd->server, (const char *[]){"rm", "-rf", "data", NULL}) != 0)
    server_fail(&etcd->server, "its data could not be removed");
}

void etcd_remove(struct etcd *etcd)
{
  server_remove(&etcd->server);
}
