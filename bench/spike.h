/* SPDX-License-Identifier: MIT */
#ifndef SPIKE_H
#define SPIKE_H

void spike(void);

#endif
