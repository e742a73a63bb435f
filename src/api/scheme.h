/* SPDX-License-Identifier: MIT */
#ifndef SCHEME_H
#define SCHEME_H

#include <pool/driver.h>

#include "api/search.h"

/* The driver of a scheme. */
struct scheme {
  char name[SEARCH_NAME_LIMIT + 1]; /* of the driver */
  pool_driver_t driver;
  char *description; /* the file from which `foreign` makes it, to be freed, or NULL */
};

/* Finds the driver of a scheme.  Returns 0, POOL_E_DRIVER or POOL_E_NOMEM. */
int scheme_find(struct scheme *scheme, struct search *search, const char *name, pool_error_t *error);

/* Takes the driver `foreign`, for a URL that names its description itself. */
int scheme_foreign(struct scheme *scheme, struct search *search, pool_error_t *error);

#endif
