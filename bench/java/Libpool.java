// SPDX-License-Identifier: MIT
package bench;

import java.sql.Connection;
import libpool.Lease;
import libpool.Pool;

final class Libpool extends Contender {
  private final Pool<Connection, RuntimeException> pool;

  Libpool(int size, boolean yields) {
    super(yields);
    pool = Pool.<Connection, RuntimeException>builder(Stub::connection).maxOpen(size).initial(size).build();
  }

  @Override
  String name() {
    return "libpool";
  }

  @Override
  void turn(int times) throws InterruptedException {
    for (int i = 0; i < times; i++) {
      try (Lease<Connection> lease = pool.get()) {
        use(lease.conn());
      }
    }
  }

  @Override
  public void close() {
    pool.close();
  }
}
