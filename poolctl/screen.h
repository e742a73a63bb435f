/* SPDX-License-Identifier: MIT */
/* The live view of top on a terminal. */
#ifndef SCREEN_H
#define SCREEN_H

#include "arguments.h"
#include "view.h"

int screen_run(const struct arguments *arguments, enum view_column column);

#endif
