// SPDX-License-Identifier: MIT
package libpool;

import java.lang.ref.Reference;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** What a pool is, however its connections are opened: it has a handle of the library, is seen and is closed. */
abstract sealed class CommonPool extends Drained permits Pool, DriverPool {
  final long handle; // valid as long as this object
  final String name;
  final Freer freer;
  final Remains remains;

  CommonPool(Config config, String name, long handle) {
    this.handle = handle;
    this.name = name;
    getTimeoutMs = config.getGet_timeout_ms();
    freer = new Freer(handle, name);
    remains = new Remains(this, freer);
  }

  /** {@return its name, shown in messages and reports} */
  public String name() {
    return name;
  }

  /**
   * How many connections are idle; 0 after close.
   *
   * @return how many
   */
  public int len() {
    try {
      return (int) Core.pool_len(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** {@return counts of this pool} */
  public PoolStats stats() {
    try {
      return PoolStats.of(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Changes a setting while the pool runs, by the name that the library has for it: max_open, min_idle, min_open,
   * get_timeout_ms, check_timeout_ms, idle_timeout_ms, max_lifetime_ms, keepalive_ms or leak_after_ms. It holds from now
   * on; a new max_lifetime_ms for connections that are opened from now on.
   *
   * @param setting the library's name for it
   * @param value the value
   * @throws IllegalArgumentException if there is no such setting, it cannot change, or it cannot have this value
   * @throws PoolClosedException if the pool is closed
   *
   */
  public void set(String setting, long value) {
    try {
      Core.pool_set(handle, Objects.requireNonNull(setting, "setting"), value);
      follow(setting, value);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /** A setting has changed. */
  void follow(String setting, long value) {
    if (setting.equals("get_timeout_ms")) {
      getTimeoutMs = value;
    }
  }

  /**
   * A setting as it is now, by the name that the library has for it: max_open as a resize or poolctl has left it.
   *
   * @param setting the library's name for it
   * @return its value
   * @throws IllegalArgumentException if there is no such setting, or it is a text
   *
   */
  public long setting(String setting) {
    try {
      return Core.pool_value_of(handle, Objects.requireNonNull(setting, "setting"));
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * What {@link #stats()} knows as text.
   *
   * @param format how it is written
   * @return the text
   */
  public String report(Format format) {
    try {
      return Core.pool_report_text(handle, format.ordinal());
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * How this pool is, and why, without taking a connection: for the probes of orchestrators.
   *
   * @param stuckAfter the pool is stuck when gets want a connection and nothing came back for this long, 0 or more; null: for
   *     as long as a get waits at most
   * @return how it is
   */
  public Health health(@Nullable Duration stuckAfter) {
    try {
      return Health.of(Core.pool_health_text(handle, stuckAfter == null ? -1 : patience(stuckAfter)));
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  private static long patience(Duration stuckAfter) {
    long ms = atLeastZero(stuckAfter, "stuckAfter");
    return ms < 0 ? Long.MAX_VALUE : Math.max(1, ms);
  }

  /** {@return the leases: the leases that are out at this moment} */
  public List<LeaseInfo> leases() {
    try {
      return Step.leases(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }

  /**
   * Shows the pool to the program poolctl until it is collected. poolctl can also pause, resume, flush, resize and evict
   * it.
   *
   * @throws PoolException if the socket for it cannot be made
   */
  public void expose() {
    try {
      Core.pool_expose(handle);
    } finally {
      Reference.reachabilityFence(this);
    }
  }
}
