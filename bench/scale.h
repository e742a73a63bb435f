/* SPDX-License-Identifier: MIT */
#ifndef SCALE_H
#define SCALE_H

void scale(void);

#endif
