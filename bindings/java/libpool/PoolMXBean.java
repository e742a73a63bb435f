// SPDX-License-Identifier: MIT
package libpool;

import org.jspecify.annotations.Nullable;

/**
 * A data source as an operator sees it: what there is, what is set, and what can be done while it runs. The names are
 * those of HikariCP's two beans, {@code HikariPoolMXBean} and {@code HikariConfigMXBean}. Times are in milliseconds.
 *
 * <p>A data source has one by {@link PooledDataSource#getPoolMXBean()}. Its types are simple ones, so it can be
 * registered with JMX as it is.
 */
public interface PoolMXBean {
  /** {@return shown in messages and reports} */
  String getPoolName();

  /** {@return how many connections are lent} */
  int getActiveConnections();

  /** {@return how many connections are ready to be lent} */
  int getIdleConnections();

  /** {@return how many connections there are, lent and idle; not those that are being opened, checked or closed} */
  int getTotalConnections();

  /** {@return how many gets wait for a connection} */
  int getThreadsAwaitingConnection();

  /** {@return all counts as a table for people; "" before the first connection was asked for} */
  String getReport();

  /** Replaces all connections: idle ones are closed now, others when they come back. */
  void softEvictConnections();

  /**
   * Lends nothing until {@link #resumePool()}; gets wait, without an end. Twice is harmless.
   *
   * @throws IllegalStateException if allowPoolSuspension is not set
   */
  void suspendPool();

  /** Ends what {@link #suspendPool()} began; else does nothing. */
  void resumePool();

  /** {@return hard cap on connections} */
  int getMaximumPoolSize();

  /**
   * Smaller: idle connections that are too many are closed now, others when they come back.
   *
   * @param maximumPoolSize how many
   */
  void setMaximumPoolSize(int maximumPoolSize);

  /** {@return this many are kept idle; -1: as many as maximumPoolSize} */
  int getMinimumIdle();

  /**
   * From now on.
   *
   * @param minimumIdle how many; -1: as many as maximumPoolSize
   */
  void setMinimumIdle(int minimumIdle);

  /** {@return how long a getConnection takes at most; 0: no limit} */
  long getConnectionTimeout();

  /**
   * For those that ask from now on.
   *
   * @param connectionTimeout in milliseconds; 0: no limit
   */
  void setConnectionTimeout(long connectionTimeout);

  /** {@return how long a check takes at most} */
  long getValidationTimeout();

  /**
   * For the next checks.
   *
   * @param validationTimeout in milliseconds
   */
  void setValidationTimeout(long validationTimeout);

  /** {@return idle for this long, a connection is closed; 0: never} */
  long getIdleTimeout();

  /**
   * From now on, also for those that are idle already.
   *
   * @param idleTimeout in milliseconds; 0: never
   */
  void setIdleTimeout(long idleTimeout);

  /** {@return no connection gets older; 0: no limit} */
  long getMaxLifetime();

  /**
   * For connections that are opened from now on; {@link #softEvictConnections()} replaces the others.
   *
   * @param maxLifetime in milliseconds; 0: no limit
   */
  void setMaxLifetime(long maxLifetime);

  /** {@return idle for this long, a connection is checked; 0: never} */
  long getKeepaliveTime();

  /**
   * From now on.
   *
   * @param keepaliveTime in milliseconds; 0: never
   */
  void setKeepaliveTime(long keepaliveTime);

  /** {@return a connection that is out for this long is logged; 0: never} */
  long getLeakDetectionThreshold();

  /**
   * For connections that are lent from now on.
   *
   * @param leakDetectionThreshold in milliseconds; 0: never
   */
  void setLeakDetectionThreshold(long leakDetectionThreshold);

  /**
   * For connections that are opened from now on.
   *
   * @param username null: none
   */
  void setUsername(@Nullable String username);

  /**
   * For connections that are opened from now on.
   *
   * @param password null: none
   */
  void setPassword(@Nullable String password);

  /** {@return the catalog that is chosen; null: none} */
  @Nullable String getCatalog();

  /**
   * For connections that are opened from now on.
   *
   * @param catalog null: as the driver has it
   */
  void setCatalog(@Nullable String catalog);
}
