/* SPDX-License-Identifier: MIT */
/* The arithmetic server as a program: prints its address and serves until its standard input is closed. */
#include <stdio.h>
#include <string.h>

#include "arith_server.h"

int main(void)
{
  struct arith_server *server;
  char address[ARITH_SERVER_ADDRESS_SIZE];
  int code = arith_server_start(&server, address, sizeof address);
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
