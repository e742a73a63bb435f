/* SPDX-License-Identifier: MIT */
/*
 * Which figures there are, and which of them the command line chooses.
 *
 * Every bound on speed is on a ratio to something measured in the same rounds (rounds.h), so that it means the same on
 * any machine.  The times and throughputs beside it are those of this machine and have no bound, except where the time
 * is one of sleeping, not of working.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "cycles.h"
#include "failover.h"
#include "fairness.h"
#include "keeper.h"
#include "lateness.h"
#include "load.h"
#include "memory.h"
#include "policies.h"
#include "report.h"
#include "rounds.h"
#include "scale.h"
#include "spike.h"
#include "tuning.h"

struct tuning tuning = {.rounds = {.count = 15, .ms = 80}, .fair_ms = 3000};

struct figure {
  const char *name;
  void (*measure)(void);
  bool chosen;
};

static struct figure figures[] = {
    {"memory", memory, false},
    {"get_put_1_thread", get_put_1_thread, false},
    {"get_put_2_threads", get_put_2_threads, false},
    {"16_threads_8_connections", crowd, false},
    {"2_threads_1_connection", contended, false},
    {"fairness", fairness, false},
    {"allocations", allocate, false},
    {"timeout_lateness", lateness, false},
    {"policies", policies, false},
    {"spike", spike, false},
    {"failover", failover, false},
    {"keeper", keeper, false},
    {"scale", scale, false},
};

#define FIGURES (sizeof figures / sizeof figures[0])

static void show_usage(FILE *file)
{
  fprintf(file, "usage: bench_core [OPTION]... [FIGURE]...\n"
                "Measures what the pool costs and shows which bounds are met.\n\n"
                "  --json FILE     writes the figures to FILE, too\n"
                "  --rounds N      rounds of each side of a comparison (15)\n"
                "  --round-ms N    length of a round in milliseconds (80)\n"
                "  --seconds N     length of the measurement of fairness (3)\n"
                "  --help          shows this\n\n"
                "Figures, all of them if none is named:\n");
  for (size_t i = 0; i < FIGURES; i++)
    fprintf(file, "  %s\n", figures[i].name);
}

static _Noreturn void refuse(const char *what, const char *text)
{
  fprintf(stderr, "bench_core: %s%s\n\n", what, text);
  show_usage(stderr);
  exit(2);
}

static double number(const char *text, double least, double most)
{
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !(value >= least && value <= most))
    refuse("not a usable number: ", text);
  return value;
}

static void choose(const char *name)
{
  for (size_t i = 0; i < FIGURES; i++)
    if (strcmp(figures[i].name, name) == 0) {
      figures[i].chosen = true;
      return;
    }
  refuse("no such figure: ", name);
}

/* Returns where the JSON goes, or NULL. */
static const char *understand(int argc, char **argv)
{
  static const struct option options[] = {
      {"json", required_argument, NULL, 'j'},     {"rounds", required_argument, NULL, 'r'},
      {"round-ms", required_argument, NULL, 'm'}, {"seconds", required_argument, NULL, 's'},
      {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
  };
  const char *json = NULL;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
    switch (option) {
    case 'j':
      json = optarg;
      break;
    case 'r':
      tuning.rounds.count = (int)number(optarg, 1, 10000);
      break;
    case 'm':
      tuning.rounds.ms = (int64_t)number(optarg, 1, 60000);
      break;
    case 's':
      tuning.fair_ms = (int64_t)(1000 * number(optarg, 0.1, 3600));
      break;
    case 'h':
      show_usage(stdout);
      exit(0);
    default:
      show_usage(stderr);
      exit(2);
    }
  bool all = optind == argc;
  for (size_t i = 0; i < FIGURES; i++)
    figures[i].chosen = all;
  for (int i = optind; i < argc; i++)
    choose(argv[i]);
  return json;
}

int main(int argc, char **argv)
{
  const char *json = understand(argc, argv);
  prctl(PR_SET_TIMERSLACK, 1UL); /* a hold of 1 ms is to last 1 ms */
  struct load before = load_now();
  report_begin();
  for (size_t i = 0; i < FIGURES; i++)
    if (figures[i].chosen)
      figures[i].measure();
  report_only("load_of_others", load_of_others_since(&before), "processors");
  if (json && report_write(json) != 0)
    give_up("cannot write %s", json);
  return 0;
}
