/* SPDX-License-Identifier: MIT */
/* The command line of a command, read by argp. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

struct arguments {
  bool json, once, plain, alone;
  char *url;          /* a copy; NULL: the command has none */
  const char *sort;   /* a column of top */
  const char *method; /* that bench calls in each use, and with what; NULL: it only borrows */
  const char *with;
  int64_t threads, duration_ms, hold_us, interval_ms, timeout_ms, rows;
  int64_t stuck_ms;     /* 0: not said */
  const char *words[3]; /* behind the URL */
  int count;
};

/* What a command accepts. */
struct command {
  const char *name;
  const char *words;                             /* behind the options, for the help */
  const char *summary;                           /* a few words */
  const char *help;                              /* a sentence */
  const char *options;                           /* their letters, as in arguments.c */
  bool wants_url;                                /* before the words */
  int least, most;                               /* so many words */
  int (*run)(const struct arguments *arguments); /* returns EXIT_* */
};

/* Reads the command line behind the command's name.  Ends the program with EXIT_USAGE where it is wrong, and with
   EXIT_OK after --help.  What was a URL in argv is overwritten. */
void arguments_read(const struct command *command, int count, char **argv, struct arguments *arguments);
void arguments_free(struct arguments *arguments);

#endif
