// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** Closes that were begun together. */
final class Batch {
  private final AtomicInteger count = new AtomicInteger(1); // of those that go on, and one until all have begun
  private final CountDownLatch done = new CountDownLatch(1);

  Batch join() {
    count.incrementAndGet();
    return this;
  }

  void end() {
    if (count.decrementAndGet() == 0) {
      done.countDown();
    }
  }

  /** Waits for all, but no longer than that. A thread that is interrupted does not wait, and remains so. */
  void await(long ms) {
    end();
    try {
      done.await(ms, TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
