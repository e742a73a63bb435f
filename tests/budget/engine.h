/* SPDX-License-Identifier: MIT */
/* An engine of budgets under test, with a real server: members that ask it, and in what it differs from others. */
#ifndef ENGINE_H
#define ENGINE_H

#include "support.h"

#include <pool/budget.h>

#include "drivers/impostor.h"
#include "drivers/server.h"

#define HOUR_MS  INT64_C(3600000)
#define URL_SIZE 512

/* A URL that is refused with this text. */
struct wrong_url {
  const char *url, *name, *text;
};

/* In what an engine differs.  Each program of tests has one, and its server. */
struct kind {
  const char *scheme; /* and with an 's' behind it that of TLS */
  const char *login;  /* stands before the host in a URL */
  const char *path;   /* before the name of a budget */
  pool_budget_engine_fn *load;
  int64_t gap_ms;               /* between two asks of a member that is alone */
  bool keeps_data;              /* when its server is killed and started */
  const struct wrong_url *urls; /* that are wrong for it alone; one without a URL is behind the last */

  struct server *server;
  const int *port, *tls_port;
  const char *certificate; /* a file: the authority of TLS */

  void (*make)(void);   /* the server, and the test's own connection to it */
  void (*start)(void);  /* again, when it was killed */
  void (*lose)(void);   /* all data is lost, and it runs */
  void (*remove)(void); /* both */

  /* A ledger that has no member, so that it need not learn, and of which many may be told. */
  void *(*open_new)(const char *name, int32_t limit, int64_t term_ms);

  /* What the server has of a ledger, as a text; free() gives it back. */
  char *(*read)(const char *name);

  /* Tells the process that a member was of when it asked last. */
  void (*tell)(const char *name, uint64_t member);

  /* Serves a connection as a server does that lets in everybody, and then tells without a pause what means nothing. */
  void (*flood)(struct impostor *impostor, int connection);

  /* Before a fork, and when the child has ended and both processes have asked: the ledger knows them apart, and the
     parent has its connections. */
  void (*fork_begins)(void);
  void (*fork_ended)(const char *name, uint64_t parent, uint64_t child);

  int (*own_tests)(void); /* returns how many failed */
};

extern const struct kind kind;
extern pool_budget_engine_t engine; /* its functions */

int64_t in_ms(int64_t ms);

/* ---- places ---- */

/* `rest` begins with '&'. */
void url_at(char url[URL_SIZE], int port, const char *name, int32_t limit, const char *rest);
void url_by_tls(char url[URL_SIZE], const char *name, int32_t limit);

void *open_at(const char *url, const char *name, int32_t limit, int64_t term_ms);
void *open_ledger(const char *name, int32_t limit, int64_t term_ms);

/* ---- members ---- */

struct member {
  uint64_t id;
  int32_t open, wants, weight, floor, waiting;
  int64_t waits_ms;
  pool_budget_answer_t told;
};

#define MEMBER(number, ...)                                                                                            \
  ((struct member){                                                                                                    \
      .id = (number), .weight = 1, .waits_ms = -1, .told = {.size = sizeof(pool_budget_answer_t)}, __VA_ARGS__})

int ask(void *ledger, struct member *member, int64_t deadline_ns, pool_error_t *error);

/* Fails the test where ask() fails. */
void sync_one(void *ledger, struct member *member);

/* The same when the server is there again. */
void await_sync(void *ledger, struct member *member);

void leave(void *ledger, uint64_t member);

/* Returns the member that is told next. */
uint64_t wait_told(void *ledger);

/* Of ten permits the first member has all, and the second comes to have five. */
void hand_half_over(void *first, struct member *from, void *second, struct member *to);

/* A ledger of ten permits with one member, which has opened six. */
void *half_open(const char *name, struct member *member, int64_t term_ms);

/* The ledger knows nothing, or what is not certain: nobody gets more than it has, until a term is over. */
void expect_learning(void *ledger, struct member *old);

/* A member that logs in so is refused with this code and text, and the password is not in it.  Returns the code of a
   look, which fails too. */
int expect_no_entry(const char *url, int code, const char *password, const char *text);

/* The texts of a member that was asked for by ask(); adds up what they have open. */
int see(void *user, const pool_budget_member_t *member);

/* ---- tests ---- */

/* A test, after which the server runs, also if it failed. */
#define ENGINE_TEST(name) cmocka_unit_test_teardown(name, engine_recover)
int engine_recover(void **state);

#endif
