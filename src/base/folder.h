/* SPDX-License-Identifier: MIT */
/* The folders where the processes of a user have their sockets: $XDG_RUNTIME_DIR/libpool and /tmp/libpool-UID.  One
   that is not this user's alone is no such folder. */
#ifndef FOLDER_H
#define FOLDER_H

#include <stdbool.h>
#include <stddef.h>

enum folder { FOLDER_RUNTIME, FOLDER_TMP, FOLDERS };

/* Opens a folder, which is made before if `make` is set.  Returns a descriptor, or -1: `problem` says why not, and what
   to do; it is "" where there is no such folder. */
int folder_open(enum folder folder, bool make, char *problem, size_t room);

#endif
