/* SPDX-License-Identifier: MIT */
/* What the host of dlopen_test.c knows of a plugin: the function `plugin` gives this. */
#ifndef PLUGIN_H
#define PLUGIN_H

#include <stdint.h>

struct plugin {
  /* Makes the plugin's pool, whose keeper has something to do all the time.  0 or an error. */
  int (*begin)(void);
  /* Gets a connection, looks whether it is one of this plugin, and puts it back, so often; returns what went wrong. */
  int (*use)(int rounds);
  /* How often the keeper has had a connection checked. */
  int (*checks)(void);
  int64_t (*take)(void);
  int (*give)(int64_t lease);
  /* Whether the library of this plugin knows a lease. */
  int (*knows)(int64_t lease);
  /* Closes the pool and waits for the last connection and thread of it; returns what went wrong. */
  int (*end)(void);
};

typedef const struct plugin *plugin_fn(void);

#endif
