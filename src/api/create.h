/* SPDX-License-Identifier: MIT */
#ifndef CREATE_H
#define CREATE_H

#include <stdbool.h>

#include <pool/pool.h>

/* What pool_create() does.  `keyed`: it is one of many, so it is a member of its budget only while it has or wants
   anything. */
int create_pool(const pool_config_t *config, const pool_vtable_t *vtable, void *context, bool keyed, pool_t **out,
                pool_error_t *error);

/* What pool_step_create() does. */
int create_step_pool(const pool_config_t *config, int32_t abilities, bool keyed, pool_t **out, pool_error_t *error);

/* Whether pools of the step API can be made so. */
int create_check_steps(const pool_config_t *config, int32_t abilities, pool_error_t *error);

#endif
