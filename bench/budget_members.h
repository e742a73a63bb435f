/* SPDX-License-Identifier: MIT */
#ifndef BUDGET_MEMBERS_H
#define BUDGET_MEMBERS_H

/* What a budget costs its members: `reach` names the figures, and `asked_ms` is the most that a permit may take from
   one process to another.  The URL has everything but the name. */
void measure_members(const char *reach, const char *url, double asked_ms);

#endif
