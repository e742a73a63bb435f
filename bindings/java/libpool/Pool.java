// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.Reference;
import java.nio.channels.ClosedByInterruptException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;

/**
 * A pool keeps connections open and lends them. All methods may be called by any thread at any moment.
 *
 * <pre>{@code
 * try (var pool = Pool.builder(() -> new Socket("localhost", 1234)).maxOpen(5).build();
 *     var lease = pool.get(Duration.ofSeconds(1))) {
 *   use(lease.conn());
 * }
 * }</pre>
 *
 * @param <C> the kind of connection
 * @param <X> what its opener may throw, which is what a get may throw
 */
public final class Pool<C, X extends Exception> extends CommonPool {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final byte[] NOT_GOOD = "the checker says no".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] NOTHING = {};
  private static final int MESSAGE_BYTES = 495; // as pool_error_t has them, but one
  private static final Set<Pool<?, ?>> POOLS = Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));

  private final Opener<C, X> opener;
  private final Closer<? super C> closer;
  private final Checker<? super C> checker;
  private final Resetter<? super C> resetter;
  private final Consumer<? super Leak> leakReport; // null: leaks are not looked for
  private final Consumer<? super Event> events; // null: nobody wants to know
  private final System.Logger log; // null: the same
  private final int eventMask; // 0: all
  private final Map<Long, Watch> watches = new ConcurrentHashMap<>(); // by the numbers of their leases
  private final Waiters waiters = new Waiters();
  private final AtomicInteger places = new AtomicInteger(); // that are taken, by an open under way as well
  private volatile int maxOpen; // 0: no cap
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition drained = lock.newCondition();
  private final ReentrantLock telling = new ReentrantLock(); // whoever has it tells events, in their order
  private final Keeper keeper;
  private boolean listens; // guarded by keeper: a thread hears of poolctl
  private volatile boolean closed;
  private volatile Throwable lastFailure; // null: none, or an open has succeeded since

  Pool(PoolBuilder<C, X> builder, Config config) {
    super(config, builder.name, create(builder, config));
    opener = builder.opener;
    closer = builder.closer;
    checker = builder.checker;
    resetter = builder.resetter;
    events = builder.events;
    log = builder.log;
    leakReport = builder.leakReport != null || config.getLeak_after_ms() <= 0 ? builder.leakReport : Pool::warn;
    eventMask = config.getEvent_mask();
    maxOpen = config.getMax_open();
    keeper = new Keeper(this);
    freer.setKeeper(keeper);
  }

  /** The library finds leaks, of which it tells by an event. */
  private static long create(PoolBuilder<?, ?> builder, Config config) {
    int mask = config.getEvent_mask();
    if (config.getLeak_after_ms() > 0 && (builder.events == null || mask != 0)) {
      config.setEvent_mask((builder.events == null ? 0 : mask) | 1 << CoreConstants.POOL_EVENT_LEAKED);
    }
    try {
      return Core.pool_step_new(config, abilities(builder, config), builder.name);
    } finally {
      config.setEvent_mask(mask);
    }
  }

  /** A virtual thread is no thread of the system, by which the library knows who waits for whom. */
  private static int abilities(PoolBuilder<?, ?> builder, Config config) {
    boolean hasVirtualThreads = Runtime.version().feature() >= 21;
    return (builder.checker == null ? 0 : CoreConstants.POOL_STEP_CHECKS)
        | (builder.resetter == null ? 0 : CoreConstants.POOL_STEP_RESETS)
        | (hasVirtualThreads ? 0 : CoreConstants.POOL_STEP_THREADS)
        | (builder.events == null && config.getLeak_after_ms() <= 0 ? 0 : CoreConstants.POOL_STEP_EVENTS)
        | (builder.log == null ? 0 : CoreConstants.POOL_STEP_LOG);
  }

  /**
   * Begins to build a pool.
   *
   * @param opener opens a connection; what it throws, a get throws
   */
  public static <C, X extends Exception> PoolBuilder<C, X> builder(Opener<C, X> opener) {
    return new PoolBuilder<>(Objects.requireNonNull(opener, "opener"));
  }

  /** The version of the C library, as "MAJOR.MINOR.PATCH". */
  public static String version() {
    return Core.pool_version();
  }

  /**
   * Shows all pools of the process to the program poolctl, those that are made later too, data sources and {@link
   * DriverPool}s included; as {@code POOL_EXPOSE=1} in the environment does.
   *
   * @throws PoolException if the socket for it cannot be made
   */
  public static void exposeAll() {
    Core.pool_expose_all();
    List<Pool<?, ?>> pools;
    synchronized (POOLS) {
      pools = List.copyOf(POOLS);
    }
    pools.forEach(Pool::listen);
  }

  @Override
  public void expose() {
    super.expose();
    listen();
  }

  /** Where poolctl can steer the pool, somebody has to hear of it. */
  private void listen() {
    synchronized (keeper) {
      if (!closed && !listens) {
        listens = Listener.start(this);
      }
    }
  }

  // ---- get and put

  /** The same as {@link #get(Duration)} with the configured timeout. */
  public Lease<C> get() throws X, InterruptedException {
    return get(getTimeoutMs);
  }

  /**
   * Gets a connection: an idle one, else a new one if there is room, else the next that is given back, in order of
   * arrival. Only a get that has to wait looks whether its thread was interrupted.
   *
   * @param timeout for waiting and opening together; 0 or more; what is too long for a clock is for ever
   * <p>If the opener throws an exception while another connection may still come, the get waits for that and opens again
   * from time to time. An error, or that its thread was interrupted, leaves the get at once.
   *
   * @throws X what the opener throws, if no other connection may come
   * @throws PoolTimeoutException if the time is over, with what the opener threw as its cause; a connection whose opening
   *     took too long is kept for the next
   * @throws PoolClosedException if the pool is closed, also meanwhile
   * @throws PoolOverloadException if too many are waiting
   * @throws PoolEvictedException if {@link #evict()} ends the wait
   * @throws PoolOpenException if opens keep failing and the breaker is open
   * @throws InterruptedException if the thread is interrupted while it waits; then it has got nothing
   */
  public Lease<C> get(Duration timeout) throws X, InterruptedException {
    Lease<C> lease = get(atLeastZero(timeout, "timeout"));
    if (lease == null) {
      throw failure(CoreConstants.POOL_E_TIMEOUT, null);
    }
    return lease;
  }

  /**
   * Gets a connection without waiting for others: an idle one or, if there is room, a new one.
   *
   * @return a lease, or null if there is none now
   * @throws X what the opener throws
   */
  public Lease<C> tryGet() throws X {
    try {
      return get(0);
    } catch (InterruptedException e) {
      throw new AssertionError("who does not wait is not interrupted", e);
    }
  }

  private Lease<C> get(long timeoutMs) throws X, InterruptedException {
    Lease<C> lease = new Lease<>(this); // before there is anything that a lack of memory could lose
    boolean looks = events == null && isFull(); // so as not to queue at once: see Get; that it failed would be told
    long number = Step.begin(handle, looks ? 0 : timeoutMs, 0);
    if (number <= 0) {
      number = new Get<>(this, timeoutMs).pursue(number, looks);
    }
    return number == 0 ? null : lend(lease, number);
  }

  private Lease<C> lend(Lease<C> lease, long number) {
    Watch watch = leakReport == null ? null : watch(lease, number);
    lease.lend(number, connection(number), watch);
    return lease;
  }

  /** Whether each lease is watched. */
  boolean looksForLeaks() {
    return leakReport != null;
  }

  /** For a lease. Runs once for each, at the most. */
  void put(long number, boolean usable) {
    if (!usable) {
      mark(number, false);
    }
    end(number);
  }

  /** The same for a connection that broke: those that are idle are checked. */
  void putBroken(long number) {
    mark(number, true);
    end(number);
    attend();
  }

  private void end(long number) {
    long said = Step.end(number);
    if (said != 0) {
      settle(said);
    }
  }

  private static void mark(long number, boolean broken) {
    try {
      if (broken) {
        Core.pool_mark_broken(number);
      } else {
        Core.pool_mark_unusable(number);
      }
    } catch (IllegalStateException e) {
      // somebody else has ended it at this moment
    }
  }

  @SuppressWarnings("unchecked") // only what the opener returned is in the table
  private C connection(long number) {
    return (C) Table.get(number);
  }

  // ---- the work that the library asks for

  long begin(long timeoutMs, long ticket) {
    return Step.begin(handle, timeoutMs, ticket);
  }

  /** Whether there is no room to open, as far as can be said without the library. */
  boolean isFull() {
    return maxOpen > 0 && places.get() >= maxOpen;
  }

  Waiters waiters() {
    return waiters;
  }

  /** What a step says to others. */
  void heed(Step step) {
    waiters.wake(step.wake);
    if (step.more) {
      attend();
    }
  }

  /** Somebody else has steered the pool. Those who wait look for themselves, for the keeper may be late. */
  void attendToOthers() {
    keeper.tell();
    waiters.wakeAll();
  }

  /** Those who wait look for themselves where the keeper might be late to tell them. */
  private void attend() {
    if (closed || !keeper.tell()) {
      waiters.wakeAll();
    }
    if (closed) {
      tellEvents();
    }
  }

  /** Whatever was said, nobody wants a lease: it is ended, work is done, and those who are to be told are told. */
  void settle(long said) {
    while (said != 0 && !Step.isError(said)) {
      if (said > 0) {
        said = Step.end(said);
        continue;
      }
      Step step = Step.of(said);
      heed(step);
      said = step.work != Step.NONE ? perform(step) : Math.max(step.result, 0);
    }
  }

  /** Does the work of a step for nobody in particular. Returns what was said then. */
  long perform(Step step) {
    switch (step.work) {
      case Step.OPEN:
        try {
          return open(step);
        } catch (Throwable e) {
          LOG.log(System.Logger.Level.DEBUG, () -> name + ": an open failed", e);
          return 0;
        }
      case Step.CHECK:
        return check(step.claim);
      case Step.RESET:
        return reset(step.claim);
      case Step.CLOSE:
        return close(step);
      default:
        return Step.done(step.claim);
    }
  }

  /** Opens a connection. Returns what was said then; if it fails, everything is told and done before that is thrown. */
  private long open(Step step) throws X {
    try {
      return tryToOpen(step);
    } catch (Throwable e) {
      settle(failOpen(step, e));
      throw e;
    } finally {
      changed();
    }
  }

  /** The same for a get. If it fails and the get has a ticket to wait on with, that is told and not thrown. */
  Step openFor(Step step, Consumer<? super Exception> failed) throws X {
    try {
      return Step.of(tryToOpen(step));
    } catch (Throwable e) {
      Step after = Step.of(failOpen(step, e));
      if (after.ticket != 0 && e instanceof Exception exception) {
        failed.accept(exception);
        return after;
      }
      heed(after);
      if (after.work != Step.NONE) {
        settle(perform(after));
      }
      if (after.ticket != 0) {
        settle(Step.cancel(after.ticket));
      }
      throw e;
    } finally {
      changed();
    }
  }

  private long tryToOpen(Step step) throws X {
    places.incrementAndGet();
    Table.set(step.claim, Objects.requireNonNull(opener.open(), "the opener returned null"));
    lastFailure = null;
    return Step.done(step.claim);
  }

  private long failOpen(Step step, Throwable failure) {
    Table.take(step.claim);
    places.decrementAndGet();
    lastFailure = failure;
    return fail(step.claim, failure);
  }

  /** Of the last open, or null. */
  Throwable lastFailure() {
    return lastFailure;
  }

  static boolean isInterrupt(Throwable failure) {
    return failure instanceof InterruptedException
        || failure instanceof ClosedByInterruptException
        || Thread.currentThread().isInterrupted();
  }

  /** Who gave up because his thread was interrupted says nothing about the server. */
  private static long fail(long claim, Throwable failure) {
    int code = isInterrupt(failure) ? CoreConstants.POOL_E_TIMEOUT : CoreConstants.POOL_E_OPEN;
    return Step.fail(claim, code, describe(failure));
  }

  /** Without words rather than not at all: stack or memory may be short. */
  private static byte[] describe(Throwable failure) {
    try {
      return Text.line(failure, MESSAGE_BYTES);
    } catch (Throwable e) {
      return NOTHING;
    }
  }

  private long check(long claim) {
    try {
      if (checker == null || checker.check(connection(claim))) {
        return Step.done(claim);
      }
      return Step.fail(claim, CoreConstants.POOL_E_OPEN, NOT_GOOD);
    } catch (Throwable e) {
      LOG.log(System.Logger.Level.DEBUG, () -> name + ": a check failed", e);
      return fail(claim, e);
    }
  }

  private long reset(long claim) {
    try {
      resetter.reset(connection(claim));
      return Step.done(claim);
    } catch (Throwable e) {
      LOG.log(System.Logger.Level.DEBUG, () -> name + ": a reset failed", e);
      return fail(claim, e);
    }
  }

  @SuppressWarnings("unchecked") // only what the opener returned is in the table
  private long close(Step step) {
    long said;
    try {
      closer.close((C) Table.take(step.claim));
      said = Step.done(step.claim);
    } catch (Throwable e) {
      LOG.log(System.Logger.Level.WARNING, () -> name + ": a connection could not be closed", e);
      said = fail(step.claim, e);
    }
    places.decrementAndGet();
    changed();
    return said;
  }

  /** The number of connections has changed: whoever drains should look. */
  private void changed() {
    if (closed) {
      lock.lock();
      try {
        drained.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /** @param message or null, for the library's usual words */
  RuntimeException failure(int code, String message) {
    String usual = Core.pool_strerror(code);
    boolean isUsual = message == null || message.equals(usual);
    RuntimeException failure = PoolException.of(code, isUsual ? name + ": " + usual : message);
    if (failure instanceof PoolOpenException) {
      failure.initCause(lastFailure);
    }
    return failure;
  }

  // ---- what is due

  /** For the keeper: does it, and returns in how many nanoseconds to look again. */
  long maintain() {
    try {
      Core.pool_maintain(handle);
      long dueNs = doNext();
      tellEvents();
      return dueNs;
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** What waits for anybody to do it. Returns in how many nanoseconds to look at the time again. */
  private long doNext() {
    for (; ; ) {
      Step step = Step.of(Step.next(handle));
      if (step.result <= 0) {
        return step.result == 0 ? step.dueNs : Step.NEVER;
      }
      waiters.wake(step.wake);
      if (step.work != Step.NONE) {
        keeper.setBusy(true);
        try {
          settle(perform(step));
        } finally {
          keeper.setBusy(false);
        }
      }
    }
  }

  private void changeAndTell() {
    if (doNext() == 0) {
      attend();
    }
    Reference.reachabilityFence(this);
  }

  // ---- events

  private void tellEvents() {
    boolean tells = events != null || log != null || leakReport != null;
    if (!tells || telling.isHeldByCurrentThread()) { // who is told does something that is told later
      return;
    }
    telling.lock();
    try {
      for (Step.Told told; (told = Step.Told.next(handle, name)) != null; ) {
        tell(told);
      }
    } finally {
      telling.unlock();
    }
  }

  private void tell(Step.Told told) {
    try {
      if (told.level() != 0 && log != null) {
        log.log(levelOf(told.level()), told.line());
      }
      if (told.code() == CoreConstants.POOL_EVENT_LEAKED) {
        reportLate(told.event().lease());
      }
      if (events != null && isWanted(told.code())) {
        events.accept(told.event());
      }
    } catch (Throwable e) {
      LOG.log(System.Logger.Level.WARNING, () -> name + ": who wants to know of events failed", e);
    }
  }

  private boolean isWanted(int event) {
    return event != 0 && (eventMask == 0 || (eventMask & 1 << event) != 0);
  }

  private static System.Logger.Level levelOf(int level) {
    return switch (level) {
      case CoreConstants.POOL_LOG_ERROR -> System.Logger.Level.ERROR;
      case CoreConstants.POOL_LOG_WARN -> System.Logger.Level.WARNING;
      default -> System.Logger.Level.INFO;
    };
  }

  // ---- control

  /**
   * Replaces all connections: idle ones are closed now, others when they come back. The pool goes on.
   *
   * @return how many connections are concerned
   */
  public int flush() {
    int count = Core.pool_flush(handle);
    changeAndTell();
    return count;
  }

  /**
   * Lends nothing until {@link #resume()}: gets wait, until their deadline. Pauses are counted.
   *
   * @return how many connections are in use; 0: the pool is quiet
   */
  public int pause() {
    try {
      return Core.pool_pause(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Takes one {@link #pause()} back.
   *
   * @return how many pauses remain
   * @throws IllegalArgumentException if there was none
   */
  public int resume() {
    int left = Core.pool_resume(handle);
    changeAndTell();
    return left;
  }

  /**
   * Ends the waits of all gets that wait now, with a {@link PoolEvictedException}; those that come later wait as ever.
   *
   * @return how many
   */
  public int evict() {
    int count = Core.pool_evict(handle);
    changeAndTell();
    return count;
  }

  /**
   * Changes the hard cap. Larger: waiters may open at once. Smaller: idle connections that are too many are closed
   * now, others when they come back.
   *
   * @param maxOpen as the setting: 0 means no hard cap
   * @return how many connections are still too many
   * @throws IllegalArgumentException if it is out of range or below minIdle or minOpen
   */
  public int resize(int maxOpen) {
    int left = Core.pool_resize(handle, maxOpen);
    this.maxOpen = maxOpen;
    changeAndTell();
    return left;
  }

  // ---- leaks

  private Watch watch(Lease<C> lease, long number) {
    try {
      Watch watch = Watch.begin(this, lease, number);
      watches.put(number, watch);
      return watch;
    } catch (Throwable e) {
      settle(number);
      throw e;
    }
  }

  void forget(Watch watch) {
    watches.remove(watch.number());
  }

  /** Nobody has this lease any more: its place is free again. */
  void recover(Watch watch) {
    forget(watch);
    report(watch.leak(true));
    put(watch.number(), false);
  }

  /** The lease may have ended meanwhile. */
  private void reportLate(long number) {
    Watch watch = watches.get(number);
    if (watch != null) {
      report(watch.leak(false));
    }
  }

  private void report(Leak leak) {
    try {
      leakReport.accept(leak);
    } catch (Throwable e) {
      LOG.log(System.Logger.Level.WARNING, () -> name + ": the report of a leak failed", e);
    }
  }

  private static void warn(Leak leak) {
    String what = leak.lost() ? "was lost and never closed" : "is out for too long";
    LOG.log(System.Logger.Level.WARNING, () -> leak.pool() + ": a lease " + what, leak.where());
  }

  // ---- closing

  boolean isClosed() {
    return closed;
  }

  @Override
  int drain(long drainMs) throws InterruptedException {
    closed = true;
    freer.close();
    Core.pool_close(handle, 0);
    keeper.end();
    Step.ring(handle); // the listener ends
    long left = drainMs < 0 ? Long.MAX_VALUE : TimeUnit.MILLISECONDS.toNanos(drainMs);
    for (; ; ) {
      changeAndTell();
      tellEvents();
      lock.lock();
      try {
        int open = Core.pool_close(handle, 0);
        if (open == 0 || left <= 0) {
          return open;
        }
        left = drained.awaitNanos(left);
      } finally {
        lock.unlock();
      }
    }
  }

  /** Opens the first connections, all of them or none. */
  void fill(int initial) throws X {
    boolean filled = false;
    try {
      for (int i = 0; i < initial && !closed; i++) {
        Step step = Step.of(Step.next(handle)); // as often as this it asks for an open
        heed(step);
        settle(step.work == Step.OPEN ? open(step) : perform(step));
      }
      filled = true;
    } finally {
      if (!filled) {
        drainNow();
      }
    }
    boolean tells = events != null || log != null;
    keeper.begin(tells || Core.pool_maintain(handle) != Step.NEVER);
    POOLS.add(this);
    listen();
  }

  private void drainNow() {
    try {
      drain(0);
    } catch (InterruptedException e) {
      throw new AssertionError("who does not wait is not interrupted", e);
    }
  }
}
