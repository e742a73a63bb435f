/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_H
#define CONFIG_H

#include <pool/pool.h>

/* Reads a caller's settings (NULL: the defaults) into a full struct, with max_idle resolved; refuses what is wrong,
   naming the field. */
int config_read(pool_config_t *config, const pool_config_t *theirs, pool_error_t *error);

/* Reads a caller's vtable; then fills in what he left out, so that nobody ever tests a callback for NULL. */
int vtable_read(pool_vtable_t *vtable, const pool_vtable_t *theirs, pool_error_t *error);

void vtable_fill(pool_vtable_t *vtable);

/* The context will not be released with the pool. */
void vtable_keep_context(pool_vtable_t *vtable);

#endif
