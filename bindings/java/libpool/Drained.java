// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;

/** What has connections that are out, and waits for them when it is closed: a pool, or a group of pools. */
abstract sealed class Drained implements AutoCloseable permits CommonPool, Group {
  volatile long getTimeoutMs; // -1: for ever

  /**
   * Closes it and waits, for as long as a get may take, until the last connection has come back and been closed. If the
   * thread is interrupted it stops waiting and stays interrupted.
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
   * Closes it: from now on nobody gets a connection, all waiters get a {@link PoolClosedException}, idle connections are
   * closed, others when they come back. A group does this with the pools of all keys, and makes no other. May be called
   * again, also to go on draining. A callback of the same pool must not wait here, because it would wait for itself.
   *
   * @param drain how long to wait until the last connection has come back and been closed
   * @return how many connections are still open
   * @throws InterruptedException if the thread is interrupted while it waits
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
