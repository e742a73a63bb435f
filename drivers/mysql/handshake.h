/* SPDX-License-Identifier: MIT */
/*
 * What has to happen between the server's greeting and TLS.
 *
 * libmariadb is given the address of a server in digits, for its own look-up of names knows no deadline.  It would
 * compare the certificate with those digits.  So a connection with TLS begins with an authentication plugin of this
 * driver, which the library calls at the right moment: it puts the name of the host in its place, and logs nobody in.
 * The server does not know the plugin, and asks for the right one: one more round trip.
 *
 * The plugin also refuses servers without TLS where TLS is wanted.  Where it is not called, as the greeting says that
 * the server knows no plugins, the library's own strictest rule is in force.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include <mysql.h>
#include <stdbool.h>

#include "mysql/options.h"

#define HANDSHAKE_PLUGIN "pool_driver_mysql"

/* Makes the plugin known to the library, once for the process.  False: the library refused. */
bool handshake_register(void);

/* Says what this thread's connection expects, which begins now.  NULL: the address stays the name of the host. */
void handshake_expect(const char *host, enum options_ssl ssl);

/* Ends that.  True: the connection ended because the server has no TLS. */
bool handshake_lacked_tls(void);

#endif
