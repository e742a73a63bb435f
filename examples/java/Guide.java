// SPDX-License-Identifier: MIT
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import libpool.DriverPool;
import libpool.Pool;
import libpool.PooledDataSource;

/** What docs/java.md shows, each with a server of its own that has to run. */
public class Guide {
  static void sockets() throws Exception {
    try (var pool = Pool.builder(() -> new Socket("localhost", 1234)).maxOpen(5).name("prices").build()) {
      try (var lease = pool.get(Duration.ofSeconds(1))) {
        lease.conn().getOutputStream().write(42);
      } // given back
    }
  }

  static void database(String password) throws Exception {
    var source = new PooledDataSource();
    source.setJdbcUrl("jdbc:postgresql://localhost/shop");
    source.setUsername("shop");
    source.setPassword(password);
    source.setMaximumPoolSize(10);
    try (var connection = source.getConnection(); var statement = connection.createStatement()) {
      statement.execute("SELECT 1");
    }
  }

  static void calls() throws Exception {
    try (var pool = DriverPool.open("jsonrpc://localhost:1234?pool.max_open=5");
        var lease = pool.get(Duration.ofSeconds(1))) {
      byte[] product = lease.call("Arith.Mul", "{\"A\": 7, \"B\": 8}".getBytes(StandardCharsets.UTF_8)); // 56
    }
  }
}
