/* SPDX-License-Identifier: MIT */
#include "support/phase.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <pool/pool.h>

void phase_connect(const char *digits, const char *port)
{
  char text[128];
  bool colons = strchr(digits, ':'); /* IPv6 */
  snprintf(text, sizeof text, "%s%.64s%s%s%.8s", colons ? "[" : "", digits, colons ? "]" : "", *port ? ":" : "", port);
  pool_phase("connect", text);
}
