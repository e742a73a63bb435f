// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;
import java.util.Objects;
import java.util.stream.LongStream;

/**
 * The settings that all pools have, with the names and defaults of the C library. Wrong ones are told when the pool is
 * made, with the library's message. Durations are rounded up to milliseconds.
 *
 * @param <B> who is being told
 */
public abstract class Settings<B extends Settings<B>> {
  String name = "pool";
  int initial;
  int minIdle;
  int minOpen;
  boolean paused;
  int maxIdle = -1;
  int maxOpen;
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
  private Duration checkTimeout = Duration.ofSeconds(5);
  private Duration keepalive = Duration.ZERO;
  private Duration leakAfter = Duration.ZERO;
  private Duration retryMin = Duration.ZERO;
  private Duration retryMax = Duration.ofSeconds(5);
  private Duration overloadAfter = Duration.ofMillis(100);

  Settings() {}

  abstract B self();

  /** Shown in messages and reports, so best one for each pool. */
  public B name(String name) {
    this.name = Objects.requireNonNull(name, "name");
    return self();
  }

  /** So many are opened by {@link #build()}. */
  public B initial(int initial) {
    this.initial = initial;
    return self();
  }

  /** So many are kept idle: opened in the background as others are lent or closed. */
  public B minIdle(int minIdle) {
    this.minIdle = minIdle;
    return self();
  }

  /** So many are kept open, idle and lent together: opened in the background. */
  public B minOpen(int minOpen) {
    this.minOpen = minOpen;
    return self();
  }

  /** The pool begins paused, and one {@link Pool#resume()} starts it; the initial connections are opened. */
  public B paused(boolean paused) {
    this.paused = paused;
    return self();
  }

  /** More than that are closed on return; -1: as many as maxOpen or, where there is no hard cap, 10. */
  public B maxIdle(int maxIdle) {
    this.maxIdle = maxIdle;
    return self();
  }

  /** Hard cap on connections; 0: none. */
  public B maxOpen(int maxOpen) {
    this.maxOpen = maxOpen;
    return self();
  }

  /** At most so many are being opened at one time; 0: no limit. */
  public B maxOpening(int maxOpening) {
    this.maxOpening = maxOpening;
    return self();
  }

  /** At most so many wait, the next gets a {@link PoolOverloadException}; 0: no limit. */
  public B maxWaiters(int maxWaiters) {
    this.maxWaiters = maxWaiters;
    return self();
  }

  /** How long the first waiter may be overtaken by running threads; 0: never. */
  public B fairness(Duration fairness) {
    this.fairness = Objects.requireNonNull(fairness, "fairness");
    return self();
  }

  /** What happens when every waiter is late. */
  public B queue(Order queue) {
    this.queue = Objects.requireNonNull(queue, "queue");
    return self();
  }

  /** Of those open, at most so many percent reach the end of their lifetime in one interval. */
  public B retirePercent(int retirePercent) {
    this.retirePercent = retirePercent;
    return self();
  }

  /** After so many failed opens in a row (with {@link #retryMin}) gets fail at once; 0: never. */
  public B breakerAfter(int breakerAfter) {
    this.breakerAfter = breakerAfter;
    return self();
  }

  /** How long {@link Pool#get()} takes at most. */
  public B getTimeout(Duration getTimeout) {
    this.getTimeout = Objects.requireNonNull(getTimeout, "getTimeout");
    return self();
  }

  /** Idle for so long, a connection is closed, down to minIdle and minOpen; 0: never. */
  public B idleTimeout(Duration idleTimeout) {
    this.idleTimeout = Objects.requireNonNull(idleTimeout, "idleTimeout");
    return self();
  }

  /** No connection gets older, but one that is lent is closed on return; 0: no limit. */
  public B maxLifetime(Duration maxLifetime) {
    this.maxLifetime = Objects.requireNonNull(maxLifetime, "maxLifetime");
    return self();
  }

  /** Idle for so long, a connection is checked before it is lent; 0: always; -1 ms: never. */
  public B checkAfter(Duration checkAfter) {
    this.checkAfter = Objects.requireNonNull(checkAfter, "checkAfter");
    return self();
  }

  /** A check that takes longer has failed; -1 ms: no limit. */
  public B checkTimeout(Duration checkTimeout) {
    this.checkTimeout = Objects.requireNonNull(checkTimeout, "checkTimeout");
    return self();
  }

  /** Idle for so long, a connection is checked in the background; 0: never. */
  public B keepalive(Duration keepalive) {
    this.keepalive = Objects.requireNonNull(keepalive, "keepalive");
    return self();
  }

  /** A lease that is out for so long is reported, see the leak report; 0: never. */
  public B leakAfter(Duration leakAfter) {
    this.leakAfter = Objects.requireNonNull(leakAfter, "leakAfter");
    return self();
  }

  /** After a failed open the next waits so long, doubling up to {@link #retryMax}; 0: no back-off and no breaker. */
  public B retryMin(Duration retryMin) {
    this.retryMin = Objects.requireNonNull(retryMin, "retryMin");
    return self();
  }

  /** At least retryMin. */
  public B retryMax(Duration retryMax) {
    this.retryMax = Objects.requireNonNull(retryMax, "retryMax");
    return self();
  }

  /** The pool is overloaded when the first waiter has waited so long, and that has been so for as long again. */
  public B overloadAfter(Duration overloadAfter) {
    this.overloadAfter = Objects.requireNonNull(overloadAfter, "overloadAfter");
    return self();
  }

  /** Freed by delete(). */
  Config config() {
    Config config = new Config();
    config.setMin_idle(minIdle);
    config.setMin_open(minOpen);
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
    config.setCheck_timeout_ms(Millis.of(checkTimeout));
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

  /** The shortest time that somebody has to keep; 0: there is none. */
  long shortestMs(Config config) {
    return LongStream.of(
            minIdle > 0 || minOpen > 0 ? 1000 : 0,
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
