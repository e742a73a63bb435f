/* SPDX-License-Identifier: MIT */
#include "mysql/progress.h"

#include <stddef.h>

#include <pool/pool.h>

static __thread struct {
  const MYSQL *mysql; /* NULL: no log-in is under way */
  enum progress phase;
} progress;

void progress_begin(const MYSQL *mysql)
{
  progress.mysql = mysql;
  progress.phase = PROGRESS_CONNECT;
}

/* A greeting may be there before the library waits for it. */
void progress_reach(enum progress phase)
{
  static const char *const names[] = {"connect", "greeting", "tls", "login"};
  if (!progress.mysql || phase <= progress.phase)
    return;
  if (progress.phase == PROGRESS_CONNECT && phase > PROGRESS_GREETING)
    progress_reach(PROGRESS_GREETING);
  progress.phase = phase;
  pool_phase(names[phase], NULL);
}

void progress_read(void)
{
  if (progress.mysql)
    progress_reach(progress.mysql->server_version ? PROGRESS_LOGIN : PROGRESS_GREETING);
}

const char *progress_end(bool logged_in)
{
  static const char *const doing[] = {NULL, "waiting for the greeting", "TLS handshake", "logging in"};
  if (logged_in)
    progress_reach(PROGRESS_LOGIN);
  progress.mysql = NULL;
  return doing[progress.phase];
}
