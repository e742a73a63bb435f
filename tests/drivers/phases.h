/* SPDX-License-Identifier: MIT */
/* The phases of opens, as a driver says them and as `poolctl check` shows them: words with a space between, and "!"
   behind one that failed. */
#ifndef PHASES_H
#define PHASES_H

/* The first connection of a pool by this URL is opened in these phases: "connect! connect tls login". */
void phases_expect(const char *url, const char *expected);

/* A server is silent: an open that passes its deadline says this. */
void phases_expect_late(const char *url, const char *text);

/* Runs the program POOLCTL, an environment variable: `poolctl check` of a URL shows these steps: "prepare connect open
   check reset close".  Without the variable it says that poolctl was not built. */
void phases_expect_check(const char *url, const char *expected);

/* The same with a server that is silent. */
void phases_expect_late_check(const char *url, const char *expected);

#endif
