/* SPDX-License-Identifier: MIT */
/* The engines of this machine: ledgers of `process:` in memory, and those of `host:` in memory that the processes of
   one user share. */
#ifndef LOCAL_H
#define LOCAL_H

#include <pool/budget.h>

extern const pool_budget_engine_t local_process, local_host;

#endif
