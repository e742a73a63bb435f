/* SPDX-License-Identifier: MIT */
/* What a driver asks of OpenSSL before it, or a library that it uses, begins with that. */
#ifndef SUPPORT_OPENSSL_H
#define SUPPORT_OPENSSL_H

#include <openssl/crypto.h>
#include <stddef.h>

/* Threads of the library may be inside OpenSSL when the process ends, so it must not be taken down then.  Where the program
   has begun with OpenSSL itself, this comes too late. */
static inline void openssl_outlive_exit(void)
{
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

#endif
