/* SPDX-License-Identifier: MIT */
/* Memory that is used up when a test says so, in programs that are linked with pool_test_memory. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>

/* Of the allocations of this thread that follow, so many succeed, and the next one fails; -1: all succeed. */
void memory_fail_after(int count);

/* Whether that one has come; and all succeed again. */
bool memory_has_failed(void);

#endif
