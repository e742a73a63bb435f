/* SPDX-License-Identifier: MIT */
/*
 * What a good result is.
 *
 *   is 0   is not -1   is 0 or 5..6   is null   is not null   is true   is false   >= 0   > 0   <= 0   < 0   ignored
 *
 * Behind it may stand `else "TEXT"`: what is said of another result.
 */
#ifndef JUDGEMENT_H
#define JUDGEMENT_H

#include "foreign/cursor.h"

/* Whether one is next. */
bool judgement_is_next(const struct cursor *cursor);

/* Reads one for results of a type. */
bool judgement_read(struct cursor *cursor, struct judgement *judgement, const struct type *type);

/* Whether a result is good. */
bool judgement_passes(const struct judgement *judgement, const struct type *type, const union value *value);

#endif
