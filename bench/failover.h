/* SPDX-License-Identifier: MIT */
#ifndef FAILOVER_H
#define FAILOVER_H

void failover(void);

#endif
