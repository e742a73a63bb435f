/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic server as a program: prints its address and serves until its standard input is closed.
 *
 *   cc arith_server_main.c arith_server.c $(pkg-config --cflags --libs jansson) -pthread -o arith && ./arith 1234
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arith_server.h"

/* False if that is no port. */
static bool read_port(const char *text, uint16_t *port)
{
  char *end;
  unsigned long number = strtoul(text, &end, 10);
  *port = (uint16_t)number;
  return number > 0 && number <= UINT16_MAX && *end == 0;
}

int main(int argc, char **argv)
{
  struct arith_server *server;
  char address[ARITH_SERVER_ADDRESS_SIZE];
  uint16_t port = 0;
  if (argc > 2 || (argc == 2 && !read_port(argv[1], &port))) {
    fprintf(stderr, "usage: arith_server [PORT]\n");
    return 2;
  }
  int code = arith_server_start(&server, port, address, sizeof address);
  if (code) {
    fprintf(stderr, "arith_server: cannot start: %s\n", strerror(code));
    return 1;
  }
  puts(address);
  fflush(stdout); /* whoever started this program waits for the address */
  while (getchar() != EOF)
    ;
  arith_server_stop(server);
  return 0;
}
