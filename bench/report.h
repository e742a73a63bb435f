/* SPDX-License-Identifier: MIT */
/* Figures, shown as a table while they come in and written as JSON at the end. */
#ifndef REPORT_H
#define REPORT_H

enum bound_kind { NO_BOUND, AT_MOST, AT_LEAST };

struct bound {
  enum bound_kind kind;
  double limit;
};

void report_begin(void);

void report(const char *name, double value, const char *unit, struct bound bound);

static inline void report_at_most(const char *name, double value, const char *unit, double limit)
{
  report(name, value, unit, (struct bound){AT_MOST, limit});
}

static inline void report_at_least(const char *name, double value, const char *unit, double limit)
{
  report(name, value, unit, (struct bound){AT_LEAST, limit});
}

static inline void report_only(const char *name, double value, const char *unit)
{
  report(name, value, unit, (struct bound){NO_BOUND, 0});
}

/* The median of a contender's rounds, in nanoseconds; JSON has the rounds, in their order, for what compares
 * contenders. */
void report_rounds(const char *contest, const char *contender, const double *ns, int count);

/* Writes what was reported to a file and forgets it.  0, or -1 with errno set. */
int report_write(const char *file);

#endif
