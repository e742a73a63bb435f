/* SPDX-License-Identifier: MIT */
#ifndef EXPOSE_H
#define EXPOSE_H

struct pool;

/* A pool was made: it is exposed if all are. */
void expose_begin(struct pool *pool);

#endif
