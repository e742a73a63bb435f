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
  volatile boolean over; // the lease ended, or it is ended by others; set in place where the stack may be too short for a call

  private Watch(Pool<?, ?> pool, long number) {
    this.pool = pool;
    this.number = number;
  }

  /** The lease has it before the cleaner knows either, so that a get that fails can still say that there is no leak. */
  static void begin(Pool<?, ?> pool, Holding<?> lease, long number) {
    Watch watch = new Watch(pool, number);
    lease.watch = watch;
    watch.cleanable = CLEANER.register(lease, watch);
  }

  void end() {
    over = true;
    cleanable.clean();
  }

  /** Runs when the lease has ended or nobody has it any more. */
  @Override
  public void run() {
    if (over) {
      pool.forget(this);
    } else {
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
