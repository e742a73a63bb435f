// SPDX-License-Identifier: MIT
package bench;

import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import javax.sql.DataSource;

/** Gets a connection, asks a prepared statement, reads some rows of four columns and closes all three. */
final class Query extends Contender {
  private final String name;
  private final DataSource source;
  private final int rows;

  /** Of a class of its own, so that its calls are compiled for this source alone. */
  static Contender of(String name, DataSource source, int rows) throws Exception {
    try (InputStream code = Query.class.getResourceAsStream("Query.class")) {
      Class<?> own = MethodHandles.lookup().defineHiddenClass(code.readAllBytes(), true).lookupClass();
      return (Contender)
          own.getDeclaredConstructor(String.class, DataSource.class, int.class).newInstance(name, source, rows);
    }
  }

  Query(String name, DataSource source, int rows) {
    super(false);
    this.name = name;
    this.source = source;
    this.rows = rows;
  }

  @Override
  String name() {
    return name;
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

  @Override
  public void close() throws Exception {
    ((AutoCloseable) source).close();
  }
}
