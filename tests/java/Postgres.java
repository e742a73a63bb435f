// SPDX-License-Identifier: MIT
package libpool;

import java.nio.file.Path;
import java.util.List;

/** A PostgreSQL server of our own. */
final class Postgres extends Server {
  Postgres() throws Exception {
    super("postgres");
    Path data = folder.resolve("data");
    run("initdb", "-D", data.toString(), "-U", "test", "-A", "trust", "--no-sync");
    serve(
        List.of("postgres", "-D", data.toString(), "-h", "127.0.0.1", "-p", "" + port, "-k", folder.toString(), "-F"),
        List.of("pg_isready", "-q", "-h", "127.0.0.1", "-p", "" + port));
  }

  @Override
  String url() {
    return "jdbc:postgresql://127.0.0.1:" + port + "/postgres?user=test";
  }

  int port() {
    return port;
  }
}
