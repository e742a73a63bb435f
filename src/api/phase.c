/* SPDX-License-Identifier: MIT */
/* What an open is about, as its driver says. */
#include <stddef.h>

#include <pool/pool.h>

#include "run/callback.h"

static _Thread_local struct {
  pool_phase_fn *heard;
  void *user;
} listener;

void pool_phase(const char *name, const char *detail)
{
  if (name)
    callback_note_phase(name);
  if (listener.heard)
    listener.heard(listener.user, name, detail);
}

void pool_phase_listen(pool_phase_fn *heard, void *user)
{
  listener.heard = heard;
  listener.user = user;
}
