/* SPDX-License-Identifier: MIT */
/* poolctl: pools for people.  One function for each command. */
#include <argp.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <pool/pool.h>

#include "arguments.h"
#include "base/near.h"
#include "commands.h"
#include "say.h"

static const struct command commands[] = {
    {"call", "[URL] METHOD [ARGS]", "Call a method of a server",
     "Opens a connection, calls METHOD with ARGS in the notation of the URL's driver, and prints the reply.", "jut",
     true, 1, 2, call_run},
    {"bench", "[URL]", "Measure a pool, and the same without one",
     "Lets threads borrow connections of a pool, then open one for each use without a pool, and shows how long each "
     "waited.",
     "jutTdHmwo", true, 0, 0, bench_run},
    {"check", "[URL]", "Try a server step by step",
     "Opens a connection, checks, resets and closes it, and says how long each step took.", "jut", true, 0, 0,
     check_run},
    {"drivers", "", "List the drivers that are found",
     "Lists the drivers that are found, where they are, and what is wrong with each.", "j", false, 0, 0, drivers_run},
    {"settings", "[NAME]", "List the settings of a pool",
     "Lists the settings of a pool, which a URL sets by pool.NAME=VALUE.", "j", false, 0, 1, settings_run},
    {"top", "", "Watch the pools of running processes",
     "Shows the pools of running processes that expose them: POOL_EXPOSE=1 in their environment, or pool_expose().",
     "j1pisn", false, 0, 0, top_run},
    {"budget", "[URL]", "Watch the members of a budget",
     "Shows the members that share the limit of URL, host:NAME or redis://HOST:PORT/DB/NAME, and what each has and "
     "wants.",
     "ju1pi", true, 0, 0, budget_run},
    {"pause", "PID[/POOL]", "Lend no more connections", "Lends no more connections until `poolctl resume`.", "j", false,
     1, 1, pause_run},
    {"resume", "PID[/POOL]", "Lend again", "Takes one pause back; after the last, waiters are served.", "j", false, 1,
     1, resume_run},
    {"flush", "PID[/POOL]", "Close all connections",
     "Closes all connections: idle ones now, others when they are put back.", "j", false, 1, 1, flush_run},
    {"evict", "PID[/POOL]", "End all waits", "Ends the waits of all that wait for a connection now.", "j", false, 1, 1,
     evict_run},
    {"resize", "PID[/POOL] N", "Allow N connections", "Changes how many connections there may be; 0 means no limit.",
     "j", false, 2, 2, resize_run},
    {"health", "POOL | PID[/POOL]", "Healthy, busy, stuck or down",
     "Says how a pool is, without taking a connection, for the probes of orchestrators. Ends with 0 where all that are "
     "meant are healthy or busy, 4 where one is stuck, 5 where one is down.",
     "ja", false, 1, 1, health_run},
};

#define COMMANDS (sizeof commands / sizeof *commands)

static void print_help(FILE *stream)
{
  fputs("Usage: poolctl COMMAND [OPTION...] [ARGUMENT...]\n\n", stream);
  for (size_t i = 0; i < COMMANDS; i++)
    fprintf(stream, "  %-9s %-20s %s\n", commands[i].name, commands[i].words, commands[i].summary);
  fputs("\n`poolctl COMMAND --help` has the options of a command, and poolctl(1) everything.\n", stream);
}

static int refuse(const char *name)
{
  char shown[SAY_WORD_ROOM];
  struct near near = near_begin(name);
  for (size_t i = 0; i < COMMANDS; i++)
    near_look(&near, commands[i].name);
  return say_failure(EXIT_USAGE, "there is no command \"%s\"%s%s; `poolctl --help` lists them", say_word(shown, name),
                     near.found ? "; did you mean " : "", near.found ? near.found : "");
}

static int run(const struct command *command, int count, char **argv)
{
  struct arguments arguments;
  arguments_read(command, count, argv, &arguments);
  int code = command->run(&arguments);
  arguments_free(&arguments);
  return say_finish(code);
}

/* A stream that is closed stays unusable: a socket in its place would take to a server what is printed. */
static void occupy_standard_streams(void)
{
  int descriptor;
  do
    descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
  while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  close(descriptor);
}

int main(int count, char **argv)
{
  occupy_standard_streams();
  setlocale(LC_ALL, "");
  setlocale(LC_NUMERIC, "C"); /* a decimal comma is not JSON's */
  argp_err_exit_status = EXIT_USAGE;
  if (count < 2) {
    print_help(stderr);
    return EXIT_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0)
    print_help(stdout);
  else if (strcmp(name, "--version") == 0)
    printf("poolctl %s\n", pool_version());
  else {
    for (size_t i = 0; i < COMMANDS; i++)
      if (strcmp(name, commands[i].name) == 0)
        return run(&commands[i], count - 1, argv + 1);
    return refuse(name);
  }
  return say_finish(EXIT_OK);
}
