/* SPDX-License-Identifier: MIT */
/* What each source file of this folder includes first. */
#ifndef EMBEDDED_H
#define EMBEDDED_H

/* The names that the files share get a prefix, for other C code of the program may have a `slots` and an error_set() too. */
#include "names.h"

/* Where drivers are installed: by hand, and by Debian's packages. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define PLATFORM "x86_64-linux-gnu"
#elif defined(__i386__)
#define PLATFORM "i386-linux-gnu"
#elif defined(__aarch64__)
#define PLATFORM "aarch64-linux-gnu"
#elif defined(__arm__)
#define PLATFORM "arm-linux-gnueabihf"
#elif defined(__riscv)
#define PLATFORM "riscv64-linux-gnu"
#elif defined(__s390x__)
#define PLATFORM "s390x-linux-gnu"
#elif defined(__powerpc64__)
#define PLATFORM "powerpc64le-linux-gnu"
#endif
#ifdef PLATFORM
#define POOL_DRIVER_FOLDER "/usr/local/lib/pool:/usr/lib/" PLATFORM "/pool"
#endif

#endif
