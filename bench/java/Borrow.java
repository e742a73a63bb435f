// SPDX-License-Identifier: MIT
package bench;

import java.sql.Connection;
import java.sql.SQLException;
import javax.sql.DataSource;

/** Gets a connection of a data source and gives it back. */
final class Borrow extends OfSource {
  static Contender of(String name, DataSource source, boolean yields) throws Exception {
    return OfSource.of(Borrow.class, name, source, yields);
  }

  Borrow(String name, DataSource source, boolean yields) {
    super(name, source, yields);
  }

  @Override
  void turn(int times) throws SQLException {
    for (int i = 0; i < times; i++) {
      try (Connection connection = source.getConnection()) {
        use(connection);
      }
    }
  }
}
