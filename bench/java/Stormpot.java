// SPDX-License-Identifier: MIT
package bench;

import java.sql.Connection;
import java.util.concurrent.TimeUnit;
import stormpot.Allocator;
import stormpot.BasePoolable;
import stormpot.Pool;
import stormpot.Slot;
import stormpot.Timeout;

final class Stormpot extends Contender {
  private static final Timeout LONG = new Timeout(1, TimeUnit.MINUTES);

  private static final class Pooled extends BasePoolable {
    private final Connection connection = Stub.connection();

    Pooled(Slot slot) {
      super(slot);
    }
  }

  private static final class Connections implements Allocator<Pooled> {
    @Override
    public Pooled allocate(Slot slot) {
      return new Pooled(slot);
    }

    @Override
    public void deallocate(Pooled pooled) {} // they are nothing
  }

  private final Pool<Pooled> pool;

  Stormpot(int size, boolean yields) {
    super(yields);
    pool = Pool.fromThreaded(new Connections()).setSize(size).build();
  }

  @Override
  String name() {
    return "stormpot";
  }

  @Override
  void turn(int times) throws Exception {
    for (int i = 0; i < times; i++) {
      Pooled pooled = pool.claim(LONG);
      try {
        use(pooled.connection);
      } finally {
        pooled.release();
      }
    }
  }

  @Override
  public void close() {
    pool.shutdown();
  }
}
