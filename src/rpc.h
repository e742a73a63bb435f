/* SPDX-License-Identifier: MIT */
#ifndef RPC_H
#define RPC_H

/* The list of calls that may be used again, around a fork. */
void rpc_lock(void);
void rpc_unlock(void);

#endif
