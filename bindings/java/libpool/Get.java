// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;

/**
 * A get that was not served at once: waits, keeps the time, and has the work done that the library asks for. Opens and
 * checks run in the pool's own threads. A get with a place in the queue takes what comes first meanwhile, and what comes
 * of its work goes to the waiter whose turn it is.
 */
final class Get<C, X extends Exception> extends Debt {
  private static final int MOMENTS = 2;
  private static final long MOMENTS_NS = 200_000; // where others need the processors, a moment is long
  private static final long REST_NS = 50_000;
  private static final long PATIENCE_NS = 250_000_000; // so long the library counts on work for one that waits
  private static final Step LEFT = Step.failed(0, null);

  private final Pool<C, X> pool;
  private final long timeoutMs;
  private long deadline;
  private long queuedNs;
  private long workedNs;
  private volatile Throwable failure; // of the last open that was begun for it, or null
  private volatile boolean failedForGood; // with an error, which ends the wait
  private boolean timeless; // what the library says, it says to one that only looked
  private long lingersSince;
  private int moments;

  // With what a Debt has, what this get owes the library.
  long ticket; // the place in the queue; 0: none
  Job job; // perhaps done, perhaps not even begun; null: none
  long entered; // the ticket by which others tell it; 0: none
  boolean attends; // it is counted among those that wait without a place

  /**
   * @param looked what was said, was said to one that only looked and has no time for the library
   */
  Get(Pool<C, X> pool, long timeoutMs, long said, boolean looked) {
    super(said);
    this.pool = pool;
    this.timeoutMs = timeoutMs;
    timeless = looked && timeoutMs != 0;
    deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
  }

  /** Returns a lease; or 0 if there is none and the timeout is 0. */
  long pursue() throws X, InterruptedException {
    Object wait = Flight.beginWait();
    if (wait == null) {
      return serve();
    }
    String outcome = null;
    try {
      long lease = serve();
      outcome = lease == 0 ? "none" : "lease";
      return lease;
    } catch (Throwable e) {
      outcome = e.getClass().getName();
      throw e;
    } finally {
      try {
        Flight.endWait(wait, pool.name(), outcome);
      } catch (StackOverflowError | OutOfMemoryError e) {
        // it is not recorded, but what has come of the get is not lost
      }
    }
  }

  private long serve() throws X, InterruptedException {
    try {
      pool.adopt();
      for (read(); ; ) {
        pool.heed(step);
        if (step.result > 0) {
          long lease = step.result;
          step = null; // the caller has it from here on
          return lease;
        }
        if (timeless && isNotNow()) {
          said = linger();
          read();
        } else if (step.result < 0) {
          return fail(step);
        } else if (step.ticket != 0) {
          queue();
        } else {
          begin();
        }
      }
    } catch (Throwable e) { // an interrupt, or the end of memory or of the stack: nobody waits here any more
      abandon();
      throw e;
    }
  }

  @Override
  void settle(Pool<?, ?> pool) {
    abandon();
  }

  /** Of one that was left by an error: gives back what it still owes, as far as that goes. */
  private void abandon() {
    if (said != 0) {
      read();
    }
    if (step != null) {
      pool.drop(step);
      step = null;
    }
    if (job != null) {
      if (!job.isLeft()) {
        pool.drop(job.outcome.get());
      }
      job = null;
    }
    if (ticket != 0) {
      said = Step.cancel(ticket); // which may have been given a lease by now
      ticket = 0;
      read();
      pool.drop(step);
      step = null;
    }
    withdraw();
  }

  /** It waits no more. Where the stack ends in a call, that is made again. */
  private void withdraw() {
    if (entered != 0) {
      pool.waiters().leave(entered);
      entered = 0;
    }
    if (attends) {
      pool.attends(-1);
      attends = false;
    }
  }

