// SPDX-License-Identifier: MIT
package libpool;

import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.Properties;
import java.util.logging.Logger;
import javax.sql.ConnectionPoolDataSource;
import javax.sql.DataSource;
import javax.sql.PooledConnection;

/**
 * A {@link DataSource} whose connections come from a pool. It opens them with one of: a {@link
 * ConnectionPoolDataSource}, a {@link DataSource}, or the driver for a JDBC URL. Its properties have the names and
 * defaults of HikariCP's; times are in milliseconds. They are read when the first connection is asked for, and cannot
 * be changed after that.
 */
public final class PooledDataSource implements DataSource, AutoCloseable {
  private final Properties properties = new Properties();
  private ConnectionPoolDataSource connectionPoolDataSource;
  private DataSource dataSource;
  private String jdbcUrl;
  private String username;
  private String password;
  private String driverClassName;
  private String poolName = "pool";
  private String connectionTestQuery;
  private int maximumPoolSize = 10;
  private int minimumIdle = -1;
  private long connectionTimeout = 30_000;
  private long validationTimeout = 5_000;
  private long idleTimeout = 600_000;
  private long maxLifetime = 1_800_000;
  private long keepaliveTime;
  private long leakDetectionThreshold;
  private boolean autoCommit = true;
  private boolean readOnly;
  private PrintWriter logWriter;
  private boolean closed;
  private volatile Pool<PhysicalConnection, SQLException> pool;

  // ---- connections

