/* SPDX-License-Identifier: MIT */
/* What the snippets of C in the pages take for granted. */
#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <mysql.h>
#include <pool/driver.h>
#include <pool/postgres.h>
#include <pool/redis.h>
#include <pool/tcp.h>
#include <sqlite3.h>

static pool_t *pool;
static pool_error_t error;
static pool_lease_t lease;
static pool_bytes_t reply;
static PGresult *result;
static int64_t deadline_ns;
static size_t size;
static char bytes[100];
