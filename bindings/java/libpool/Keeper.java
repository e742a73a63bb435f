// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.WeakReference;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Does for one pool what is due and nobody in particular asked for, in a thread of its own, which begins when there is
 * something to do for the first time. It sleeps until the library says that something is due, or until it is told. It
 * does not keep its pool alive.
 */
final class Keeper implements Runnable {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final long ENDS = -1;
  private static final long AFTER_ERROR_NS = TimeUnit.SECONDS.toNanos(1);

  private final WeakReference<Pool<?, ?>> pool;
  private final String name;
  private final ClassLoader loader = Thread.currentThread().getContextClassLoader(); // of the one who makes the pool
  private boolean mayStart; // guarded by this
  private boolean ended; // guarded by this
  private volatile Thread thread; // null: it has not begun
  private volatile boolean told;
  private volatile boolean busy;

  Keeper(Pool<?, ?> pool) {
    this.pool = new WeakReference<>(pool);
    name = "libpool-" + pool.name();
  }

  /** The pool is complete. Nothing is looked at before, for its first connections are opened by the one who makes it. */
  synchronized void begin(boolean isNeeded) {
    mayStart = true;
    if (isNeeded || told) {
      told = true;
      start();
    }
  }

  /** The pool is closed or gone. */
  synchronized void end() {
    ended = true;
    LockSupport.unpark(thread);
  }

  /**
   * There is something to do, or due sooner than was said. Returns whether it is looked at soon: not while the thread
   * runs what the program has given to the pool, which may take long.
   */
  boolean tell() {
    if (!told) {
      told = true;
      Thread sleeper = thread;
      if (sleeper == null) {
        return start();
      }
      LockSupport.unpark(sleeper);
    }
    return isItself() || (thread != null && !busy);
  }

  /** Then it looks once more, when it has done what it does. */
  private boolean isItself() {
    return Thread.currentThread() == thread;
  }

  /** Whoever has told is heard by the thread that begins. Without memory for one the next that tells tries again. */
  private synchronized boolean start() {
    if (thread != null || !mayStart || ended) {
      return thread != null;
    }
    try {
      Thread starting = new Thread(null, this, name, 0, false); // it has nothing of the thread that needs it first
      starting.setContextClassLoader(loader);
      starting.setDaemon(true);
      thread = starting;
      starting.start();
      return true;
    } catch (Throwable e) {
      thread = null;
      LOG.log(System.Logger.Level.WARNING, () -> name + ": the thread that keeps the time could not be started", e);
      told = false;
      return false;
    }
  }

  /** The keeper's thread begins or ends to run what the program has given to the pool. */
  void setBusy(boolean busy) {
    if (isItself()) {
      this.busy = busy;
    }
  }

  @Override
  public void run() {
    long dueNs = look();
    while (dueNs != ENDS) {
      sleep(dueNs);
      dueNs = look();
    }
  }

  /** In a frame of its own, so that nothing of the thread that sleeps refers to the pool. */
  private long look() {
    told = false; // what is told from now on is looked at once more
    Pool<?, ?> kept = pool.get();
    if (kept == null || kept.isClosed()) {
      return ENDS;
    }
    try {
      return kept.maintain();
    } catch (Throwable e) { // memory is short, perhaps
      busy = false;
      LOG.log(System.Logger.Level.WARNING, () -> name + ": what is due could not be done", e);
      return AFTER_ERROR_NS;
    }
  }

  private synchronized boolean hasEnded() {
    return ended;
  }

  private void sleep(long ns) {
    long began = System.nanoTime();
    long left = ns;
    while (!told && left > 0 && !hasEnded()) {
      if (ns == Step.NEVER) {
        LockSupport.park(this);
      } else {
        LockSupport.parkNanos(this, left);
        left = ns - (System.nanoTime() - began);
      }
      Thread.interrupted(); // a connection may have interrupted its thread; that is not about the keeper
    }
  }
}
