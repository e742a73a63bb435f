/* SPDX-License-Identifier: MIT */
/*
 * A reply as JSON.
 *
 *   integer         the number, exact
 *   string, status  a string; one that is not UTF-8 is {"base64": "..."}
 *   nil             null
 *   array           an array
 *   error           in an array: {"error": "..."}
 */
#ifndef RENDER_H
#define RENDER_H

#include <hiredis.h>

#include <pool/pool.h>

/* Fills in bytes that pool_bytes_free() frees.  Returns 0 or POOL_E_NOMEM. */
int render_reply(const redisReply *reply, pool_bytes_t *json);

#endif
