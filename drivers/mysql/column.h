/* SPDX-License-Identifier: MIT */
/* A column of a result: the name of its type, and how its values look in JSON. */
#ifndef COLUMN_H
#define COLUMN_H

#include <mysql.h>

/* NUMBER: digits; BITS: bytes that are a number; JSON: as it is; BYTES: "\x" and two digits for each; else a string. */
enum column_kind { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_BITS, COLUMN_JSON, COLUMN_BYTES };

enum column_kind column_kind(const MYSQL_FIELD *field);

const char *column_type(const MYSQL_FIELD *field);

#endif
