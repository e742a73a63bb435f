/* SPDX-License-Identifier: MIT */
/* Distrust: one connection that broke or failed its check says something about the others. */
#ifndef SUSPECT_H
#define SUSPECT_H

#include <stdbool.h>
#include <stdint.h>

struct step;
struct pool;

/* One connection was found dead.  Those that were suspect as well are taken for dead, because to check them one by
   one would cost one get after the other; the others are suspect from now on.  What was opened after the check
   began is spared: the server was there again by then. */
void suspect_condemn(struct pool *pool, int64_t newest, struct step *step);

/* Suspects all idle connections of a pool: they are checked before they are lent. */
void suspect_all(struct pool *pool, struct step *step);

/* Asks for the check of an idle connection in the background.  False: none needs one that is not asked for yet. */
bool suspect_next(struct pool *pool, struct step *step);

#endif