  /**
   * Gets a connection from the pool; its close gives it back.
   *
   * @throws SQLTransientConnectionException if none came within connectionTimeout
   * @throws SQLException what the driver throws if one must be opened; or the data source is closed
   */
  @Override
  public Connection getConnection() throws SQLException {
    try {
      return ConnectionHandle.of(pool().get());
    } catch (PoolTimeoutException e) {
      throw new SQLTransientConnectionException(e.getMessage(), "08001", e);
    } catch (PoolException e) {
      throw new SQLException(e.getMessage(), "08001", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SQLException("interrupted while waiting for a connection", "08001", e);
    }
  }

  /** Not supported: all connections of a pool belong to one user. */
  @Override
  public Connection getConnection(String username, String password) throws SQLException {
    throw new SQLFeatureNotSupportedException("all connections of a pool belong to one user; use setUsername");
  }

  private Pool<PhysicalConnection, SQLException> pool() throws SQLException {
    Pool<PhysicalConnection, SQLException> made = pool;
    return made != null ? made : begin();
  }

  private synchronized Pool<PhysicalConnection, SQLException> begin() throws SQLException {
    if (closed) {
      throw new SQLException(poolName + ": pool is closed", "08003");
    }
    if (pool == null) {
      int checkSeconds = (int) Math.max(1, validationTimeout / 1000);
      pool =
          Pool.builder(this::open)
              .closer(PhysicalConnection::close)
              .checker(connection -> connection.check(connectionTestQuery, checkSeconds))
              .resetter(PhysicalConnection::reset)
              .name(poolName)
              .maxOpen(maximumPoolSize)
              .minIdle(minimumIdle < 0 ? maximumPoolSize : minimumIdle)
              .getTimeout(Duration.ofMillis(connectionTimeout == 0 ? -1 : connectionTimeout))
              .idleTimeout(Duration.ofMillis(idleTimeout))
              .maxLifetime(Duration.ofMillis(maxLifetime))
              .keepalive(Duration.ofMillis(keepaliveTime))
              .checkAfter(Duration.ofMillis(500))
              .leakAfter(Duration.ofMillis(leakDetectionThreshold))
              .retryMin(Duration.ofMillis(100))
              .build();
    }
    return pool;
  }

  private PhysicalConnection open() throws SQLException {
    PooledConnection pooled = null;
    Connection connection = null;
    try {
      if (connectionPoolDataSource != null) {
        pooled =
            username == null
                ? connectionPoolDataSource.getPooledConnection()
                : connectionPoolDataSource.getPooledConnection(username, password);
        connection = pooled.getConnection();
      } else {
        connection = dataSource != null ? openFromDataSource() : openFromDriver();
      }
      return new PhysicalConnection(connection, pooled, autoCommit, readOnly);
    } catch (Throwable e) {
      closeAfter(e, connection, pooled);
      throw e;
    }
  }

  private Connection openFromDataSource() throws SQLException {
    return username == null ? dataSource.getConnection() : dataSource.getConnection(username, password);
  }

  private Connection openFromDriver() throws SQLException {
    if (jdbcUrl == null) {
      throw new SQLException("none of jdbcUrl, dataSource and connectionPoolDataSource is set");
    }
    if (driverClassName != null) {
      try {
        Class.forName(driverClassName);
      } catch (ClassNotFoundException e) {
        throw new SQLException("the driver class " + driverClassName + " was not found", e);
      }
    }
    Properties all = new Properties();
    all.putAll(properties);
    if (username != null) {
      all.setProperty("user", username);
    }
    if (password != null) {
      all.setProperty("password", password);
    }
    return DriverManager.getConnection(jdbcUrl, all);
  }

  private static void closeAfter(Throwable failure, Connection connection, PooledConnection pooled) {
    try {
      if (pooled != null) {
        pooled.close();
      } else if (connection != null) {
        connection.close();
      }
    } catch (SQLException e) {
      failure.addSuppressed(e);
    }
  }

  /** Closes the pool and waits until the last connection has come back, at most for connectionTimeout. */
  @Override
  public void close() {
    Pool<PhysicalConnection, SQLException> made;
    synchronized (this) {
      closed = true;
      made = pool;
    }
    if (made != null) {
      made.close();
    }
  }

  /** Counts of the pool. */
  public PoolStats stats() throws SQLException {
    return pool().stats();
  }

  // ---- what every DataSource has

  @Override
  public PrintWriter getLogWriter() {
    return logWriter;
  }

  @Override
  public void setLogWriter(PrintWriter logWriter) {
    this.logWriter = logWriter;
  }

  @Override
  public int getLoginTimeout() {
    return (int) (connectionTimeout / 1000);
  }

  @Override
  public void setLoginTimeout(int seconds) {
    setConnectionTimeout(seconds * 1000L);
  }

  @Override
  public Logger getParentLogger() throws SQLFeatureNotSupportedException {
    throw new SQLFeatureNotSupportedException("logs go to the System.Logger named libpool");
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    if (type.isInstance(this)) {
      return type.cast(this);
    }
    if (type.isInstance(dataSource)) {
      return type.cast(dataSource);
    }
    throw new SQLException("this wraps no " + type.getName());
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return type.isInstance(this) || type.isInstance(dataSource);
  }

  // ---- properties

  /** Opens the connections. */
  public synchronized void setConnectionPoolDataSource(ConnectionPoolDataSource connectionPoolDataSource) {
    mayChange();
    this.connectionPoolDataSource = connectionPoolDataSource;
  }

  /** See {@link #setConnectionPoolDataSource}. */
  public synchronized ConnectionPoolDataSource getConnectionPoolDataSource() {
    return connectionPoolDataSource;
  }

  /** Opens the connections, where there is no connectionPoolDataSource. */
  public synchronized void setDataSource(DataSource dataSource) {
    mayChange();
    this.dataSource = dataSource;
  }

  /** See {@link #setDataSource}. */
  public synchronized DataSource getDataSource() {
    return dataSource;
  }

  /** Opens the connections through its driver, where there is neither of these. */
  public synchronized void setJdbcUrl(String jdbcUrl) {
    mayChange();
    this.jdbcUrl = jdbcUrl;
  }

  /** See {@link #setJdbcUrl}. */
  public synchronized String getJdbcUrl() {
    return jdbcUrl;
  }

  /** Null: none. */
  public synchronized void setUsername(String username) {
    mayChange();
    this.username = username;
  }

  /** See {@link #setUsername}. */
  public synchronized String getUsername() {
    return username;
  }

  /** Null: none. */
  public synchronized void setPassword(String password) {
    mayChange();
    this.password = password;
  }

  /** To be loaded for jdbcUrl; seldom needed. */
  public synchronized void setDriverClassName(String driverClassName) {
    mayChange();
    this.driverClassName = driverClassName;
  }

  /** See {@link #setDriverClassName}. */
  public synchronized String getDriverClassName() {
    return driverClassName;
  }

  /** Shown in messages and reports. */
  public synchronized void setPoolName(String poolName) {
    mayChange();
    this.poolName = poolName;
  }

  /** See {@link #setPoolName}. */
  public synchronized String getPoolName() {
    return poolName;
  }

  /** For drivers whose isValid is of no use; null: isValid is asked. */
  public synchronized void setConnectionTestQuery(String connectionTestQuery) {
    mayChange();
    this.connectionTestQuery = connectionTestQuery;
  }

  /** See {@link #setConnectionTestQuery}. */
  public synchronized String getConnectionTestQuery() {
    return connectionTestQuery;
  }

  /** Hard cap on connections. */
  public synchronized void setMaximumPoolSize(int maximumPoolSize) {
    mayChange();
    this.maximumPoolSize = maximumPoolSize;
  }

  /** See {@link #setMaximumPoolSize}. */
  public synchronized int getMaximumPoolSize() {
    return maximumPoolSize;
  }

  /** So many are kept idle; -1: as many as maximumPoolSize. */
  public synchronized void setMinimumIdle(int minimumIdle) {
    mayChange();
    this.minimumIdle = minimumIdle;
  }

  /** See {@link #setMinimumIdle}. */
  public synchronized int getMinimumIdle() {
    return minimumIdle;
  }

  /** How long getConnection takes at most; 0: no limit. */
  public synchronized void setConnectionTimeout(long connectionTimeout) {
    mayChange();
    this.connectionTimeout = connectionTimeout;
  }

  /** See {@link #setConnectionTimeout}. */
  public synchronized long getConnectionTimeout() {
    return connectionTimeout;
  }

  /** How long a check takes at most, in whole seconds. */
  public synchronized void setValidationTimeout(long validationTimeout) {
    mayChange();
    this.validationTimeout = validationTimeout;
  }

  /** See {@link #setValidationTimeout}. */
  public synchronized long getValidationTimeout() {
    return validationTimeout;
  }

  /** Idle for so long, a connection is closed, down to minimumIdle; 0: never. */
  public synchronized void setIdleTimeout(long idleTimeout) {
    mayChange();
    this.idleTimeout = idleTimeout;
  }

  /** See {@link #setIdleTimeout}. */
  public synchronized long getIdleTimeout() {
    return idleTimeout;
  }

  /** No connection gets older; 0: no limit. */
  public synchronized void setMaxLifetime(long maxLifetime) {
    mayChange();
    this.maxLifetime = maxLifetime;
  }

  /** See {@link #setMaxLifetime}. */
  public synchronized long getMaxLifetime() {
    return maxLifetime;
  }

  /** Idle for so long, a connection is checked; 0: never. */
  public synchronized void setKeepaliveTime(long keepaliveTime) {
    mayChange();
    this.keepaliveTime = keepaliveTime;
  }

  /** See {@link #setKeepaliveTime}. */
  public synchronized long getKeepaliveTime() {
    return keepaliveTime;
  }

  /** A connection that is out for so long is logged; 0: never. */
  public synchronized void setLeakDetectionThreshold(long leakDetectionThreshold) {
    mayChange();
    this.leakDetectionThreshold = leakDetectionThreshold;
  }

  /** See {@link #setLeakDetectionThreshold}. */
  public synchronized long getLeakDetectionThreshold() {
    return leakDetectionThreshold;
  }

  /** Of each connection that is lent. */
  public synchronized void setAutoCommit(boolean autoCommit) {
    mayChange();
    this.autoCommit = autoCommit;
  }

  /** See {@link #setAutoCommit}. */
  public synchronized boolean isAutoCommit() {
    return autoCommit;
  }

  /** Of each connection that is lent. */
  public synchronized void setReadOnly(boolean readOnly) {
    mayChange();
    this.readOnly = readOnly;
  }

  /** See {@link #setReadOnly}. */
  public synchronized boolean isReadOnly() {
    return readOnly;
  }

  /** A property for the driver of jdbcUrl. */
  public synchronized void addDataSourceProperty(String name, Object value) {
    mayChange();
    properties.setProperty(name, value.toString());
  }

  private void mayChange() {
    if (pool != null) {
      throw new IllegalStateException("the pool has begun; its properties cannot be changed any more");
    }
  }
}
