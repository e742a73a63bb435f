/* SPDX-License-Identifier: MIT */
/* Contracts that run: what holds whatever a program does.  A developers' build (POOL_DEVELOPER) aborts where something
   does not hold.  Of others they are no part: not an instruction, nor a member of a struct. */
#ifndef CONTRACT_H
#define CONTRACT_H

#ifdef POOL_CONTRACTS
#undef NDEBUG
#include <assert.h>
#define assert_that(condition) assert(condition)
#else
/* Not evaluated, but used: what is read for it alone gives no warning. */
#define assert_that(condition) ((void)sizeof(!(condition)))
#endif

#endif
