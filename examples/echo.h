/* SPDX-License-Identifier: MIT */
#ifndef ECHO_H
#define ECHO_H

#include <netinet/in.h>

/* Starts a server in a process of its own that sends back each line, and ends with this program. */
struct sockaddr_in echo_start(void);

#endif
