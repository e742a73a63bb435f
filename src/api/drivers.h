/* SPDX-License-Identifier: MIT */
#ifndef DRIVERS_H
#define DRIVERS_H

#include <pool/driver.h>

#include "api/search.h"

/* Does what pool_drivers() does, with this search; the path of what is told is search->path. */
int drivers_walk(struct search *search, pool_driver_seen_fn *seen, void *user);

#endif
