/* SPDX-License-Identifier: MIT */
/* What always holds of a ledger, looked at from outside. */
#ifndef LEDGER_CHECK_H
#define LEDGER_CHECK_H

#include "base/ledger.h"

/* NULL, or what does not hold. */
const char *ledger_check(const struct ledger *ledger);

#endif
