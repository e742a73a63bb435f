/* SPDX-License-Identifier: MIT */
/*
 * What a user leaves behind on a connection: seen from the commands, before and after each of them.
 *
 * A trace is set before its command is sent, and taken away when a reply shows that the server has nothing of it any
 * more.  So at any time the traces are at least what is there.
 */
#ifndef TRACES_H
#define TRACES_H

#include <hiredis.h>
#include <stddef.h>

#include <pool/pool.h>

enum traces {
  TRACES_MULTI = 1,    /* a transaction is open */
  TRACES_WATCH = 2,    /* keys are watched */
  TRACES_SELECT = 4,   /* another database may be selected */
  TRACES_NAME = 8,     /* the connection may be called otherwise */
  TRACES_MODE = 16,    /* another user, subscriptions, MONITOR, settings of CLIENT, ...: what RESET alone undoes */
  TRACES_UNSEEN = 32,  /* commands that were not seen, and their replies */
  TRACES_LASTING = 64, /* what nothing undoes: the connection is closed */
  TRACES_REPLICA = 128 /* the server takes no writes, so a new connection may find the new master */
};

/* A command, as its arguments. */
struct command {
  int count;
  const char *const *arguments;
  const size_t *sizes;
};

/* What the command may leave behind, as bits. */
unsigned traces_before(const struct command *command);

/* What is left of the traces after the reply.  `database` is the one to come back to. */
unsigned traces_after(unsigned traces, const struct command *command, const redisReply *reply, const char *database);

/* Whether a command can be sent: one that hiredis can count, with one reply that it understands.  With `call`, only one
   whose reply is the last.  Returns 0 or POOL_E_UNSUPPORTED. */
int traces_admit(const struct command *command, int call, pool_error_t *error);

/* Whether hiredis can count the bytes of a command.  Returns 0 or POOL_E_UNSUPPORTED. */
int traces_measure(const struct command *command, pool_error_t *error);

#endif
