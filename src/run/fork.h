/* SPDX-License-Identifier: MIT */
/* What becomes of all pools in a fork. */
#ifndef FORK_H
#define FORK_H

/* 0, or an errno: forks cannot be watched, and no pool may be made. */
int fork_watch_error(void);

#endif
