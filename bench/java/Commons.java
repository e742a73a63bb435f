// SPDX-License-Identifier: MIT
package bench;

import java.sql.Connection;
import org.apache.commons.pool2.BasePooledObjectFactory;
import org.apache.commons.pool2.PooledObject;
import org.apache.commons.pool2.impl.DefaultPooledObject;
import org.apache.commons.pool2.impl.GenericObjectPool;

final class Commons extends Contender {
  private final GenericObjectPool<Connection> pool =
      new GenericObjectPool<>(
          new BasePooledObjectFactory<Connection>() {
            @Override
            public Connection create() {
              return Stub.connection();
            }

            @Override
            public PooledObject<Connection> wrap(Connection connection) {
              return new DefaultPooledObject<>(connection);
            }
          });

  Commons(int size, boolean yields) {
    super(yields);
    pool.setMaxTotal(size);
    pool.setMaxIdle(size);
  }

  @Override
  String name() {
    return "commons-pool2";
  }

  @Override
  void turn(int times) throws Exception {
    for (int i = 0; i < times; i++) {
      Connection connection = pool.borrowObject();
      try {
        use(connection);
      } finally {
        pool.returnObject(connection);
      }
    }
  }

  @Override
  public void close() {
    pool.close();
  }
}
