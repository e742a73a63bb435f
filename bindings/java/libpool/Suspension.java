// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.CountDownLatch;

/** Whether a data source is suspended, and those that wait for the end of that. */
final class Suspension {
  private volatile int changes; // how often it began or ended
  private CountDownLatch end; // null: it is not suspended; guarded by this

  /** To be asked before an attempt that a suspension may spoil. */
  int changes() {
    return changes;
  }

  boolean isOn() {
    return current() != null;
  }

  /** Returns false if it is suspended already. */
  synchronized boolean begin() {
    if (end != null) {
      return false;
    }
    end = new CountDownLatch(1);
    changes++;
    return true;
  }

  /** Returns false if it is not suspended. */
  synchronized boolean end() {
    if (end == null) {
      return false;
    }
    changes++;
    end.countDown();
    end = null;
    return true;
  }

  private synchronized CountDownLatch current() {
    return end;
  }

  /** Waits for its end. Returns whether an attempt was spoiled that began when there were this many changes. */
  boolean await(int changesThen) throws InterruptedException {
    CountDownLatch current = current();
    if (current != null) {
      current.await();
    }
    return current != null || changes != changesThen;
  }
}
