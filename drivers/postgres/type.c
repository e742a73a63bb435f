/* SPDX-License-Identifier: MIT */
#include "postgres/type.h"

#include <stddef.h>
#include <stdlib.h>

/* Ordered by number. */
static const struct type types[] = {
    {16, "bool", TYPE_BOOL},
    {17, "bytea", TYPE_TEXT},
    {18, "char", TYPE_TEXT},
    {19, "name", TYPE_TEXT},
    {20, "int8", TYPE_NUMBER},
    {21, "int2", TYPE_NUMBER},
    {23, "int4", TYPE_NUMBER},
    {24, "regproc", TYPE_TEXT},
    {25, "text", TYPE_TEXT},
    {26, "oid", TYPE_NUMBER},
    {27, "tid", TYPE_TEXT},
    {28, "xid", TYPE_NUMBER},
    {29, "cid", TYPE_NUMBER},
    {114, "json", TYPE_JSON},
    {142, "xml", TYPE_TEXT},
    {199, "json[]", TYPE_TEXT},
    {600, "point", TYPE_TEXT},
    {601, "lseg", TYPE_TEXT},
    {602, "path", TYPE_TEXT},
    {603, "box", TYPE_TEXT},
    {604, "polygon", TYPE_TEXT},
    {628, "line", TYPE_TEXT},
    {650, "cidr", TYPE_TEXT},
    {700, "float4", TYPE_NUMBER},
    {701, "float8", TYPE_NUMBER},
    {705, "unknown", TYPE_TEXT},
    {718, "circle", TYPE_TEXT},
    {774, "macaddr8", TYPE_TEXT},
    {790, "money", TYPE_TEXT},
    {829, "macaddr", TYPE_TEXT},
    {869, "inet", TYPE_TEXT},
    {1000, "bool[]", TYPE_TEXT},
    {1001, "bytea[]", TYPE_TEXT},
    {1003, "name[]", TYPE_TEXT},
    {1005, "int2[]", TYPE_TEXT},
    {1007, "int4[]", TYPE_TEXT},
    {1009, "text[]", TYPE_TEXT},
    {1014, "bpchar[]", TYPE_TEXT},
    {1015, "varchar[]", TYPE_TEXT},
    {1016, "int8[]", TYPE_TEXT},
    {1021, "float4[]", TYPE_TEXT},
    {1022, "float8[]", TYPE_TEXT},
    {1028, "oid[]", TYPE_TEXT},
    {1042, "bpchar", TYPE_TEXT},
    {1043, "varchar", TYPE_TEXT},
    {1082, "date", TYPE_TEXT},
    {1083, "time", TYPE_TEXT},
    {1114, "timestamp", TYPE_TEXT},
    {1115, "timestamp[]", TYPE_TEXT},
    {1182, "date[]", TYPE_TEXT},
    {1183, "time[]", TYPE_TEXT},
    {1184, "timestamptz", TYPE_TEXT},
    {1185, "timestamptz[]", TYPE_TEXT},
    {1186, "interval", TYPE_TEXT},
    {1231, "numeric[]", TYPE_TEXT},
    {1266, "timetz", TYPE_TEXT},
    {1560, "bit", TYPE_TEXT},
    {1562, "varbit", TYPE_TEXT},
    {1700, "numeric", TYPE_NUMBER},
    {2205, "regclass", TYPE_TEXT},
    {2206, "regtype", TYPE_TEXT},
    {2249, "record", TYPE_TEXT},
    {2278, "void", TYPE_TEXT},
    {2950, "uuid", TYPE_TEXT},
    {2951, "uuid[]", TYPE_TEXT},
    {3220, "pg_lsn", TYPE_TEXT},
    {3614, "tsvector", TYPE_TEXT},
    {3615, "tsquery", TYPE_TEXT},
    {3802, "jsonb", TYPE_JSON},
    {3807, "jsonb[]", TYPE_TEXT},
    {3904, "int4range", TYPE_TEXT},
    {3906, "numrange", TYPE_TEXT},
    {3908, "tsrange", TYPE_TEXT},
    {3910, "tstzrange", TYPE_TEXT},
    {3912, "daterange", TYPE_TEXT},
    {3926, "int8range", TYPE_TEXT},
    {4072, "jsonpath", TYPE_TEXT},
    {5069, "xid8", TYPE_NUMBER},
};

static int compare(const void *oid, const void *type)
{
  Oid one = *(const Oid *)oid, other = ((const struct type *)type)->oid;
  return (one > other) - (one < other);
}

const struct type *type_of(Oid oid)
{
  return bsearch(&oid, types, sizeof types / sizeof *types, sizeof *types, compare);
}
