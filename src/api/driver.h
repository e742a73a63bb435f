/* SPDX-License-Identifier: MIT */
#ifndef DRIVER_H
#define DRIVER_H

#include <stdbool.h>

#include <pool/driver.h>

#include "api/search.h"

/* Finds the driver of this name.  False: what was tried is noted. */
bool driver_find(struct search *search, const char *name, pool_driver_t *driver);

/* Lets a driver understand an address, and writes what it made of it into the caller's vtable. */
int driver_prepare(const pool_driver_t *driver, const char *name, const char *address, pool_vtable_t *vtable,
                   void **context, pool_error_t *error);

/* Makes a pool of a driver's connections, which then owns the context; where it fails, the context is freed. */
int driver_create(const pool_config_t *config, const pool_vtable_t *vtable, void *context, pool_t **pool,
                  pool_error_t *error);

#endif
