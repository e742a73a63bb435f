// SPDX-License-Identifier: MIT
package bench;

import java.sql.Connection;
import java.sql.SQLException;
import libpool.PooledDataSource;

final class LibpoolSource extends Contender {
  private final PooledDataSource source;

  LibpoolSource(int size, boolean yields) {
    super(yields);
    source = source(size);
  }

  static PooledDataSource source(int size) {
    PooledDataSource source = new PooledDataSource();
    source.setDataSource(new Stub());
    source.setMaximumPoolSize(size);
    return source;
  }

  @Override
  String name() {
    return "libpool, data source";
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
