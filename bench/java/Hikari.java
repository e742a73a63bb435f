// SPDX-License-Identifier: MIT
package bench;

import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;

final class Hikari extends Contender {
  private final HikariDataSource source = new HikariDataSource();

  Hikari(int size, boolean yields) {
    super(yields);
    source.setDataSource(new Stub());
    source.setMaximumPoolSize(size);
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
