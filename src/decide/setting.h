/* SPDX-License-Identifier: MIT */
/* A setting that pool_set() may change while other threads read it: read so wherever the pool's lock is not held. */
#ifndef SETTING_H
#define SETTING_H

#define setting_now(member) __atomic_load_n(&(member), __ATOMIC_RELAXED)

#endif
