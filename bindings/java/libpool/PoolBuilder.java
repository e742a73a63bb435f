// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.stream.LongStream;

/**
 * The settings of a pool, with the names and defaults of the C library. Wrong ones are told by {@link #build()}, with
 * the library's message. Durations are rounded up to milliseconds.
 *
 * @param <C> the kind of connection
 * @param <X> what its opener may throw
 */
public final class PoolBuilder<C, X extends Exception> {
  final Opener<C, X> opener;
  Closer<? super C> closer = PoolBuilder::closeIfPossible;
  Checker<? super C> checker;
  Resetter<? super C> resetter;
  Consumer<? super Leak> leakReport;

  String name = "pool";
  private int initial;
  private int minIdle;
  private int maxIdle = -1;
  private int maxOpen;
  private int maxOpening;
  private int maxWaiters;
  private Order queue = Order.FIFO;
  private int retirePercent = 10;
  private int breakerAfter = 5;
  private Duration fairness = Duration.ofMillis(1);
  private Duration getTimeout = Duration.ofSeconds(30);
  private Duration idleTimeout = Duration.ZERO;
  private Duration maxLifetime = Duration.ZERO;
  private Duration checkAfter = Duration.ofMillis(-1);
  private Duration keepalive = Duration.ZERO;
  private Duration leakAfter = Duration.ZERO;
  private Duration retryMin = Duration.ZERO;
  private Duration retryMax = Duration.ofSeconds(5);
  private Duration overloadAfter = Duration.ofMillis(100);

  PoolBuilder(Opener<C, X> opener) {
    this.opener = opener;
  }

  private static void closeIfPossible(Object connection) throws Exception {
    if (connection instanceof AutoCloseable closeable) {
      closeable.close();
    }
  }

  /** Closes a connection; by default what is AutoCloseable is closed and anything else forgotten. */
  public PoolBuilder<C, X> closer(Closer<? super C> closer) {
    this.closer = Objects.requireNonNull(closer, "closer");
    return this;
  }

  /** Finds out whether a connection is still good; see {@link #checkAfter} and {@link #keepalive}. */
  public PoolBuilder<C, X> checker(Checker<? super C> checker) {
    this.checker = Objects.requireNonNull(checker, "checker");
    return this;
  }

  /** Makes a returned connection clean for its next user. */
  public PoolBuilder<C, X> resetter(Resetter<? super C> resetter) {
    this.resetter = Objects.requireNonNull(resetter, "resetter");
    return this;
  }

  /** Shown in messages and reports, so best one for each pool. */
  public PoolBuilder<C, X> name(String name) {
    this.name = Objects.requireNonNull(name, "name");
    return this;
  }

  /** So many are opened by {@link #build()}. */
  public PoolBuilder<C, X> initial(int initial) {
    this.initial = initial;
    return this;
  }

  /** So many are kept idle: opened in the background as others are lent or closed. */
  public PoolBuilder<C, X> minIdle(int minIdle) {
    this.minIdle = minIdle;
    return this;
  }

  /** More than that are closed on return; -1: as many as maxOpen or, where there is no hard cap, 10. */
  public PoolBuilder<C, X> maxIdle(int maxIdle) {
    this.maxIdle = maxIdle;
    return this;
  }

  /** Hard cap on connections; 0: none. */
  public PoolBuilder<C, X> maxOpen(int maxOpen) {
    this.maxOpen = maxOpen;
    return this;
  }

  /** At most so many are being opened at one time; 0: no limit. */
  public PoolBuilder<C, X> maxOpening(int maxOpening) {
    this.maxOpening = maxOpening;
    return this;
  }

  /** At most so many wait, the next gets a {@link PoolOverloadException}; 0: no limit. */
  public PoolBuilder<C, X> maxWaiters(int maxWaiters) {
    this.maxWaiters = maxWaiters;
    return this;
  }

  /** How long the first waiter may be overtaken by running threads; 0: never. */
  public PoolBuilder<C, X> fairness(Duration fairness) {
    this.fairness = Objects.requireNonNull(fairness, "fairness");
    return this;
  }

  /** What happens when every waiter is late. */
  public PoolBuilder<C, X> queue(Order queue) {
    this.queue = Objects.requireNonNull(queue, "queue");
    return this;
  }

  /** Of those open, at most so many percent reach the end of their lifetime in one interval. */
  public PoolBuilder<C, X> retirePercent(int retirePercent) {
    this.retirePercent = retirePercent;
    return this;
  }

  /** After so many failed opens in a row (with {@link #retryMin}) gets fail at once; 0: never. */
  public PoolBuilder<C, X> breakerAfter(int breakerAfter) {
    this.breakerAfter = breakerAfter;
    return this;
  }

  /** How long {@link Pool#get()} takes at most. */
  public PoolBuilder<C, X> getTimeout(Duration getTimeout) {
    this.getTimeout = Objects.requireNonNull(getTimeout, "getTimeout");
    return this;
  }

  /** Idle for so long, a connection is closed, down to minIdle; 0: never. */
  public PoolBuilder<C, X> idleTimeout(Duration idleTimeout) {
    this.idleTimeout = Objects.requireNonNull(idleTimeout, "idleTimeout");
    return this;
  }

  /** No connection gets older, but one that is lent is closed on return; 0: no limit. */
  public PoolBuilder<C, X> maxLifetime(Duration maxLifetime) {
    this.maxLifetime = Objects.requireNonNull(maxLifetime, "maxLifetime");
    return this;
  }

