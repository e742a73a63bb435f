/* SPDX-License-Identifier: MIT */
#include "mysql/handshake.h"

#include <mysql/plugin_auth.h>
#include <stdlib.h>
#include <string.h>

#include "mysql/limit.h"
#include "mysql/progress.h"

static __thread struct {
  bool under_way;
  const char *host;
  enum options_ssl ssl;
  bool lacks_tls;
} expected;

static bool put_name(MYSQL *mysql)
{
  char *name = strdup(expected.host);
  if (!name)
    return false;
  free(mysql->host);
  mysql->host = name;
  return true;
}

/* The strictest rule has been set before; this relaxes it. */
static void set_rule(MYSQL *mysql)
{
  my_bool strict = expected.ssl == SSL_VERIFY_IDENTITY;
  mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &strict);
}

/* Without memory for the names of files the library would know no authority, and so trust anybody. */
static bool knows_authorities(const MYSQL *mysql)
{
  return expected.ssl != SSL_VERIFY_CA || mysql->options.ssl_ca || mysql->options.ssl_capath;
}

static bool prepare(MYSQL *mysql)
{
  bool has_tls = mysql->server_capabilities & CLIENT_SSL;
  expected.lacks_tls = !has_tls && expected.ssl != SSL_PREFERRED;
  if (expected.lacks_tls || !knows_authorities(mysql) || (expected.host && !put_name(mysql)))
    return false;
  set_rule(mysql);
  if (has_tls) {
    limit_expect_tls(mysql);
    progress_reach(PROGRESS_TLS);
  }
  return true;
}

/* Also called when a session changes its user: then TLS has begun long ago. */
static int authenticate(MYSQL_PLUGIN_VIO *vio, MYSQL *mysql)
{
  if (expected.under_way && !prepare(mysql))
    return CR_ERROR;
  if (vio->write_packet(vio, NULL, 0)) /* TLS begins and ends within */
    return CR_ERROR;
  progress_reach(PROGRESS_LOGIN);
  return CR_OK;
}

/* As the library's client_plugin.h has it, which Debian's package cannot compile. */
static struct {
  MYSQL_CLIENT_PLUGIN_HEADER
  int (*authenticate_user)(MYSQL_PLUGIN_VIO *vio, MYSQL *mysql);
} plugin = {
    .type = 2,
    .interface_version = 0x0100,
    .name = HANDSHAKE_PLUGIN,
    .author = "libpool",
    .desc = "prepares TLS",
    .license = "MIT",
    .authenticate_user = authenticate,
};

bool handshake_register(void)
{
  MYSQL *mysql = mysql_init(NULL);
  struct st_mysql_client_plugin *own = (struct st_mysql_client_plugin *)&plugin;
  bool registered = mysql && mysql_client_register_plugin(mysql, own) == own;
  mysql_close(mysql);
  return registered;
}

void handshake_expect(const char *host, enum options_ssl ssl)
{
  expected.under_way = true;
  expected.host = host;
  expected.ssl = ssl;
  expected.lacks_tls = false;
}

bool handshake_lacked_tls(void)
{
  expected.under_way = false;
  expected.host = NULL;
  return expected.lacks_tls;
}
