/* SPDX-License-Identifier: MIT */
/* The types that every server has: their numbers, their names, and how their values look in JSON. */
#ifndef TYPE_H
#define TYPE_H

#include <libpq-fe.h>

enum type_kind { TYPE_TEXT, TYPE_NUMBER, TYPE_BOOL, TYPE_JSON };

struct type {
  Oid oid;
  const char *name;
  enum type_kind kind;
};

/* NULL: the type is none of these.  Its values are texts. */
const struct type *type_of(Oid oid);

#endif
