/* SPDX-License-Identifier: MIT */
/* A function for each command; it returns how poolctl ends. */
#ifndef COMMANDS_H
#define COMMANDS_H

struct arguments;

int call_run(const struct arguments *arguments);
int bench_run(const struct arguments *arguments);
int check_run(const struct arguments *arguments);
int drivers_run(const struct arguments *arguments);
int settings_run(const struct arguments *arguments);
int budget_run(const struct arguments *arguments);
int top_run(const struct arguments *arguments);
int pause_run(const struct arguments *arguments);
int resume_run(const struct arguments *arguments);
int flush_run(const struct arguments *arguments);
int evict_run(const struct arguments *arguments);
int resize_run(const struct arguments *arguments);
int health_run(const struct arguments *arguments);

#endif
