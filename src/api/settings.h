/* SPDX-License-Identifier: MIT */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include <pool/pool.h>

/* Reads a caller's settings (NULL: the defaults) into a full struct; refuses what is wrong,
   naming the field. */
int config_read(pool_config_t *config, const pool_config_t *theirs, pool_error_t *error);

/* A pool could not be made, as was just said: where it was given a name the message begins with that.  Returns the code.
 */
int config_refuse(const pool_config_t *config, int code, pool_error_t *error);

/* Reads a caller's vtable; then fills in what is missing, so that no callback need be tested for NULL. */
int vtable_read(pool_vtable_t *vtable, const pool_vtable_t *theirs, pool_error_t *error);

/* Stands for what a caller of the step API does itself: its callbacks say what there is, and are never called. */
void vtable_of_steps(pool_vtable_t *vtable, int32_t abilities);

void vtable_fill(pool_vtable_t *vtable);

/* What POOL_E_UNSUPPORTED of its go means: a go has no message to say why. */
const char *vtable_refuses_go(const pool_vtable_t *vtable);

/* The context will not be released with the pool. */
void vtable_keep_context(pool_vtable_t *vtable);

/* Whether a pool with these settings may be given another hard cap. */
int config_check_max_open(const pool_config_t *config, int32_t max_open, pool_error_t *error);

/* Whether a pool that runs may have these settings; its vtable is as pool_create() got it. */
int config_check_change(const pool_config_t *config, const pool_vtable_t *vtable, pool_error_t *error);

/* Something that is set and cannot work, from the number `*next` on, which is then that of the next; NULL: there is
   nothing more. */
const char *config_warning(const pool_config_t *config, const pool_vtable_t *vtable, size_t *next);

/* Whether the callbacks that the settings need are there. */
int config_check_vtable(const pool_config_t *config, const pool_vtable_t *vtable, pool_error_t *error);

#endif
