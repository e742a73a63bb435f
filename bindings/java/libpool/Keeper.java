// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.WeakReference;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Does for one pool what is due by time, in a thread of its own. The thread begins when there is something to do for the
 * first time. It sleeps until the library says that something is due, or until it is told. It
 * does not keep its pool alive.
 */
final class Keeper implements Runnable {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final long ENDS = -1;
  private static final long LINGERS_NS = TimeUnit.SECONDS.toNanos(1);
  private static final long AFTER_ERROR_NS = TimeUnit.SECONDS.toNanos(1);

  private final WeakReference<Pool<?, ?>> pool;
  private final String name;
  private final boolean rests;
  private final ClassLoader loader = Thread.currentThread().getContextClassLoader(); // of the one who makes the pool
  private boolean mayStart; // guarded by this
  private boolean ended; // guarded by this
  private volatile Thread thread; // null: it has not begun
  private volatile boolean told;
  private volatile boolean busy;

  /**
   * @param rests whether the thread ends when nothing is due; it begins anew when it is told
   */
  Keeper(Pool<?, ?> pool, boolean rests) {
    this.rests = rests;
    this.pool = new WeakReference<>(pool);
    name = "libpool-" + pool.name();
  }

  /** The pool is complete. Nothing is looked at before, for its first connections are opened by the thread that makes it. */
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
      try {
        Thread sleeper = thread;
        if (sleeper == null) {
          return start();
        }
        LockSupport.unpark(sleeper);
      } catch (Throwable e) { // for want of stack; the next that tells tries again
        told = false;
        throw e;
      }
    }
    return isItself() || (thread != null && !busy);
  }

  /** Then it looks once more, when it has done what it does. */
  private boolean isItself() {
    return Thread.currentThread() == thread;
  }

  /** What was told is heard by the thread that begins. Without memory for one the next that tells tries again. */
  private synchronized boolean start() {
    if (thread != null || !mayStart || ended) {
      return thread != null;
    }
    Stack.requireForThread();
    try {
      Thread starting = new Thread(null, this, name, 0, false); // it has nothing of the thread that needs it first
      starting.setContextClassLoader(loader);
      starting.setDaemon(true);
      thread = starting;
      starting.start();
      return true;
    } catch (Throwable e) {
      thread = null;
      told = false;
      LOG.log(System.Logger.Level.WARNING, () -> name + ": the thread that keeps the time could not be started", e);
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
    boolean lingered = false;
    for (long dueNs = look(); dueNs != ENDS; dueNs = look()) {
      boolean idle = rests && dueNs == Step.NEVER;
      if (idle && lingered && leave()) {
        return;
      }
      lingered = idle;
      sleep(idle ? LINGERS_NS : dueNs);
    }
  }

  /** One that tells sees that the thread is gone, or the thread sees what it was told. */
  private synchronized boolean leave() {
    thread = null;
    if (told) {
      thread = Thread.currentThread();
    }
    return thread == null;
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
