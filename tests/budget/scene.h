/* SPDX-License-Identifier: MIT */
/*
 * The scene of the tests of a fleet: processes that share a budget and use a real PostgreSQL, whose connections are
 * counted every 10 ms.  The server itself takes more than the budget has, so that a mistake is seen and not hidden.
 *
 * Times are printed and not asserted: the machine may be busy.  What is asserted is the sum, and what comes in the end.
 */
#ifndef SCENE_H
#define SCENE_H

#include "support.h"

#include "census.h"
#include "crowd.h"
#include "drivers/etcd_server.h"
#include "drivers/postgres_server.h"
#include "drivers/redis_server.h"
#include "machines.h"

#define FEW      12 /* the limit of tests with few members */
#define URL_SIZE 1024

enum scene_ledger { SCENE_HOST, SCENE_REDIS, SCENE_ETCD };

struct scene {
  enum scene_ledger ledger;
  const char *const *programs; /* the members: first the one in C, which can do most */
  int languages;
  int term_ms; /* 1000, unless a test sets another before its members start */
  struct postgres postgres;
  struct redis redis;
  struct etcd etcd;
  struct machines machines;
  struct census census;
  struct process crowd[CROWD_MOST];
};

extern struct scene scene;

/* Takes host|redis|etcd and the members from the command line, and starts the servers.  False: the line is wrong, which
   it has said. */
bool scene_begin(int argc, char **argv);
void scene_end(void);

/* Ends all members, also after a test that failed.  One that does not obey is killed, and that is a failure. */
int scene_clear(void **state);

/* Runs tests up to the first that fails, for after that the ledger, the members and the network are in no known state.
   Returns how many failed. */
int scene_run(const struct CMUnitTest *tests, int count);

const char *scene_name(void); /* of the ledger */
int scene_port(void);         /* of the ledger's server */

/* `rest` of the budget's URL and `settings` of the pool begin with '&'.  No budget: a pool without one. */
void scene_budget_url(char url[URL_SIZE], const char *address, int port, const char *name, int limit, const char *rest);
void scene_pool_url(char url[URL_SIZE], const char *address, const char *budget, const char *settings);

/* A member in C, with the ledger at a port of its own choice, or at that of the server. */
void scene_start(int index, const char *name, int limit, const char *rest, const char *settings);
void scene_start_at(int index, int port, const char *name, const char *rest, const char *settings);
void scene_start_all(int count, const char *name, int limit, const char *rest);

void scene_demand(int index, int users);
int64_t scene_open(int index);
int64_t scene_sum(int from, int to);

/* ---- what is counted ---- */

void scene_expect_never_above(int limit);
void scene_await_sum(int sum);
void scene_say(const char *what, int64_t since_ns);

/* ---- the ledger's server ---- */

void scene_kill_ledger(void);
void scene_start_ledger(void);
bool scene_are_cut_off(int from, int to, int64_t cut_off);
void scene_run_for_terms(int terms);

#endif
