/* SPDX-License-Identifier: MIT */
/* What poolctl asks of a process, and the answer: a line of JSON.
 *
 *   report                          all that is exposed
 *   pause|resume|flush|evict ID     a pool by the number that the report gives it
 *   resize ID N
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdbool.h>

#include <pool/pool.h>

bool request_answer(const char *request, pool_bytes_t *answer);

#endif
