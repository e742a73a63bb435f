/* SPDX-License-Identifier: MIT */
/* The rows of settings.def as the members of pool_config_t. */
#ifndef MEMBER_H
#define MEMBER_H

#include <pool/config.h>

#include "api/row.h"

extern const struct setting_row member_rows[];
extern const int32_t member_count;

/* What each setting is where nobody sets it. */
extern const pool_config_t member_defaults;

/* NULL: no setting has this name. */
const struct setting_row *member_find(const char *name);

/* The value of a setting that is no text. */
int64_t member_get(const pool_config_t *config, const struct setting_row *row);

void member_put(pool_config_t *config, const struct setting_row *row, int64_t value);

/* The same of a setting that is a text; the text itself is not copied. */
const char *member_get_text(const pool_config_t *config, const struct setting_row *row);
void member_put_text(pool_config_t *config, const struct setting_row *row, const char *text);

/* Refuses a value that a setting may not have: the code, and the message says what it may be. */
int member_check(const struct setting_row *row, int64_t value, pool_error_t *error);

/* The same for each setting of a full struct. */
int member_check_all(const pool_config_t *config, pool_error_t *error);

#endif
