// SPDX-License-Identifier: MIT
package bench;

import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;

final class Hikari extends Contender {
  private final HikariDataSource source;

  Hikari(int size, boolean yields) {
    super(yields);
    source = source(size);
  }

  static HikariDataSource source(int size) {
    HikariDataSource source = new HikariDataSource();
    source.setDataSource(new Stub());
    source.setMaximumPoolSize(size);
    return source;
  }

  @Override
  String name() {
    return "HikariCP";
  }

  @Override
  void turn(int times) throws SQLException {
    for (int i = 0; i < times; i++) {
      try (Connection connection = source.getConnection()) {
        use(connection);
      }
    }
  }

  @Override
  public void close() {
    source.close();
  }
}
