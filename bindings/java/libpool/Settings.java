// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/**
 * The settings that all pools have; their defaults and limits are those of the C library. Wrong ones are told when the
 * pool is made, with the library's message. Durations are rounded up to milliseconds.
 *
 * @param <B> the builder that is being told
 */
public abstract class Settings<B extends Settings<B>> {
  String name = "pool";
  private final Map<String, Object> values = new LinkedHashMap<>(); // Long or String, by the library's names

  Settings() {}

  abstract B self();

  /**
   * Shown in messages and reports, so best one for each pool.
   *
   * @param name the name
   * @return this
   */
  public B name(String name) {
    this.name = Text.whole("setting name", Objects.requireNonNull(name, "name"));
    return self();
  }

  /**
   * This many are opened by {@code build()}.
   *
   * @param initial how many
   * @return this
   */
  public B initial(int initial) {
    return set("initial", initial);
  }

  /**
   * This many are kept idle: opened in the background as others are lent or closed.
   *
   * @param minIdle how many
   * @return this
   */
  public B minIdle(int minIdle) {
    return set("min_idle", minIdle);
  }

  /**
   * This many are kept open, idle and lent together: opened in the background.
   *
   * @param minOpen how many
   * @return this
   */
  public B minOpen(int minOpen) {
    return set("min_open", minOpen);
  }

  /**
   * The pool begins paused, and one {@link Pool#resume()} starts it; the initial connections are opened.
   *
   * @param paused whether it does
   * @return this
   */
  public B paused(boolean paused) {
    return set("paused", paused ? 1 : 0);
  }

  /**
   * More than that are closed on return; -1: as many as maxOpen; where there is no hard cap, see the guide.
   *
   * @param maxIdle how many
   * @return this
   */
  public B maxIdle(int maxIdle) {
    return set("max_idle", maxIdle);
  }

  /**
   * Hard cap on connections; 0: none.
   *
   * @param maxOpen how many; 0: no hard cap
   * @return this
   */
  public B maxOpen(int maxOpen) {
    return set("max_open", maxOpen);
  }

  /**
   * At most this many are being opened at one time; 0: no limit.
   *
   * @param maxOpening how many; 0: no limit
   * @return this
   */
  public B maxOpening(int maxOpening) {
    return set("max_opening", maxOpening);
  }

  /**
   * At most this many wait, the next gets a {@link PoolOverloadException}; 0: no limit.
   *
   * @param maxWaiters how many; 0: no limit
   * @return this
   */
  public B maxWaiters(int maxWaiters) {
    return set("max_waiters", maxWaiters);
  }

  /**
   * How long running threads may keep a connection to themselves while others wait; 0: not at all.
   *
   * @param fairness how long; 0: not at all
   * @return this
   */
  public B fairness(Duration fairness) {
    return set("fairness_us", Math.min(Integer.MAX_VALUE, micros(fairness)));
  }

  /**
   * What happens when every waiter is late.
   *
   * @param queue in which order gets are served
   * @return this
   */
  public B queue(Order queue) {
    return set("queue", queue.name().toLowerCase(Locale.ROOT));
  }

  /**
   * Of those open, at most this many percent reach the end of their lifetime in one interval.
   *
   * @param retirePercent of a hundred that are open
   * @return this
   */
  public B retirePercent(int retirePercent) {
    return set("retire_percent", retirePercent);
  }

  /**
   * After this many failed opens in a row (with {@link #retryMin}) gets fail at once; 0: never.
   *
   * @param breakerAfter how many; 0: never
   * @return this
   */
  public B breakerAfter(int breakerAfter) {
    return set("breaker_after", breakerAfter);
  }

  /**
   * How long {@link Pool#get()} takes at most.
   *
   * @param getTimeout how long; -1 ms: for ever
   * @return this
   */
  public B getTimeout(Duration getTimeout) {
    return set("get_timeout_ms", Millis.of(getTimeout));
  }

