/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rounds.h"

static double seconds(struct timeval time)
{
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

struct load load_now(void)
{
  long long user, nice, system, idle, iowait, irq, softirq, steal;
  FILE *file = fopen("/proc/stat", "r");
  if (!file || fscanf(file, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &user, &nice, &system, &idle, &iowait, &irq,
                      &softirq, &steal) != 8)
    give_up("cannot read /proc/stat");
  fclose(file);
  struct rusage own;
  getrusage(RUSAGE_SELF, &own);
  return (struct load){
      .time_s = (double)now_ns() / 1e9,
      .used_s = (double)(user + nice + system + irq + softirq + steal) / (double)sysconf(_SC_CLK_TCK),
      .own_s = seconds(own.ru_utime) + seconds(own.ru_stime),
  };
}

double load_of_others_since(const struct load *before)
{
  struct load now = load_now();
  double others = (now.used_s - before->used_s) - (now.own_s - before->own_s);
  return others > 0 ? others / (now.time_s - before->time_s) : 0;
}
