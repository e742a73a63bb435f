// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A pool keeps connections open and lends them. All methods may be called by any thread at any moment.
 *
 * <pre>{@code
 * try (var pool = Pool.builder(() -> new Socket("localhost", 1234)).maxOpen(5).name("prices").build()) {
 *   try (var lease = pool.get(Duration.ofSeconds(1))) {
 *     lease.conn().getOutputStream().write(42);
 *   } // given back
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
  private static final long COURTESY_MS = 1000; // so long a flush waits for its closes at most
  private static final long PROMPTNESS_MS = 100; // and so long a close that has no time to wait
  private static final long SLOW_OPEN_NS = TimeUnit.SECONDS.toNanos(1); // longer, and nobody counts on it
  private static final long LOOK_NS = TimeUnit.SECONDS.toNanos(1); // so often one who drains looks without being told
  private static final long FEW_TICKS_MS = 100; // of the clock by which the library limits what it lends
  private static final int MESSAGE_BYTES = 495; // as pool_error_t has them, but one
  private static final Set<Pool<?, ?>> POOLS = Collections.synchronizedSet(Collections.newSetFromMap(new WeakHashMap<>()));

  private final Opener<C, X> opener;
  private final Closer<? super C> closer;
  private final Checker<? super C> checker;
  private final Resetter<? super C> resetter;
  private volatile Consumer<? super Leak> leakReport; // null: leaks are not looked for
  private final Consumer<? super Leak> leakReportOfProgram; // or null
  private final Consumer<? super Event> events; // null: nobody wants to know
  private final System.Logger log; // null: the same
  private final int eventMask; // 0: all
  private final Watches watches = new Watches();
  final View view; // null: all is asked of the library
  private final Group<C, X> group; // or null; it is not given up before its pools
  private final Waiters waiters = new Waiters();
  private final AtomicInteger places = new AtomicInteger(); // that are taken, by an open under way as well
  private volatile int maxOpen; // 0: no cap
  private final boolean usesCounted;
  final boolean shares; // it has a budget
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition drained = lock.newCondition();
  private final ReentrantLock telling = new ReentrantLock(); // the thread that has it tells events, in their order
  private volatile boolean untold; // something may have happened since that thread looked last
  private final Keeper keeper;
  private volatile Delayed delayed; // null: nothing
  private final Workers workers;
  private final AtomicInteger attended = new AtomicInteger(); // gets that wait for work, without a place in the queue
  final AtomicInteger refills = new AtomicInteger(); // opens under way that no get asked for
  private final AtomicInteger closing = new AtomicInteger(); // closes and resets under way, and threads that may begin some
  final Debts debts = new Debts();
  private boolean listens; // guarded by keeper: a thread hears of poolctl and the budget
  private volatile boolean closed;
  private volatile Throwable lastFailure; // null: none, or an open has succeeded since
  long promptnessMs = PROMPTNESS_MS; // for tests

  Pool(PoolBuilder<C, X> builder, Config config) {
    this(builder, config, null, null);
  }

  /**
   * @param group whose pool of this key it is, or null; it listens for all of its pools
   */
  Pool(PoolBuilder<C, X> builder, Config config, Group<C, X> group, byte[] key) {
    super(config, builder.name, create(builder, config, group, key));
    this.group = group;
    opener = builder.opener;
    closer = builder.closer;
    checker = builder.checker;
    resetter = builder.resetter;
    events = builder.events;
    log = builder.log;
    leakReportOfProgram = builder.leakReport;
    lookForLeaks(config.getLeak_after_ms());
    eventMask = config.getEvent_mask();
    maxOpen = config.getMax_open();
    usesCounted = config.getMax_uses() > 0;
    shares = Core.pool_config_shares(config) != 0;
    view = View.of(handle);
    trustTicks();
    keeper = new Keeper(this, group != null);
    workers = new Workers(name);
    Flight.isThere(); // loads what is needed where memory may be short
    freer.setKeeper(keeper, group == null);
    freer.closesWith(workers, builder.closer);
  }

  /** The library finds leaks, of which it tells by an event, perhaps after a change of settings. */
  private static long create(PoolBuilder<?, ?> builder, Config config, Group<?, ?> group, byte[] key) {
    int mask = config.getEvent_mask();
    if (builder.events == null || mask != 0) {
      config.setEvent_mask((builder.events == null ? 0 : mask) | 1 << CoreConstants.POOL_EVENT_LEAKED);
    }
    try {
      return group == null
          ? Core.pool_step_new(config, abilities(builder, config), builder.name)
          : group.make(key, config);
    } finally {
      config.setEvent_mask(mask);
    }
  }

  /** A virtual thread is no thread of the system, by which the library knows which thread waits for which. */
  static int abilities(PoolBuilder<?, ?> builder, Config config) {
    boolean hasVirtualThreads = Runtime.version().feature() >= 21;
    return CoreConstants.POOL_STEP_DETACHED
        | (builder.checker == null ? 0 : CoreConstants.POOL_STEP_CHECKS)
        | (builder.resetter == null ? 0 : CoreConstants.POOL_STEP_RESETS)
        | (hasVirtualThreads ? 0 : CoreConstants.POOL_STEP_THREADS)
        | CoreConstants.POOL_STEP_EVENTS
        | (builder.log == null ? 0 : CoreConstants.POOL_STEP_LOG);
  }

  /**
   * Begins to build a pool.
   *
   * @param <C> the kind of connection
   * @param <X> what the opener may throw
   * @param opener opens a connection; what it throws, a get throws
   *
   * @return a builder
   */
  public static <C, X extends Exception> PoolBuilder<C, X> builder(Opener<C, X> opener) {
    return new PoolBuilder<>(Objects.requireNonNull(opener, "opener"));
  }

  /**
   * The version of the C library, as "MAJOR.MINOR.PATCH".
   *
   * @return the version
   */
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

  /** Where poolctl or a budget can steer the pool, somebody has to hear of it. */
  private void listen() {
    synchronized (keeper) {
      if (!closed && !listens && group == null) {
        listens = Listener.start(this);
      }
    }
  }

  // ---- get and put

  /**
   * The same as {@link #get(Duration)} with the configured timeout.
   *
   * @return a lease
   * @throws X what the opener throws
   * @throws InterruptedException if the thread is interrupted while it waits
   */
  public Lease<C> get() throws X, InterruptedException {
    return get(getTimeoutMs);
  }

  /**
   * Gets a connection: an idle one, else a new one if there is room, else the next that is given back, in order of
   * arrival within {@code fairness}. Only a get that has to wait looks whether its thread was interrupted.
   *
   * @param timeout for waiting and opening together; 0 or more; what is too long for a clock is for ever
   * <p>Connections are opened and checked in threads of the pool. The get waits meanwhile and takes what comes first. If
   * the opener throws an exception while another connection may still come, the get waits for that and has it tried again
   * from time to time. An error leaves the get at once. An open that a get no longer waits for goes on, and its
   * connection is for the next.
   * @return a lease
   * @throws X what the opener throws, if no other connection may come
   * @throws PoolTimeoutException if the time is over, with what the opener threw as its cause; a connection whose opening
   *     took too long is kept for the next
   * @throws PoolClosedException if the pool is closed, also meanwhile
   * @throws PoolOverloadException if too many are waiting
   * @throws PoolEvictedException if {@link #evict()} ends the wait
   * @throws PoolOpenException if opens keep failing and the breaker is open
   * @throws InterruptedException if the thread is interrupted while it waits; then it has got nothing
   *
   */
  public Lease<C> get(Duration timeout) throws X, InterruptedException {
    Lease<C> lease = get(atLeastZero(timeout, "timeout"));
    if (lease == null) {
      throw failure(CoreConstants.POOL_E_TIMEOUT, null);
    }
    return lease;
  }

  /**
   * Gets a connection without waiting for others: an idle one or, if there is room, a new one. An interrupt does not end
   * the wait for that.
   *
   * @return a lease, or null if there is none now
   * @throws X what the opener throws
   */
  public @Nullable Lease<C> tryGet() throws X {
    try {
      return get(0);
    } catch (InterruptedException e) {
      throw new AssertionError("a get that does not wait was interrupted", e);
    }
  }

  private Lease<C> get(long timeoutMs) throws X, InterruptedException {
    Lease<C> lease = new Lease<>(this); // before there is anything that a lack of memory could lose
    return get(lease, timeoutMs) ? lease : null;
  }

  /** Gets a connection for it. Returns false if there is none, and no time to wait. */
  @SuppressWarnings("unchecked") // only what the opener returned is in the table
  boolean get(Holding<C> holding, long timeoutMs) throws X, InterruptedException {
    View view = this.view;
    long number = 0;
    try {
      int home = view == null ? -1 : view.home();
      number = view == null ? 0 : view.take(home);
      if (number == 0 || view.asksWhether(home, number)) {
        number = ask(number, timeoutMs); // if it throws, the lease is over, or it is not and ends below
        if (number == 0) {
          return false;
        }
      }
      int slot = (int) number & Table.SLOT_MASK; // no calls before it has its number: the stack may be too short for one
      holding.connection = (C) Table.PAGES[slot >> Table.PAGE_BITS][slot & (Table.PAGE_SIZE - 1)];
      holding.number = number;
      holding.begin();
      if (leakReport != null) { // last, for one that the get loses is no leak
        watch(holding, number);
      }
      return true;
    } catch (Throwable e) { // nor here
      if (number != 0) {
        holding.number = 0;
        if (holding.watch != null) {
          holding.watch.over = true;
        }
        synchronized (debts) {
          debts.numbers[debts.last = (debts.last + 1) & Debts.MASK] = number;
          debts.any = true;
        }
        attendToDebts();
      }
      throw e;
    }
  }

  /**
   * Has the library go on with a get. Returns a lease; or 0 if there is none, and no time to wait.
   *
   * @param taken a lease that this thread has already; 0: none
   */
  private long ask(long taken, long timeoutMs) throws X, InterruptedException {
    Get<C, X> get = null;
    long number = taken;
    try {
      boolean looks = events == null && isFull(); // so as not to queue at once: see Get; that it failed would be told
      long ms = looks ? 0 : timeoutMs;
      number = taken == 0 ? Step.begin(handle, ms, 0) : Step.taken(handle, ms, taken);
      if (number <= 0) {
        get = new Get<>(this, timeoutMs, number, looks);
        number = 0;
        number = get.pursue();
      }
      if (view != null && number != 0 && number != taken) { // of what it has taken this thread expects the next already
        view.expect(number);
      }
      return number;
    } catch (Throwable e) { // no calls: the stack may be too short for one
      if (number != 0
          || (get != null
              && (get.said != 0
                  || get.step != null
                  || get.ticket != 0
                  || get.job != null
                  || get.entered != 0
                  || get.attends))) {
        synchronized (debts) {
          if (number != 0) {
            debts.numbers[debts.last = (debts.last + 1) & Debts.MASK] = number;
          } else {
            get.next = debts.first;
            debts.first = get;
          }
          debts.any = true;
        }
        attendToDebts();
      }
      throw e;
    }
  }

  /** Sees to what was left behind: at once if that is possible; else the keeper does, or a later get. */
  void attendToDebts() {
    try {
      adopt();
    } catch (Throwable e) {
      keeper.tell();
    }
  }

  /** Ends what threads have left behind that failed for want of stack or memory, and could not even say so. */
  void adopt() {
    while (debts.any) {
      adopt(null);
    }
  }

  /** @param debt null: one of those that were left behind, if there are any */
  private void adopt(Debt debt) {
    try {
      debt = debt == null ? debts.take() : debt;
      if (debt != null) {
        debt.settle(this);
      }
    } catch (Throwable e) { // here, too; another time, then
      if (debt != null) {
        synchronized (debts) {
          debt.next = debts.first;
          debts.first = debt;
          debts.any = true;
        }
      }
      throw e;
    }
  }

  /** The same for a thread of the pool, in which it could not be done. */
  void leave(Debt debt) {
    if (debt.step != null) {
      debt.step.giveUp();
    }
    synchronized (debts) {
      debt.next = debts.first;
      debts.first = debt;
      debts.any = true;
    }
    keeper.tell();
  }

  /** From the next lease on. */
  private void lookForLeaks(long leakAfterMs) {
    leakReport = leakReportOfProgram != null || leakAfterMs <= 0 ? leakReportOfProgram : Pool::warn;
  }

  /** Whether the library need not be asked twice in a tick about a connection. */
  private void trustTicks() {
    if (view != null) {
      boolean haveTime =
          Stream.of("idle_timeout_ms", "max_lifetime_ms", "check_after_ms")
              .mapToLong(this::setting)
              .allMatch(ms -> ms <= 0 || ms >= FEW_TICKS_MS);
      view.trust(haveTime && events == null && !usesCounted);
    }
  }

  /** Whether each lease is watched. */
  boolean looksForLeaks() {
    return leakReport != null;
  }

  /** Ends a lease whose connection is not to be used again. */
  private void discard(long number) {
    Debt debt = new Debt(number);
    debt.spoilt = true;
    adopt(debt);
  }

  /** Returns false if somebody else has ended it at this moment. */
  static boolean mark(long number, boolean broken) {
    try {
      if (broken) {
        Core.pool_mark_broken(number);
      } else {
        Core.pool_mark_unusable(number);
      }
      return true;
    } catch (IllegalStateException e) {
      return false;
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

  /** How many gets wait. The library's own count has only those for which no open or check is under way. */
  int pending() {
    return waiters.count() + attended.get();
  }

  void attends(int more) {
    attended.addAndGet(more);
  }

  Waiters waiters() {
    return waiters;
  }

  Workers workers() {
    return workers;
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
    maxOpen = (int) setting("max_open");
    trustTicks();
    keeper.tell();
    waiters.wakeAll();
  }

  /** Those who wait look for themselves where the keeper might be late to tell them. */
  void attend() {
    if (closed || !keeper.tell()) {
      waiters.wakeAll();
    }
    if (closed) {
      tellEvents();
    }
  }

  /**
   * Nobody wants the lease that is owed: it is ended, work is done, and those who are to be told are told.
   *
   * @param behind whether this thread is the program's, in which only resets run
   */
  void settle(Debt debt, boolean behind) {
    for (; ; ) {
      if (debt.said > 0) {
        if (debt.spoilt) {
          mark(debt.said, false);
        }
        debt.said = endOrServe(debt.said);
      } else if (debt.step == null) {
        if (debt.said == 0 || Step.isError(debt.said)) {
          return;
        }
        debt.read();
      }
      if (debt.step != null) {
        settleStep(debt, behind);
      }
    }
  }

  /** A lease that was given back without the library is over; but those that wait may not know yet. */
  private static long endOrServe(long lease) {
    long said = Step.end(lease);
    return said == CoreConstants.POOL_E_STALE ? Step.given(lease) : said;
  }

  private void settleStep(Debt debt, boolean behind) {
    Step step = debt.step;
    heed(step);
    leaveQueue(step);
    long said = Math.max(step.result, 0);
    if (step.work == Step.RESET || (step.work != Step.NONE && !behind)) {
      said = perform(step);
    } else {
      hand(step);
    }
    debt.said = said;
    debt.step = null;
  }

  /** The same for what a get leaves, which waits for nothing. */
  void drop(Step step) {
    heed(step);
    hand(step);
    leaveQueue(step);
    if (step.result > 0) {
      workers.giveBack(new Work(() -> step.result));
    }
  }

  /** Nobody waits with the ticket that the step has given, so a lease that came to it would be nobody's. */
  private void leaveQueue(Step step) {
    if (step.ticket != 0) {
      workers.run(new Work(() -> Step.cancel(step.ticket)));
    }
  }

  /** Has work done that nobody in particular asked for. */
  void hand(Step step) {
    hand(step, new Batch()); // for which nobody waits
  }

  /** @param batch that is told when a close or reset is done */
  private void hand(Step step, Batch batch) {
    if (step.work == Step.NONE) {
      return;
    }
    Stack.requireForThread(); // so that there is some for the catch below
    boolean closes = step.work == Step.CLOSE || step.work == Step.RESET;
    Work work = new Work(step, closes ? () -> endClose(batch) : this::endRefill);
    if (closes) {
      batch.join();
      closing.incrementAndGet();
    } else {
      refills.incrementAndGet();
    }
    try {
      switch (step.work) {
        case Step.CLOSE -> workers.close(work);
        case Step.RESET -> workers.giveBack(work);
        default -> workers.run(work);
      }
    } catch (Throwable e) { // another does it again, or a thread does it all the same
      work.tellLast();
      throw e;
    }
  }

  /** In a thread of the pool. What it cannot do for want of memory is seen to later. */
  private final class Work extends Debt implements Runnable {
    private final LongSupplier asks; // what is to be asked of the library, or null
    private final AtomicReference<Runnable> last; // who is told once; or of null

    private Work(LongSupplier asks) {
      super(0);
      this.asks = asks;
      last = new AtomicReference<>();
    }

    private Work(Step step, Runnable last) {
      super(0);
      this.step = step;
      this.last = new AtomicReference<>(last);
      asks = null;
    }

    @Override
    public void run() {
      try {
        if (asks != null) {
          said = asks.getAsLong();
        } else if (step.begin()) {
          said = perform(step);
        }
        step = null;
        Pool.this.settle(this, false);
      } catch (Throwable e) {
        leave(this);
        throw e;
      } finally {
        tellLast();
      }
    }

    private void tellLast() {
      Runnable told = last.getAndSet(null);
      if (told != null) {
        told.run();
      }
    }
  }

  private void endClose(Batch batch) {
    batch.end();
    closing.decrementAndGet();
    changed();
  }

  private void endRefill() {
    refills.decrementAndGet();
    keeper.tell();
  }

  /** Does the work of a step for nobody in particular. Returns what was said then. */
  long perform(Step step) {
    switch (step.work) {
      case Step.OPEN:
        return open(step, null);
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

  /** Opens one of the first connections; if it fails, everything is told and done before that is thrown. */
  private void openFirst(Step step) throws X {
    Debt debt = new Debt(0);
    try {
      debt.said = tryToOpen(step);
    } catch (Throwable e) {
      debt.said = failOpen(step, e);
      throw e;
    } finally {
      adopt(debt);
    }
  }

  /** Opens or checks for a get, which is told of a failure before the library is. Returns what was said then. */
  long work(Step step, Get<?, ?> get) {
    return step.work == Step.OPEN ? open(step, get) : perform(step);
  }

  /** @param get null: nobody in particular */
  private long open(Step step, Get<?, ?> get) {
    try {
      return tryToOpen(step);
    } catch (Throwable e) {
      if (get != null) {
        get.note(e);
      }
      log(System.Logger.Level.DEBUG, "an open failed", e);
      return failOpen(step, e);
    } finally {
      changed();
    }
  }

  private long tryToOpen(Step step) throws X {
    places.incrementAndGet();
    Table.prepare(step.claim);
    Table.set(step.claim, Objects.requireNonNull(Flight.open(opener, name), "the opener returned null"));
    lastFailure = null;
    return Step.done(step.claim);
  }

  private long failOpen(Step step, Throwable failure) {
    closeQuietly(Table.take(step.claim)); // null but where the library could not be told of it
    places.decrementAndGet();
    lastFailure = failure;
    long said = fail(step.claim, failure);
    keeper.tell(); // an open may have to be tried again
    return said;
  }

  @SuppressWarnings("unchecked") // only what the opener returned is in the table
  private void closeQuietly(Object connection) {
    try {
      if (connection != null) {
        closer.close((C) connection);
      }
    } catch (Throwable e) {
      log(System.Logger.Level.WARNING, "a connection could not be closed", e);
    }
  }

  /** If that is possible: stack or memory may be short. */
  private void log(System.Logger.Level level, String what, Throwable e) {
    try {
      LOG.log(level, () -> name + ": " + what, e);
    } catch (Throwable again) {
      // then nobody reads of it
    }
  }

  /** Of the last open, or null. */
  Throwable lastFailure() {
    return lastFailure;
  }

  private static long fail(long claim, Throwable failure) {
    return Step.fail(claim, CoreConstants.POOL_E_OPEN, describe(failure));
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
      log(System.Logger.Level.DEBUG, "a check failed", e);
      return fail(claim, e);
    }
  }

  private long reset(long claim) {
    try {
      resetter.reset(connection(claim));
      return Step.done(claim);
    } catch (Throwable e) {
      log(System.Logger.Level.DEBUG, "a reset failed", e);
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
      log(System.Logger.Level.WARNING, "a connection could not be closed", e);
      said = fail(step.claim, e);
    }
    places.decrementAndGet();
    changed();
    return said;
  }

  /** The number of connections has changed: a thread that drains should look, and does so sometimes without being told. */
  private void changed() {
    if (closed) {
      try {
        lock.lock();
        try {
          countOpen();
          drained.signalAll();
        } finally {
          lock.unlock();
        }
      } catch (Throwable e) {
        // memory is short
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

  private record Delayed(long at, Runnable what) {}

  /** Has the keeper do something, once, in this many milliseconds. */
  void doLater(long ms, Runnable what) {
    delayed = new Delayed(System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(ms), what);
    keeper.tell();
  }

  /** Returns in how many nanoseconds there is something to do. */
  private long doDelayed() {
    Delayed now = delayed;
    long left = now == null ? Step.NEVER : now.at - System.nanoTime();
    if (left > 0) {
      return left;
    }
    delayed = null;
    now.what.run();
    return Step.NEVER;
  }

  /** For the keeper: has it done, and returns in how many nanoseconds to look again. */
  long maintain() {
    try {
      adopt();
      long delayedNs = doDelayed();
      Core.pool_maintain(handle);
      long dueNs = Math.min(delayedNs, doNext(new Batch()));
      keeper.setBusy(true); // what is told to the program may take long
      tellEvents();
      keeper.setBusy(false);
      return refills.get() > 0 ? Math.min(dueNs, SLOW_OPEN_NS) : dueNs;
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** Has done what waits for anybody to do it. Returns in how many nanoseconds to look at the time again. */
  private long doNext(Batch batch) {
    closing.incrementAndGet();
    try {
      for (; ; ) {
        Step step = Step.of(Step.next(handle));
        if (step.result <= 0) {
          return step.result == 0 ? step.dueNs : Step.NEVER;
        }
        waiters.wake(step.wake);
        hand(step, batch);
      }
    } finally {
      closing.decrementAndGet();
      changed();
    }
  }

  /** What is closed now is waited for, but no longer than a courtesy. */
  private void changeAndTell(long courtesyMs) {
    Batch closes = new Batch();
    if (doNext(closes) == 0) {
      attend();
    }
    closes.await(courtesyMs);
    Reference.reachabilityFence(this);
  }

  // ---- events

  /** While another thread tells, or this one further up, it is left to that: a listener may take long. */
  private void tellEvents() {
    boolean tells = events != null || log != null || leakReport != null;
    untold = true;
    while (tells && untold && !telling.isHeldByCurrentThread() && telling.tryLock()) {
      try {
        untold = false;
        for (Step.Told told; (told = Step.Told.next(handle, name)) != null; ) {
          tell(told);
        }
      } finally {
        telling.unlock();
      }
    }
  }

  /** Waits for another thread that tells. Returns how much of the time is left. */
  private long awaitTold(long ns) throws InterruptedException {
    if (ns <= 0 || !telling.isLocked() || telling.isHeldByCurrentThread()) {
      return ns;
    }
    long began = System.nanoTime();
    if (telling.tryLock(ns, TimeUnit.NANOSECONDS)) {
      telling.unlock();
      tellEvents();
    }
    return ns - (System.nanoTime() - began);
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
      LOG.log(System.Logger.Level.WARNING, () -> name + ": the listener of events failed", e);
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
    changeAndTell(COURTESY_MS);
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
    changeAndTell(COURTESY_MS);
    return left;
  }

  /**
   * Ends the waits of all gets that wait now, with a {@link PoolEvictedException}; those that come later wait as ever.
   *
   * @return how many
   */
  public int evict() {
    int count = Core.pool_evict(handle);
    changeAndTell(COURTESY_MS);
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
    this.maxOpen = (int) setting("max_open"); // another thread may have changed it since
    changeAndTell(COURTESY_MS);
    return left;
  }

  @Override
  void follow(String setting, long value) {
    super.follow(setting, value);
    switch (setting) {
      case "max_open" -> maxOpen = (int) setting("max_open");
      case "leak_after_ms" -> lookForLeaks(value);
      case "idle_timeout_ms", "max_lifetime_ms" -> trustTicks();
      default -> {}
    }
    changeAndTell(COURTESY_MS);
    keeper.tell();
  }

  // ---- leaks

  void watch(Holding<C> holding, long number) {
    Watch.begin(this, holding, number);
    if (watches.begin(holding.watch)) {
      report(holding.watch.leak(false));
    }
  }

  void forget(Watch watch) {
    watches.end(watch);
  }

  /** Nobody has this lease any more: its place is free again. */
  void recover(Watch watch) {
    forget(watch);
    report(watch.leak(true));
    discard(watch.number());
  }

  /** The lease may have ended meanwhile. */
  private void reportLate(long number) {
    Watch watch = watches.tell(number);
    if (watch != null) {
      report(watch.leak(false));
    }
  }

  private void report(Leak leak) {
    Consumer<? super Leak> told = leakReport;
    try {
      Flight.leak(leak);
      if (told != null) {
        told.accept(leak);
      }
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
    if (group == null) { // what rings makes a descriptor
      Step.ring(handle); // the listener ends
    }
    long left = drainMs < 0 ? Long.MAX_VALUE : TimeUnit.MILLISECONDS.toNanos(drainMs);
    for (; ; ) {
      adopt();
      changeAndTell(left > 0 ? 0 : PROMPTNESS_MS);
      tellEvents();
      left = awaitTold(left);
      lock.lock();
      try {
        int open = countOpen();
        if (open == 0) {
          return 0;
        }
        if (left <= 0) {
          return awaitClosing();
        }
        long wait = Math.min(left, LOOK_NS);
        left -= wait - drained.awaitNanos(wait);
      } finally {
        lock.unlock();
      }
    }
  }

  /**
   * Other threads close some, too. Those are waited for as those of this thread, before it is said how many are open. A
   * thread that is interrupted does not wait, and remains so.
   */
  private int awaitClosing() {
    try {
      long left = TimeUnit.MILLISECONDS.toNanos(promptnessMs);
      while (closing.get() > 0 && left > 0) {
        left = drained.awaitNanos(left);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return countOpen();
  }

  /** Of a pool that is closed. */
  private int countOpen() {
    try {
      int open = Core.pool_close(handle, 0);
      if (open == 0) {
        remains.close();
      }
      return open;
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** Opens the first connections, all of them or none. */
  void fill(int initial) throws X {
    boolean filled = false;
    try {
      for (int i = 0; i < initial && !closed; i++) {
        Step step = Step.of(Step.next(handle)); // as often as this it asks for an open
        heed(step);
        if (step.work == Step.OPEN) {
          openFirst(step);
        } else {
          settle(new Work(step, null), false);
        }
      }
      filled = true;
    } finally {
      if (!filled) {
        closeQuickly();
      }
    }
    begin();
  }

  /** It is complete. */
  void begin() {
    boolean tells = events != null || log != null;
    keeper.begin(tells || Core.pool_maintain(handle) != Step.NEVER);
    POOLS.add(this);
    listen();
  }

  /**
   * Ends the leases that are out, after something was done to the connection of each in a thread of the pool. What stands
   * in the slot of a lease is its connection if the lease is out after the look, too: else it may be another pool's.
   */
  void takeAll(Consumer<? super C> last) {
    Map<Long, C> seen = new HashMap<>();
    leases().forEach(info -> seen.put(info.lease(), connection(info.lease())));
    for (LeaseInfo info : leases()) {
      C connection = seen.get(info.lease());
      workers.abort(
          () -> {
            if (connection != null) {
              last.accept(connection);
            }
            discard(info.lease());
            watches.end(info.lease()); // which would keep the class loader of its user
          });
    }
  }

  void closeQuickly() {
    try {
      drain(0);
    } catch (InterruptedException e) {
      throw new AssertionError("a get that does not wait was interrupted", e);
    }
  }
}
