/* SPDX-License-Identifier: MIT */
/* What poolctl says, and how it ends. */
#ifndef SAY_H
#define SAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

/* How poolctl ends; poolctl(1) has the same list. */
enum {
  EXIT_OK = 0,
  EXIT_FAILED = 1, /* a server, a pool or a process said no */
  EXIT_USAGE = 2,  /* the command line is wrong */
  EXIT_ABSENT = 3, /* there is no such driver, process or pool */
  EXIT_STUCK = 4,  /* of health: a pool is stuck */
  EXIT_DOWN = 5    /* of health: a pool is down */
};

/* A line for people on stderr: what went wrong, and what to do.  Returns the code. */
int say_failure(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether a stream is a terminal on which a line can be written over. */
bool say_may_move(FILE *stream);

/* Whether a stream may have colours: such a terminal, and the user has not set NO_COLOR. */
bool say_may_colour(FILE *stream);

/* A document on stdout, which is freed.  Returns EXIT_OK, or EXIT_FAILED with a word on stderr. */
int say_json(json_t *document);

/* Everything that was printed has arrived; else EXIT_FAILED with a word on stderr, and `code` is forgotten. */
int say_finish(int code);

/* A word of the command line as messages quote it: of a URL, which may hold a password, its scheme alone.  Returns the
   text. */
#define SAY_WORD_ROOM 61
const char *say_word(char text[SAY_WORD_ROOM], const char *word);

/* A time in at most nine columns: "1.23 ms".  Returns the text. */
#define SAY_TIME_ROOM 16
const char *say_time(char text[SAY_TIME_ROOM], int64_t ns);

#endif
