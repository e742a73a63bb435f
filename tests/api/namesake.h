/* SPDX-License-Identifier: MIT */
/* A library that has nothing to do with libpool but two names, as libsolv has them. */
#ifndef NAMESAKE_H
#define NAMESAKE_H

typedef struct s_Pool Pool;

Pool *pool_create(void);
void pool_free(Pool *pool);

#endif
