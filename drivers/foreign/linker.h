/* SPDX-License-Identifier: MIT */
/* Finds the libraries of a description and the functions in them, and prepares their calls. */
#ifndef LINKER_H
#define LINKER_H

#include "foreign/description.h"

/* Returns 0, or a code that *error explains.  Libraries stay loaded, for they may have left threads and handlers. */
int linker_find(struct description *description, pool_error_t *error);

#endif
