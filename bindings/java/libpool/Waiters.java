// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.locks.LockSupport;

/**
 * The threads that wait, by their tickets. They sleep in Java, so an interrupt reaches them and a virtual thread does
 * not hold on to its carrier.
 */
final class Waiters {
  static final class Waiter {
    private final Thread thread = Thread.currentThread();
    private volatile boolean told;
    private volatile boolean rests;

    /** Sleeps until told, interrupted, or the time is over, and sometimes for less. */
    void sleep(Object blocker, long ns) {
      if (told) {
        return;
      }
      if (ns == Long.MAX_VALUE) {
        LockSupport.park(blocker);
      } else {
        LockSupport.parkNanos(blocker, ns);
      }
    }

    boolean isTold() {
      return told;
    }

    void forget() {
      told = false;
    }

    /** Sleeps for this long even if told meanwhile, which costs the telling thread nothing; unless interrupted. */
    void rest(Object blocker, long ns) {
      long since = System.nanoTime();
      rests = true;
      long left = ns;
      while (left > 0 && !Thread.currentThread().isInterrupted()) {
        LockSupport.parkNanos(blocker, left);
        left = ns - (System.nanoTime() - since);
      }
      rests = false; // who tells after this wakes; who told before is seen by the next look at it
    }

    private void tell() {
      told = true;
      if (!rests) {
        LockSupport.unpark(thread);
      }
    }
  }

  private final ConcurrentMap<Long, Waiter> waiters = new ConcurrentHashMap<>();

  /** A thread that enters must look at the pool once more: before this it could not be told. */
  Waiter enter(long ticket) {
    Waiter waiter = new Waiter();
    waiters.put(ticket, waiter);
    return waiter;
  }

  void leave(long ticket) {
    waiters.remove(ticket);
  }

  int count() {
    return waiters.size();
  }

  /** A ticket that nobody holds any more is fine, and 0 is nobody's. */
  void wake(long ticket) {
    Waiter waiter = ticket == 0 ? null : waiters.get(ticket);
    if (waiter != null) {
      waiter.tell();
    }
  }

  /** For no reason that anybody knows: each looks for itself. */
  void wakeAll() {
    waiters.values().forEach(Waiter::tell);
  }
}
