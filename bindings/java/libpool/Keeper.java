// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Keeps the time for one pool: a thread that does what is due and nobody in particular asked for. */
final class Keeper implements Runnable {
  private static final long LONGEST_NS = TimeUnit.SECONDS.toNanos(1);
  private static final long SHORTEST_NS = TimeUnit.MILLISECONDS.toNanos(1);

  private final Pool<?, ?> pool;
  private final long pauseNs;
  private final Thread thread;

  /** Looks at least every quarter of the shortest time that was set. */
  Keeper(Pool<?, ?> pool, long shortestMs) {
    this.pool = pool;
    pauseNs = Math.max(SHORTEST_NS, Math.min(LONGEST_NS, TimeUnit.MILLISECONDS.toNanos(shortestMs) / 4));
    thread = new Thread(this, "libpool-" + pool.name());
    thread.setDaemon(true);
    thread.start();
  }

  /** Something has changed that may have to do with time. */
  void tell() {
    LockSupport.unpark(thread);
  }

  @Override
  public void run() {
    while (!pool.isClosed()) {
      LockSupport.parkNanos(pool, Math.max(SHORTEST_NS, Math.min(pauseNs, pool.maintain())));
      Thread.interrupted(); // a connection may have interrupted its thread; that is not about us
    }
  }
}
