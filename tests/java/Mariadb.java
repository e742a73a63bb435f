// SPDX-License-Identifier: MIT
package libpool;

import java.util.List;

/** A MariaDB server of our own. It knows no users, so that there is nothing to install. */
final class Mariadb extends Server {
  Mariadb() throws Exception {
    super("mysql");
    run("mkdir", "data", "data/shop");
    serve(
        List.of(
            "mariadbd",
            "--no-defaults",
            "--datadir=" + folder.resolve("data"),
            "--tmpdir=" + folder, // a server that begins removes the temporary tables there
            "--socket=" + folder.resolve("socket"),
            "--bind-address=127.0.0.1",
            "--port=" + port,
            "--skip-grant-tables",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=8M"),
        List.of("mariadb-admin", "--no-defaults", "--socket=" + folder.resolve("socket"), "ping"));
  }

  @Override
  String url() {
    return "jdbc:mariadb://127.0.0.1:" + port + "/shop?user=test";
  }
}
