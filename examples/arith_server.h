/* SPDX-License-Identifier: MIT */
/*
 * A small arithmetic server on the loopback interface, for programs that want a server without starting one.
 *
 * It speaks the wire format of Go's net/rpc/jsonrpc, one JSON object per line, and knows two methods:
 *
 *   {"method":"Arith.Mul","params":[{"A":7,"B":8}],"id":1}  ->  {"id":1,"result":56,"error":null}
 *   {"method":"Arith.Div","params":[{"A":7,"B":0}],"id":2}  ->  {"id":2,"result":null,"error":"divide by
 * zero"}
 */
#ifndef ARITH_SERVER_H
#define ARITH_SERVER_H

#include <stddef.h>
#include <stdint.h>

#define ARITH_SERVER_ADDRESS_SIZE 32 /* room for any address that arith_server_start() writes */

struct arith_server;

/* Starts a server in a thread of its own, on this port or, if it is 0, on one that the kernel chooses, and writes
   HOST:PORT to `address`.  Returns 0 or an errno. */
int arith_server_start(struct arith_server **server, uint16_t port, char *address, size_t size);

/* Drops all connections, ends the thread and frees everything.  NULL is fine. */
void arith_server_stop(struct arith_server *server);

#endif
