/* SPDX-License-Identifier: MIT */
/*
 * The search for the files of drivers: in which folders, and what was wrong with each file.
 *
 * A search is not on the stack: that may be as small as PTHREAD_STACK_MIN, and the loader needs it.
 */
#ifndef SEARCH_H
#define SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include <pool/driver.h>

#define SEARCH_NAME_LIMIT 32 /* of a driver's name */

/* How the file of a budget's engine begins; it lies beside the drivers, and is none. */
#define SEARCH_ENGINE "pool-budget-"

struct search {
  char path[4096];  /* of the file that is being looked at */
  char why[256];    /* what is wrong with it */
  char tried[1024]; /* each file and what is wrong with it, with "; " before it */
};

/* Letters, digits, '-' and '_'; of a driver's name no more than there may be. */
bool search_is_word(const char *word, size_t length);
bool search_is_name(const char *name, size_t length);

/* Calls `visit` with each folder, in order, until it says true.  Returns whether it did. */
bool search_folders(bool (*visit)(void *data, const char *folder, size_t length), void *data);

/* Names the file FOLDER/BEFORE NAME AFTER.  False, and there is a note: the path is too long. */
bool search_at(struct search *search, const char *folder, size_t length, const char *before, const char *name,
               const char *after);

/* Whether search->path is a file that can be read, with the rights that the loader has.  False: search->why. */
bool search_may_read(struct search *search);

/* Loads the driver of that name from search->path.  False: search->why. */
bool search_load(struct search *search, const char *name, pool_driver_t *driver);

/* Loads search->path and finds what it exports as BEFORE NAME, with '_' for '-'.  NULL: search->why. */
void *search_symbol(struct search *search, const char *before, const char *name);

/* Notes that the file cannot be used, and why. */
void search_note(struct search *search);

#endif
