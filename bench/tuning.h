/* SPDX-License-Identifier: MIT */
/* What the command line decides. */
#ifndef TUNING_H
#define TUNING_H

#include <stdint.h>

#include "rounds.h"

struct tuning {
  struct rounds rounds;
  int64_t fair_ms;
};

extern struct tuning tuning;

#endif
