/* SPDX-License-Identifier: MIT */
#include "lend.h"

#include "arguments.h"
#include "say.h"

int lend_open(const struct arguments *arguments, int32_t most, pool_t **pool, pool_error_t *error)
{
  pool_config_t config = POOL_CONFIG_INIT;
  config.max_open = most;
  config.get_timeout_ms = arguments->timeout_ms;
  config.call_timeout_ms = arguments->timeout_ms;
  return pool_open_with(&config, arguments->url, pool, error);
}

int lend_exit_code(int code)
{
  return code == POOL_E_DRIVER ? EXIT_ABSENT : code == POOL_E_INVALID ? EXIT_USAGE : EXIT_FAILED;
}
