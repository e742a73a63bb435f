/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_H
#define KEEPER_H

/* What it leaves behind is large, so it comes last. */
void keeper(void);

#endif
