/* SPDX-License-Identifier: MIT */
#ifndef FAIRNESS_H
#define FAIRNESS_H

void fairness(void);

#endif
