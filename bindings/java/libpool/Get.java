// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.TimeUnit;

/** A get that was not served at once: does the work that the library asks for, waits, and keeps the time. */
final class Get<C, X extends Exception> {
  private static final int MOMENTS = 2;
  private static final long MOMENTS_NS = 200_000; // where others need the processors, a moment is long
  private static final long REST_NS = 50_000;

  private final Pool<C, X> pool;
  private final long timeoutMs;
  private long deadline;
  private long queuedNs;
  private long workedNs;
  private Exception failure; // of its last open, or null
  private boolean timeless; // what the library asks for, it asks one that only looked
  private long lingersSince;
  private int moments;

  Get(Pool<C, X> pool, long timeoutMs) {
    this.pool = pool;
    this.timeoutMs = timeoutMs;
    deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
  }

  /**
   * Returns a lease; or 0 if there is none and the timeout is 0.
   *
   * @param looked that was only a look, which has no time for the library
   */
  long pursue(long said, boolean looked) throws X, InterruptedException {
    timeless = looked && timeoutMs != 0;
    Step step = Step.of(said);
    for (; ; ) {
      pool.heed(step);
      if (timeless && step.result == CoreConstants.POOL_E_TIMEOUT) {
        step = Step.of(linger());
        continue;
      }
      if (step.result > 0) {
        return step.result;
      }
      if (step.result < 0) {
        if (step.work != Step.NONE) {
          pool.settle(pool.perform(step));
        }
        return fail((int) step.result, step.message);
      }
      if (step.work == Step.OPEN) {
        step = open(step);
      } else if (step.work != Step.NONE) {
        step = Step.of(work(step));
      } else if (step.ticket != 0) {
        step = queue(step.ticket);
      } else if (isOver()) {
        return fail(CoreConstants.POOL_E_TIMEOUT, null);
      } else {
        step = Step.of(timeoutMs == 0 ? pool.begin(0, 0) : enter());
      }
    }
  }

  /**
   * Before it queues: a thread that has a connection is often about to give it back, and to sleep and to be woken costs
   * more than to let others run for a moment. As long as others wait too long the library gives nothing to one that
   * lingers.
   */
  private long linger() {
    if (moments == 0) {
      lingersSince = System.nanoTime();
    }
    while (moments++ < MOMENTS && pool.isFull() && System.nanoTime() - lingersSince < MOMENTS_NS) {
      Thread.yield();
      long said = pool.begin(0, 0);
      if (said != CoreConstants.POOL_E_TIMEOUT) {
        return said;
      }
    }
    return enter();
  }

  /** Begins to wait. Our own time is not over before the library's, so that it is the library that says so. */
  private long enter() {
    timeless = false;
    if (timeoutMs < 0) {
      return pool.begin(timeoutMs, 0);
    }
    long ms = Math.max(1, Millis.of(leftNs()));
    long said = pool.begin(ms, 0);
    deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(ms);
    return said;
  }

  private Step open(Step step) throws X, InterruptedException {
    long since = System.nanoTime();
    boolean again = failure != null; // it has waited, and this is another try
    Step after;
    try {
      after = pool.openFor(step, e -> failure = e);
    } catch (Exception e) {
      boolean late = again && isOver();
      if (again && !(e instanceof InterruptedException) && Thread.interrupted()) {
        var interrupted = new InterruptedException(); // of the wait; that this try failed, too, is not why it ends
        interrupted.addSuppressed(e);
        throw interrupted;
      }
      if ((!timeless && !late) || Pool.isInterrupt(e)) {
        throw e;
      }
      failure = e;
      after = late ? Step.failed(CoreConstants.POOL_E_TIMEOUT, null) : Step.of(enter());
    }
    workedNs += System.nanoTime() - since;
    if (after.result > 0 && isOver()) { // too late for this one; the next may use it
      pool.heed(after);
      pool.settle(after.result);
      return Step.failed(CoreConstants.POOL_E_TIMEOUT, null);
    }
    return after;
  }

  private long work(Step step) {
    long since = System.nanoTime();
    long said = pool.perform(step);
    workedNs += System.nanoTime() - since;
    if (said != 0 && isOver()) {
      pool.settle(said);
      return CoreConstants.POOL_E_TIMEOUT;
    }
    return said;
  }

  private boolean isOver() {
    return timeoutMs > 0 && leftNs() <= 0;
  }

  private Step queue(long ticket) throws InterruptedException {
    long since = System.nanoTime();
    try {
      Waiters.Waiter waiter = pool.waiters().enter(ticket);
      for (; ; ) {
        boolean wasTold = waiter.isTold();
        waiter.forget();
        Step step = Step.of(pool.begin(timeoutMs, ticket)); // also once before sleeping: see enter()
        if (step.ticket != ticket) {
          return step;
        }
        pool.heed(step);
        if (wasTold) { // somebody was faster, and will be again if he has to wake this thread each time
          waiter.rest(pool, REST_NS);
        }
        sleep(waiter, step.lookAgainNs);
        if (isOver()) {
          return last(ticket);
        }
      }
    } catch (Throwable e) { // an interrupt, or the end of memory or of the stack: nobody waits here any more
      pool.settle(Step.cancel(ticket)); // which may have been given a lease by now
      throw e;
    } finally {
      pool.waiters().leave(ticket);
      queuedNs += System.nanoTime() - since;
    }
  }

  /** Returns when told, when the time is over, or when it is time to look again. */
  private void sleep(Waiters.Waiter waiter, long lookAgainNs) throws InterruptedException {
    long began = System.nanoTime();
    while (!waiter.isTold()) {
      long left = timeoutMs > 0 ? leftNs() : Long.MAX_VALUE;
      if (lookAgainNs > 0) {
        left = Math.min(left, lookAgainNs - (System.nanoTime() - began));
      }
      if (left <= 0) {
        return;
      }
      if (Thread.interrupted()) {
        throw new InterruptedException();
      }
      waiter.sleep(pool, left);
    }
  }

  /** The time is over; perhaps something came at the last moment. The library's clock may be a little behind. */
  private Step last(long ticket) {
    Step step = Step.of(pool.begin(timeoutMs, ticket));
    if (step.ticket != ticket) {
      return step;
    }
    pool.heed(step);
    Step end = Step.of(Step.cancel(ticket));
    if (end.result != 0) {
      return end;
    }
    pool.heed(end);
    return Step.failed(CoreConstants.POOL_E_TIMEOUT, end.message);
  }

  private long leftNs() {
    return deadline - System.nanoTime();
  }

  private long fail(int code, String message) throws X {
    if (code == CoreConstants.POOL_E_OPEN && failure != null) {
      throw thrown(failure);
    }
    if (code != CoreConstants.POOL_E_TIMEOUT) {
      throw pool.failure(code, message);
    }
    if (timeoutMs == 0) {
      return 0;
    }
    var timeout = new PoolTimeoutException(message != null ? message : late());
    timeout.initCause(failure != null ? failure : pool.lastFailure());
    throw timeout;
  }

  /** In the library's words: for it this get ended well, or else in another way. */
  private String late() {
    PoolStats now = pool.stats();
    return String.format(
        "%s: no connection in time: %d ms went by in the queue, %d ms in open or check; "
            + "%d are open, %d leased, %d idle, %d wait",
        pool.name(),
        TimeUnit.NANOSECONDS.toMillis(queuedNs),
        TimeUnit.NANOSECONDS.toMillis(workedNs),
        now.open(),
        now.leased(),
        now.idle(),
        now.waiting());
  }

  @SuppressWarnings("unchecked") // the opener has thrown it
  private X thrown(Exception failure) {
    return (X) failure;
  }
}