  /** Idle for so long, a connection is checked before it is lent; 0: always; -1 ms: never. */
  public PoolBuilder<C, X> checkAfter(Duration checkAfter) {
    this.checkAfter = Objects.requireNonNull(checkAfter, "checkAfter");
    return this;
  }

  /** Idle for so long, a connection is checked in the background; 0: never. */
  public PoolBuilder<C, X> keepalive(Duration keepalive) {
    this.keepalive = Objects.requireNonNull(keepalive, "keepalive");
    return this;
  }

  /** A lease that is out for so long is reported, see {@link #leakReport}; 0: never. */
  public PoolBuilder<C, X> leakAfter(Duration leakAfter) {
    this.leakAfter = Objects.requireNonNull(leakAfter, "leakAfter");
    return this;
  }

  /**
   * Receives reports of leases that are out for {@link #leakAfter}, and of those that nobody has any more; the
   * connection of the latter is then closed. With this or leakAfter each get takes a stack trace, which costs more than
   * everything else. Without this, but with leakAfter, leaks are logged.
   */
  public PoolBuilder<C, X> leakReport(Consumer<? super Leak> leakReport) {
    this.leakReport = Objects.requireNonNull(leakReport, "leakReport");
    return this;
  }

  /** After a failed open the next waits so long, doubling up to {@link #retryMax}; 0: no back-off and no breaker. */
  public PoolBuilder<C, X> retryMin(Duration retryMin) {
    this.retryMin = Objects.requireNonNull(retryMin, "retryMin");
    return this;
  }

  /** At least retryMin. */
  public PoolBuilder<C, X> retryMax(Duration retryMax) {
    this.retryMax = Objects.requireNonNull(retryMax, "retryMax");
    return this;
  }

  /** The pool is overloaded when the first waiter has waited so long, and that has been so for as long again. */
  public PoolBuilder<C, X> overloadAfter(Duration overloadAfter) {
    this.overloadAfter = Objects.requireNonNull(overloadAfter, "overloadAfter");
    return this;
  }

  /**
   * Makes the pool and opens its first {@link #initial} connections; if one fails, those that were opened are closed.
   *
   * @throws X what the opener throws
   * @throws IllegalArgumentException if a setting is wrong
   */
  public Pool<C, X> build() throws X {
    Config config = config();
    try {
      check(config);
      Pool<C, X> pool = new Pool<>(this, config);
      pool.fill(initial);
      return pool;
    } finally {
      config.delete();
    }
  }

  private Config config() {
    Config config = new Config();
    config.setMin_idle(minIdle);
    config.setMax_idle(maxIdle);
    config.setMax_open(maxOpen);
    config.setMax_opening(maxOpening);
    config.setMax_waiters(maxWaiters);
    config.setQueue(queue.ordinal());
    config.setRetire_percent(retirePercent);
    config.setBreaker_after(breakerAfter);
    config.setFairness_us((int) Math.min(Integer.MAX_VALUE, micros(fairness)));
    config.setGet_timeout_ms(Millis.of(getTimeout));
    config.setIdle_timeout_ms(Millis.of(idleTimeout));
    config.setMax_lifetime_ms(Millis.of(maxLifetime));
    config.setCheck_after_ms(Millis.of(checkAfter));
    config.setKeepalive_ms(Millis.of(keepalive));
    config.setLeak_after_ms(Millis.of(leakAfter));
    config.setRetry_min_ms(Millis.of(retryMin));
    config.setRetry_max_ms(Millis.of(retryMax));
    config.setOverload_after_ms(Millis.of(overloadAfter));
    return config;
  }

  private static long micros(Duration duration) {
    try {
      return Math.max(Integer.MIN_VALUE, duration.toNanos() / 1000);
    } catch (ArithmeticException e) {
      return duration.isNegative() ? -1 : Integer.MAX_VALUE;
    }
  }

  /** What the library cannot know: it is told of no callbacks, and opens nothing. */
  private void check(Config config) {
    require(checker != null || config.getCheck_after_ms() < 0, "check_after_ms is set, but there is no checker");
    require(checker != null || config.getKeepalive_ms() <= 0, "keepalive_ms is set, but there is no checker");
    require(initial >= 0, "initial is " + initial + "; it must be 0 or more");
    int limit = maxIdle != -1 ? maxIdle : maxOpen > 0 ? maxOpen : Math.max(10, minIdle);
    require(initial <= limit || limit < 0, "initial is " + initial + ", which is more than max_idle, " + limit);
    require(initial <= maxOpen || maxOpen <= 0, "initial is " + initial + ", which is more than max_open, " + maxOpen);
  }

  private static void require(boolean right, String message) {
    if (!right) {
      throw new IllegalArgumentException(message);
    }
  }

  /** The shortest time that somebody has to keep; 0: there is none. */
  long shortestMs(Config config) {
    return LongStream.of(
            minIdle > 0 ? 1000 : 0,
            config.getIdle_timeout_ms(),
            config.getMax_lifetime_ms(),
            config.getCheck_after_ms(),
            config.getKeepalive_ms(),
            config.getLeak_after_ms(),
            config.getRetry_min_ms())
        .filter(ms -> ms > 0)
        .min()
        .orElse(0);
  }
}