  /**
   * Idle for this long, a connection is closed, down to minIdle and minOpen; 0: never.
   *
   * @param idleTimeout how long; 0: never
   * @return this
   */
  public B idleTimeout(Duration idleTimeout) {
    return set("idle_timeout_ms", Millis.of(idleTimeout));
  }

  /**
   * No connection gets older, but one that is lent is closed on return; 0: no limit.
   *
   * @param maxLifetime how long; 0: no limit
   * @return this
   */
  public B maxLifetime(Duration maxLifetime) {
    return set("max_lifetime_ms", Millis.of(maxLifetime));
  }

  /**
   * Idle for this long, a connection is checked before it is lent; 0: always; -1 ms: never.
   *
   * @param checkAfter how long; 0: always; -1 ms: never
   * @return this
   */
  public B checkAfter(Duration checkAfter) {
    return set("check_after_ms", Millis.of(checkAfter));
  }

  /**
   * A check that takes longer has failed; -1 ms: no limit.
   *
   * @param checkTimeout how long; -1 ms: no limit
   * @return this
   */
  public B checkTimeout(Duration checkTimeout) {
    return set("check_timeout_ms", Millis.of(checkTimeout));
  }

  /**
   * Idle for this long, a connection is checked in the background; 0: never.
   *
   * @param keepalive how long; 0: never
   * @return this
   */
  public B keepalive(Duration keepalive) {
    return set("keepalive_ms", Millis.of(keepalive));
  }

  /**
   * A lease that is out for this long is reported, see the leak report; 0: never.
   *
   * @param leakAfter how long; 0: never
   * @return this
   */
  public B leakAfter(Duration leakAfter) {
    return set("leak_after_ms", Millis.of(leakAfter));
  }

  /**
   * After a failed open the next waits this long, doubling up to {@link #retryMax}; 0: no back-off and no breaker.
   *
   * @param retryMin how long; 0: no back-off
   * @return this
   */
  public B retryMin(Duration retryMin) {
    return set("retry_min_ms", Millis.of(retryMin));
  }

  /**
   * At least retryMin.
   *
   * @param retryMax how long
   * @return this
   */
  public B retryMax(Duration retryMax) {
    return set("retry_max_ms", Millis.of(retryMax));
  }

  /**
   * The pool is overloaded when the first waiter has waited this long, and that has been so for as long again.
   *
   * @param overloadAfter how long
   * @return this
   */
  public B overloadAfter(Duration overloadAfter) {
    return set("overload_after_ms", Millis.of(overloadAfter));
  }

  /**
   * A setting by the name that the library has for it, as in {@code set("max_open", 20)}.
   *
   * @param setting the library's name for it
   * @param value its value
   * @return this
   */
  public B set(String setting, long value) {
    values.put(Objects.requireNonNull(setting, "setting"), value);
    return self();
  }

  /**
   * The same as text: a number, or a name such as "shed" for "queue".
   *
   * @param setting the library's name for it
   * @param value its value
   * @return this
   */
  public B set(String setting, String value) {
    values.put(Objects.requireNonNull(setting, "setting"), Objects.requireNonNull(value, "value"));
    return setting.equals("name") ? name(value) : self();
  }

  /** Takes over what another has. */
  void putAll(Settings<?> other) {
    values.putAll(other.values);
  }

  /** Freed by delete(). */
  Config config() {
    Config config = new Config();
    try {
      values.forEach((setting, value) -> put(config, setting, value));
      return config;
    } catch (Throwable e) {
      config.delete();
      throw e;
    }
  }

  private static void put(Config config, String setting, Object value) {
    Text.whole("setting " + setting, setting + value);
    if (value instanceof Long number) {
      Core.pool_config_set_number(config, setting, number);
    } else {
      Core.pool_config_set_text(config, setting, (String) value);
    }
  }

  static void require(boolean right, String message) {
    if (!right) {
      throw new IllegalArgumentException(message);
    }
  }

  private static long micros(Duration duration) {
    try {
      return Math.max(Integer.MIN_VALUE, duration.toNanos() / 1000);
    } catch (ArithmeticException e) {
      return duration.isNegative() ? -1 : Integer.MAX_VALUE;
    }
  }
}
