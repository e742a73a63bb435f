/* SPDX-License-Identifier: MIT */
/* Callers of a pool of SQL sessions, who come at one time and each want a connection. */
#ifndef CALLERS_H
#define CALLERS_H

#include <pool/pool.h>

#define CALLERS 20

/* Returns when all of them have had one at the same time, each with an answer to a statement, and have put it. */
void callers_serve(pool_t *pool);

#endif
