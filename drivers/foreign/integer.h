/* SPDX-License-Identifier: MIT */
/* Whole numbers from the least of int64 to the most of uint64. */
#ifndef INTEGER_H
#define INTEGER_H

#include <stdbool.h>
#include <stdint.h>

struct integer {
  uint64_t magnitude;
  bool negative; /* never with a magnitude of 0 */
};

#define INTEGER_LEAST ((struct integer){(uint64_t)1 << 63, true})
#define INTEGER_MOST  ((struct integer){UINT64_MAX, false})

static inline struct integer integer_signed(int64_t number)
{
  return (struct integer){number < 0 ? -(uint64_t)number : (uint64_t)number, number < 0};
}

static inline struct integer integer_unsigned(uint64_t number)
{
  return (struct integer){number, false};
}

/* Below 0, 0, or above 0: as a is less than, equal to, or more than b. */
static inline int integer_compare(struct integer a, struct integer b)
{
  if (a.negative != b.negative)
    return a.negative ? -1 : 1;
  int order = (a.magnitude > b.magnitude) - (a.magnitude < b.magnitude);
  return a.negative ? -order : order;
}

/* In two's complement. */
static inline uint64_t integer_bits(struct integer integer)
{
  return integer.negative ? -integer.magnitude : integer.magnitude;
}

static inline double integer_real(struct integer integer)
{
  return integer.negative ? -(double)integer.magnitude : (double)integer.magnitude;
}

/* Reads decimal or, after 0x, hexadecimal digits with or without '-'.  False: the text is no such number. */
bool integer_read(struct integer *integer, const char *text);

/* As a text, in a buffer of the caller. */
#define INTEGER_ROOM 24
const char *integer_text(struct integer integer, char room[INTEGER_ROOM]);

#endif
