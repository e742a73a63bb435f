/* SPDX-License-Identifier: MIT */
/* Puts the parts and parameters of a URL into the calls of a description. */
#ifndef FILLER_H
#define FILLER_H

#include "foreign/description.h"

/* Returns 0, or a code that *error explains.  The URL is that of the description. */
int filler_fill(struct description *description, pool_error_t *error);

/* Whether a text has a password or another secret of the URL in it. */
bool filler_has_secret(const struct description *description, const char *text);

#endif
