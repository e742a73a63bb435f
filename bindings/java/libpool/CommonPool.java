// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.List;

/** What a pool is, whoever opens its connections: it has a handle of the library, is seen and is closed. */
abstract sealed class CommonPool implements AutoCloseable permits Pool, DriverPool {
  private static final Cleaner CLEANER = Cleaner.create();

  final long handle; // valid as long as this object
  final String name;
  final long getTimeoutMs;
  final Freer freer;

  CommonPool(Config config, String name, long handle) {
    this.handle = handle;
    this.name = name;
    getTimeoutMs = config.getGet_timeout_ms();
    freer = new Freer(handle, name);
    CLEANER.register(this, freer);
  }

  /** Its name, shown in messages and reports. */
  public String name() {
    return name;
  }

  /** How many connections are idle; 0 after close. */
  public int len() {
    try {
      return (int) Core.pool_len(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** Counts of this pool. */
  public PoolStats stats() {
    try {
      return PoolStats.of(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** What {@link #stats()} knows as text. */
  public String report(Format format) {
    try {
      return Core.pool_report_text(handle, format.ordinal());
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** Who holds what: the leases that are out at this moment. */
  public List<LeaseInfo> leases() {
    try {
      return Step.leases(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Shows the pool to the program poolctl until it is collected. poolctl can also pause, resume, flush, resize and evict
   * it.
   *
   * @throws PoolException if the socket for it cannot be made
   */
  public void expose() {
    try {
      Core.pool_expose(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Closes the pool and waits, for as long as a get may take, until the last connection has come back and been closed.
   * If the thread is interrupted it stops waiting and stays interrupted.
   */
  @Override
  public void close() {
    try {
      drain(getTimeoutMs);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Closes the pool: from now on nobody gets a connection, all waiters get a {@link PoolClosedException}, idle
   * connections are closed, others when they come back. May be called again, also to go on draining. A callback of the
   * same pool must not wait here, for it would wait for itself.
   *
   * @param drain how long to wait until the last connection has come back and been closed
   * @return how many connections are still open
   */
  public int close(Duration drain) throws InterruptedException {
    return drain(atLeastZero(drain, "drain"));
  }

  /** -1: for ever. */
  abstract int drain(long drainMs) throws InterruptedException;

  static long atLeastZero(Duration time, String what) {
    if (time.isNegative()) {
      throw new IllegalArgumentException(what + " is " + time + "; it must be 0 or more");
    }
    return Millis.of(time);
  }
}