  private boolean isNotNow() {
    return step.result == CoreConstants.POOL_E_TIMEOUT || step.result == CoreConstants.POOL_E_OPEN;
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
      long now = pool.begin(0, 0);
      if (now != CoreConstants.POOL_E_TIMEOUT) {
        return now;
      }
    }
    return enter();
  }

  /** Begins to wait. Our own time is not over before the library's, so that it is the library that says so. */
  private long enter() {
    timeless = false;
    if (timeoutMs <= 0) {
      return pool.begin(timeoutMs, 0);
    }
    long ms = Math.max(1, Millis.of(leftNs()));
    long ns = TimeUnit.MILLISECONDS.toNanos(ms);
    said = pool.begin(ms, 0);
    deadline = System.nanoTime() + ns;
    return said;
  }

  // ---- without a place in the queue

  /** Has the work done that comes first, if there is some, and goes on. */
  private void begin() throws InterruptedException {
    boolean hurries = timeoutMs == 0 && step.work != Step.NONE; // a place is free only after the close
    if (hurries || step.work == Step.OPEN || step.work == Step.CHECK) {
      pool.attends(1);
      attends = true;
      await(System.nanoTime());
      withdraw();
      throwError();
    } else if (step.work == Step.NONE && isOver()) {
      step = Step.failed(CoreConstants.POOL_E_TIMEOUT, null);
    } else {
      pool.hand(step);
      step = null;
      said = enter();
    }
    if (step == null) {
      read();
    }
  }

  /** What a get waits for, unless it has left. */
  final class Job extends Debt implements Runnable {
    private final Step work;
    private final Thread getter = Thread.currentThread();
    private final AtomicReference<Step> outcome = new AtomicReference<>(); // LEFT: nobody waits for it

    private Job(Step work) {
      super(0);
      this.work = work;
    }

    @Override
    public void run() {
      if (!work.begin()) {
        return;
      }
      step = work;
      try {
        said = pool.work(work, Get.this);
        step = null;
        read();
        if (!tell(step)) {
          pool.drop(step);
        }
      } catch (Throwable e) { // memory is short, and the get begins anew
        pool.leave(this);
        tell(LEFT);
        throw e;
      }
    }

    private boolean tell(Step after) {
      boolean told = outcome.compareAndSet(null, after);
      LockSupport.unpark(getter);
      return told;
    }

    private boolean isLeft() {
      return outcome.compareAndSet(null, LEFT);
    }
  }

  /** Waits for it, but not for long where the get may queue instead. One without time to wait is not interrupted. */
  private void await(long since) throws InterruptedException {
    boolean interrupted = false;
    job = new Job(step);
    pool.workers().run(job);
    step = null;
    while (job.outcome.get() == null) {
      long left = timeoutMs == 0 ? Long.MAX_VALUE : patience(since);
      if (timeoutMs == 0) {
        interrupted |= Thread.interrupted();
      } else if (Thread.currentThread().isInterrupted() && job.isLeft()) {
        Thread.interrupted();
        throw new InterruptedException();
      }
      if (left > 0) {
        LockSupport.parkNanos(pool, left);
      } else if (job.isLeft()) {
        job = null;
        said = enter();
        return;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    workedNs += System.nanoTime() - since;
    step = job.outcome.get();
    job = null;
  }

  private long patience(long since) {
    long left = PATIENCE_NS - (System.nanoTime() - since);
    return timeoutMs > 0 ? Math.min(left, leftNs()) : left;
  }

  // ---- with a place in the queue

  /** Returns when the wait is over, with what was said last. */
  private void queue() throws InterruptedException {
    long since = System.nanoTime();
    ticket = step.ticket;
    entered = ticket;
    Waiters.Waiter waiter = pool.waiters().enter(ticket);
    send();
    boolean waits = true;
    while (waits) {
      waits = look(waiter);
    }
    withdraw();
    queuedNs += System.nanoTime() - since;
  }

  /** Also once before it sleeps: see {@link Waiters#enter}. */
  private boolean look(Waiters.Waiter waiter) throws InterruptedException {
    boolean wasTold = waiter.isTold();
    waiter.forget();
    if (failedForGood) {
      throwError();
    }
    if (!continues()) {
      return false;
    }
    pool.heed(step);
    Step next = send();
    if (next.work == Step.CLOSE) { // an idle one was in the way
      return true;
    }
    if (wasTold && next.work == Step.NONE) { // another thread was faster, and would be again
      waiter.rest(pool, REST_NS);
    }
    sleep(waiter, next.lookAgainNs);
    if (isOver()) {
      last();
      return false;
    }
    return true;
  }

  /** Asks with the ticket. False: the wait is over. */
  private boolean continues() {
    said = pool.begin(timeoutMs, ticket);
    read();
    if (step.ticket == ticket) {
      return true;
    }
    ticket = 0;
    return false;
  }

  /** Has others do what the step asks for, while this get waits on. */
  private Step send() {
    Step next = step;
    if (next.work == Step.OPEN || next.work == Step.CHECK) {
      long mine = ticket;
      pool.workers().run(new Errand(next, mine));
    } else {
      pool.hand(next);
    }
    step = null;
    return next;
  }

  /** What others may have of it, if they come first. An error ends the wait; what else fails is the library's business. */
  private final class Errand extends Debt implements Runnable {
    private final long mine;

    private Errand(Step work, long mine) {
      super(0);
      step = work;
      this.mine = mine;
    }

    @Override
    public void run() {
      if (!step.begin()) {
        return;
      }
      try {
        said = pool.work(step, Get.this);
        step = null;
        pool.settle(this, false);
      } catch (Throwable e) {
        pool.leave(this);
        throw e;
      }
      if (failure instanceof Error) {
        failedForGood = true; // not before the library knows
        pool.waiters().wake(mine);
      }
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
  private void last() {
    if (!continues()) {
      return;
    }
    pool.heed(step);
    send();
    said = Step.cancel(ticket);
    ticket = 0;
    read();
    if (step.result == 0) {
      pool.drop(step);
      step = Step.failed(CoreConstants.POOL_E_TIMEOUT, step.message);
    }
  }

  // ---- how it ends

  /** An open has failed, before the library hears of it and perhaps tells this get that it is over. */
  void note(Throwable failure) {
    this.failure = failure;
  }

  private void throwError() {
    if (failure instanceof Error error) {
      throw error;
    }
  }

  private boolean isOver() {
    return timeoutMs > 0 && leftNs() <= 0;
  }

  private long leftNs() {
    return deadline - System.nanoTime();
  }

  private long fail(Step last) throws X {
    pool.hand(last);
    step = null;
    throwError();
    if (last.result == CoreConstants.POOL_E_OPEN && failure != null) {
      throw thrown(failure);
    }
    if (last.result != CoreConstants.POOL_E_TIMEOUT) {
      throw pool.failure((int) last.result, last.message);
    }
    if (timeoutMs == 0) {
      return 0;
    }
    var timeout = new PoolTimeoutException(last.message != null ? last.message : late());
    timeout.initCause(failure != null ? failure : pool.lastFailure());
    Flight.timeout(pool.name(), timeout.getMessage());
    throw timeout;
  }

  /** In the library's words: for it this get ended well, or else in another way. */
  private String late() {
    PoolStats now = pool.stats();
    return String.format(
        "%s: no connection in time: %d ms went by in the queue, %d ms in open or check; "
            + "%d%s are open, %d leased, %d idle, %d wait%s",
        pool.name(),
        TimeUnit.NANOSECONDS.toMillis(queuedNs),
        TimeUnit.NANOSECONDS.toMillis(workedNs),
        now.open(),
        now.maxOpen() > 0 ? " of " + now.maxOpen() : "",
        now.leased(),
        now.idle(),
        now.waiting(),
        now.oldestLeaseNs() > 0
            ? "; the oldest lease is out for " + TimeUnit.NANOSECONDS.toMillis(now.oldestLeaseNs()) + " ms"
            : "");
  }

  @SuppressWarnings("unchecked") // the opener has thrown it
  private X thrown(Throwable failure) {
    return (X) failure;
  }
}
