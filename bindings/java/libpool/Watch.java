// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.Cleaner;

/** Watches one lease, for pools that report leaks. It must not know the lease, which could not get lost then. */
final class Watch implements Runnable {
  private static final Cleaner CLEANER = Cleaner.create();

  private final Pool<?, ?> pool;
  private final long number;
  private final Throwable where = new Throwable("a connection was got here");
  private Cleaner.Cleanable cleanable;
  private volatile boolean ended;

  private Watch(Pool<?, ?> pool, long number) {
    this.pool = pool;
    this.number = number;
  }

  static Watch begin(Pool<?, ?> pool, Holding<?> lease, long number) {
    Watch watch = new Watch(pool, number);
    watch.cleanable = CLEANER.register(lease, watch);
    return watch;
  }

  void end() {
    ended = true;
    pool.forget(this);
    cleanable.clean();
  }

  /** Runs when the lease has ended or nobody has it any more. */
  @Override
  public void run() {
    if (!ended) {
      pool.recover(this);
    }
  }

  long number() {
    return number;
  }

  Leak leak(boolean lost) {
    return new Leak(pool.name(), lost, where);
  }
}
