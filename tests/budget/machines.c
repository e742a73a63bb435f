/* SPDX-License-Identifier: MIT */
#include "machines.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"

#define SOCKET_TABLE "/proc/sys/net/ipv4/tcp_child_ehash_entries"

static bool shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool shell(const char *format, ...)
{
  char line[300];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  return system(line) == 0;
}

/* A namespace is there as long as a process is in it. */
static pid_t keep_namespace(void)
{
  int made[2];
  char none;
  must(pipe2(made, O_CLOEXEC) == 0);
  pid_t keeper = fork();
  must(keeper >= 0);
  if (keeper == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    must(unshare(CLONE_NEWNET) == 0);
    close(made[0]);
    close(made[1]);
    for (;;)
      pause();
  }
  close(made[1]);
  must(read(made[0], &none, 1) == 0); /* its end closes: it is in the namespace */
  close(made[0]);
  return keeper;
}

/* A namespace with a small table of sockets, so that the kernel's list of them is quickly read every 10 ms.  Each
   namespace asks it for those that are made from it; an older kernel has one table for all. */
static bool leave_network(void)
{
  for (int i = 0; i < 2; i++) {
    if (unshare(CLONE_NEWNET) != 0)
      return false;
    if (!shell("[ ! -e %s ] || echo 256 >%s", SOCKET_TABLE, SOCKET_TABLE))
      return false;
  }
  return true;
}

static bool join(int index, int keeper)
{
  return shell("ip link add machine%d type veth peer name wire netns %d", index, keeper) &&
         shell("ip addr add 10.77.%d.1/24 dev machine%d && ip link set machine%d up", index, index, index) &&
         shell("nsenter --net=/proc/%d/ns/net sh -c 'ip addr add 10.77.%d.2/24 dev wire && ip link set wire up'",
               keeper, index);
}

static bool make_one(struct machines *machines, int index)
{
  char path[64];
  machines->keeper[index] = keep_namespace();
  machines->count++;
  snprintf(path, sizeof path, "/proc/%d/ns/net", (int)machines->keeper[index]);
  machines->net[index] = open(path, O_RDONLY | O_CLOEXEC);
  must(machines->net[index] >= 0);
  return join(index, (int)machines->keeper[index]);
}

int machines_make(struct machines *machines)
{
  *machines = (struct machines){.why = NULL};
  if (!shell("command -v ip nsenter >/dev/null")) {
    machines->why = "there is no program ip or nsenter (Debian: apt-get install iproute2 util-linux)";
  } else if (!leave_network()) {
    machines->why = strerror(errno);
  } else {
    must(shell("ip link set lo up"));
    for (int i = 0; i < MACHINES && !machines->why; i++)
      if (!make_one(machines, i))
        machines->why = "a pair of interfaces could not be made";
  }
  if (machines->why)
    machines_end(machines);
  return machines->count;
}

void machines_end(struct machines *machines)
{
  for (int i = 0; i < machines->count; i++) {
    close(machines->net[i]);
    kill(machines->keeper[i], SIGKILL);
    waitpid(machines->keeper[i], NULL, 0);
  }
  machines->count = 0;
}
