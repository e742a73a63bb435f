/* SPDX-License-Identifier: MIT */
/* The script that keeps a ledger, which the server has or is given. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "budget-redis/place.h"
#include "redis/session.h"

#define SCRIPT_WORDS 16 /* the most */

/* What the script is to do.  Words of the size 0 end with a zero byte. */
struct script_words {
  int count;
  const char *word[SCRIPT_WORDS];
  size_t size[SCRIPT_WORDS];
};

/* Runs it.  Returns 0; POOL_E_INVALID: the keys are no ledger; POOL_E_REMOTE with the server's text; or the codes of
   line_ask().  Where another server of a cluster has the ledger, the place says so then, and the line counts as broken.
 */
int script_run(struct session *line, struct place *place, const struct script_words *words, redisReply **reply,
               int64_t deadline_ns, pool_error_t *error);

#endif
