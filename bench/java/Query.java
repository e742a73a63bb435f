// SPDX-License-Identifier: MIT
package bench;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import javax.sql.DataSource;

/** Gets a connection, asks a prepared statement, reads some rows of four columns and closes all three. */
final class Query extends OfSource {
  private final int rows;

  static Contender of(String name, DataSource source, int rows) throws Exception {
    return OfSource.of(Query.class, name, source, rows);
  }

  Query(String name, DataSource source, int rows) {
    super(name, source, false);
    this.rows = rows;
  }

  @Override
  void turn(int times) throws SQLException {
    for (int i = 0; i < times; i++) {
      try (Connection connection = source.getConnection();
          PreparedStatement statement = connection.prepareStatement("SELECT 1")) {
        statement.setInt(1, i);
        try (ResultSet result = statement.executeQuery()) {
          read(result);
        }
      }
    }
  }

  private void read(ResultSet result) throws SQLException {
    long sum = 0;
    for (int row = 0; row < rows && result.next(); row++) {
      sum += result.getInt(1) + result.getInt(2) + result.getString(3).length() + result.getString(4).length();
    }
    if (sum == 0) {
      throw new AssertionError("nothing was read");
    }
  }
}
