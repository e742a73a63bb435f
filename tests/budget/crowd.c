/* SPDX-License-Identifier: MIT */
#include "crowd.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define PATIENCE_NS (LONG_NS / 3) /* with one that closes its pools */

static void become(int net, const char *const *arguments, int in, int out)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  if (net < 0 || setns(net, CLONE_NEWNET) == 0)
    execv(arguments[0], (char *const *)(uintptr_t)arguments);
  _exit(127);
}

/* ---- what it says ---- */

/* False: it has ended, or is silent. */
static bool read_byte(struct process *process, char *byte, int64_t until_ns)
{
  struct pollfd answer = {.fd = process->out, .events = POLLIN};
  int64_t left_ns = until_ns - now_ns();
  process->silent = left_ns <= 0 || poll(&answer, 1, (int)(left_ns / 1000000) + 1) == 0;
  return !process->silent && read(process->out, byte, 1) == 1;
}

/* What comes until the line is at its end; a line without an end is one that was not said. */
static void read_line(struct process *process, char *line, size_t size, int64_t patience_ns)
{
  size_t length = 0;
  int64_t until_ns = now_ns() + patience_ns;
  while (length + 1 < size && read_byte(process, &line[length], until_ns))
    if (line[length++] == '\n')
      break;
  line[length] = 0;
}

static const char *state_of(const struct process *process)
{
  return process->silent ? "is silent" : "has ended or says something else";
}

static void expect_line(struct process *process, const char *line)
{
  char text[512];
  read_line(process, text, sizeof text, LONG_NS);
  if (strcmp(text, line) != 0)
    fail_msg("a member %s: %s", state_of(process), text);
}

/* ---- its life ---- */

void process_start(struct process *process, int net, const char *const *arguments)
{
  int in[2], out[2];
  must(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
  process->id = fork();
  must(process->id >= 0);
  if (process->id == 0)
    become(net, arguments, in[0], out[1]);
  close(in[0]);
  close(out[1]);
  *process = (struct process){.id = process->id, .in = in[1], .out = out[0]};
}

static void await_ready(struct process *process)
{
  if (!process->ready)
    expect_line(process, "ready\n");
  process->ready = true;
}

void process_tell(struct process *process, const char *format, ...)
{
  va_list arguments;
  await_ready(process);
  va_start(arguments, format);
  vdprintf(process->in, format, arguments);
  va_end(arguments);
  dprintf(process->in, "\n");
  expect_line(process, "done\n");
}

bool process_says(struct process *process, int pool, int64_t patience_ns, struct said *said)
{
  char line[200];
  long long values[5];
  dprintf(process->in, "stats %d\n", pool);
  read_line(process, line, sizeof line, patience_ns);
  if (sscanf(line, "%lld %lld %lld %lld %lld", &values[0], &values[1], &values[2], &values[3], &values[4]) != 5)
    return false;
  *said = (struct said){values[0], values[1], values[2], values[3], values[4]};
  return true;
}

struct said process_ask(struct process *process, int pool)
{
  struct said said = {0};
  await_ready(process);
  if (!process_says(process, pool, LONG_NS, &said))
    fail_msg("a member has no statistics, for it %s", state_of(process));
  return said;
}

static void forget(struct process *process)
{
  close(process->out);
  process->id = 0;
}

void process_signal(struct process *process, int signal)
{
  kill(process->id, signal);
  process->stopped = signal == SIGSTOP;
  if (signal != SIGKILL)
    return;
  waitpid(process->id, NULL, 0);
  close(process->in);
  forget(process);
}

/* ---- the end of all ---- */

/* It has no more input then.  One that was stopped goes on. */
static void let_end(struct process *process)
{
  close(process->in);
  kill(process->id, process->silent ? SIGKILL : SIGCONT);
}

static bool has_ended(const struct process *process, int64_t until_ns)
{
  while (waitpid(process->id, NULL, WNOHANG) != process->id) {
    if (now_ns() > until_ns)
      return false;
    pause_briefly();
  }
  return true;
}

int processes_end(struct process *processes, int count)
{
  int killed = 0;
  int64_t until_ns = now_ns() + PATIENCE_NS;
  for (int i = 0; i < count; i++)
    if (processes[i].id)
      let_end(&processes[i]);
  for (int i = 0; i < count; i++) {
    if (processes[i].id == 0)
      continue;
    killed += processes[i].silent;
    if (!has_ended(&processes[i], until_ns)) {
      kill(processes[i].id, SIGKILL);
      waitpid(processes[i].id, NULL, 0);
      killed++;
    }
    forget(&processes[i]);
  }
  return killed;
}
