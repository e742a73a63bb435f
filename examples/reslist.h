/* SPDX-License-Identifier: MIT */
#ifndef RESLIST_H
#define RESLIST_H

#include <pool/pool.h>

/* Lists of resources with functions as apr_reslist has them, upon a pool: for moving a program step by step. */
typedef struct reslist reslist_t;

typedef int reslist_constructor(void **resource, void *params);
typedef int reslist_destructor(void *resource, void *params);

/* Returns 0 or a POOL_E_*.  As there, ttl is in microseconds, and 0 means that nothing expires. */
int reslist_create(reslist_t **list, int min, int smax, int hmax, int64_t ttl_us, reslist_constructor *construct,
                   reslist_destructor *destruct, void *params);
int reslist_acquire(reslist_t *list, void **resource);
int reslist_release(reslist_t *list, void *resource);
int reslist_invalidate(reslist_t *list, void *resource);
int64_t reslist_acquired_count(reslist_t *list);
void reslist_destroy(reslist_t *list);

#endif
