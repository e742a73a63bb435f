// SPDX-License-Identifier: MIT
package bench;

import java.sql.Connection;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;

/** What one would write by oneself. */
final class Queue extends Contender {
  private final BlockingQueue<Connection> queue;

  Queue(int size, boolean yields) {
    super(yields);
    queue = new ArrayBlockingQueue<>(size);
    for (int i = 0; i < size; i++) {
      queue.add(Stub.connection());
    }
  }

  @Override
  String name() {
    return "ArrayBlockingQueue";
  }

  @Override
  void turn(int times) throws InterruptedException {
    for (int i = 0; i < times; i++) {
      Connection connection = queue.take();
      try {
        use(connection);
      } finally {
        queue.put(connection);
      }
    }
  }

  @Override
  public void close() {}
}
