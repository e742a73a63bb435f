// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.WeakReference;
import java.util.concurrent.locks.LockSupport;

/**
 * A thread that hears what the program poolctl does to a {@link Pool} that is exposed, and what a budget allows one that
 * shares it. It does not do itself what follows: all that wait look at the pool, and the keeper does the rest. It does
 * not keep its pool alive, and ends with it.
 */
final class Listener implements Runnable {
  private static final System.Logger LOG = System.getLogger("libpool");

  private static final long DEAF_NS = 100_000_000; // then it is tried again to get a descriptor

  private final WeakReference<Pool<?, ?>> pool;
  private int bell; // a descriptor, see bindings/bell.h; negative: none could be had

  private Listener(Pool<?, ?> pool, int bell) {
    this.pool = new WeakReference<>(pool);
    this.bell = bell;
  }

  /** Returns whether there is one now. No pool needs one that poolctl does not see and no budget limits. */
  static boolean start(Pool<?, ?> pool) {
    int bell = Step.bell(pool.handle);
    if (bell < 0 && !pool.shares) {
      return false;
    }
    try {
      Thread thread = new Thread(null, new Listener(pool, bell), "libpool-" + pool.name() + "-bell", 0, false);
      thread.setContextClassLoader(null);
      thread.setDaemon(true);
      thread.start();
      return true;
    } catch (Throwable e) {
      closeBell(bell);
      LOG.log(System.Logger.Level.WARNING, () -> pool.name() + ": the thread that hears of poolctl and the budget could not be started", e);
      return false;
    }
  }

  @Override
  public void run() {
    do {
      await();
    } while (attend());
    closeBell(bell);
  }

  private void await() {
    if (bell < 0) {
      LockSupport.parkNanos(DEAF_NS);
    } else {
      Step.await(bell);
    }
  }

  private static void closeBell(int bell) {
    if (bell >= 0) {
      Step.closeBell(bell);
    }
  }

  /** In a frame of its own, so that nothing of the thread that waits refers to the pool. */
  private boolean attend() {
    Pool<?, ?> kept = pool.get();
    if (kept == null || kept.isClosed()) {
      return false;
    }
    try {
      bell = bell < 0 ? Step.bell(kept.handle) : bell; // and then a look: what was told before was not heard
      kept.attendToOthers();
    } catch (Throwable e) { // memory is short, perhaps
      LOG.log(System.Logger.Level.WARNING, "not all that wait could be told of poolctl or the budget", e);
    }
    return !kept.isClosed(); // perhaps before there was a bell
  }
}
