/* SPDX-License-Identifier: MIT */
/* Calls a function of a library. */
#ifndef PERFORMER_H
#define PERFORMER_H

#include <stdint.h>

#include "foreign/description.h"

/* What the calls of one open, check, reset or close share. */
struct frame {
  union value variables[DESCRIPTION_VARIABLES];
  int64_t deadline_ns;
};

/* Makes a call, and stores its result, also in the variable that it is for. */
void performer_call(const struct call *call, struct frame *frame, const struct description *description,
                    union value *result);

#endif
