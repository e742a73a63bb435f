/* SPDX-License-Identifier: MIT */
/* A program in which a test decides whether threads can be had: threadless.c has a pthread_create() of its own. */
#ifndef THREADLESS_H
#define THREADLESS_H

#include "support.h"

extern _Atomic bool no_threads;
extern _Atomic int thread_tries;

/* Each thread passes it before it begins to run; open at first. */
extern struct gate thread_beginning;

#endif
