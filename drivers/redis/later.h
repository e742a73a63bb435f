/* SPDX-License-Identifier: MIT */
/*
 * Asynchronous calls: done one after the other by a thread of the session, which ends when there are no more.
 *
 * The library closes a connection only when its last call is done, and the thread says so last of all.  So it looks for
 * the next call before it reports one, and does not touch the session after its last.
 */
#ifndef LATER_H
#define LATER_H

#include <pool/driver.h>

#include "redis/session.h"

/* As the go of a vtable. */
int later_begin(struct session *session, const char *method, pool_bytes_t args, pool_call_t *call);

#endif
