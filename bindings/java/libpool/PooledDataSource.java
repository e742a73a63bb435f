// SPDX-License-Identifier: MIT
package libpool;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Reader;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.logging.Logger;
import javax.sql.ConnectionPoolDataSource;
import javax.sql.DataSource;

/**
 * A {@link DataSource} whose connections come from a pool. It opens them with one of: a {@link
 * ConnectionPoolDataSource}, a {@link DataSource}, or the driver for a JDBC URL. Its properties have the names and
 * defaults of HikariCP's; times are in milliseconds. They are read when the first connection is asked for, and cannot
 * be changed after that.
 */
public final class PooledDataSource implements DataSource, AutoCloseable {
  private static final long INITIAL_PAUSE_MS = 50;
  private static final long ABORT_MS = 5_000; // so long a close waits for what it has aborted
  private static final int OPENING = 2; // at one time: a burst is served by what comes back, not by a storm of opens

  private final Map<String, Object> driverProperties = new LinkedHashMap<>();
  private ConnectionPoolDataSource connectionPoolDataSource;
  private DataSource dataSource;
  private String jdbcUrl;
  private String username;
  private String password;
  private String driverClassName;
  private String dataSourceClassName;
  private String connectionInitSql;
  private String transactionIsolation;
  private String catalog;
  private String schema;
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
  private long initializationFailTimeout = 1;
  private long closeGrace = 5_000;
  private ExceptionOverride exceptionOverride;
  private String exceptionOverrideClassName;
  private boolean autoCommit = true;
  private boolean readOnly;
  private PrintWriter logWriter;
  private Object driverSource; // made of dataSourceClassName; null: not yet
  private boolean closed; // guarded by this, as all that is set
  private Beginning beginning; // null: it has begun, or not yet
  private volatile Pool<PhysicalConnection, SQLException> pool;

  public PooledDataSource() {}

  /**
   * With properties by their names; those whose names begin with {@code dataSource.} are for the driver, as by {@link
   * #addDataSourceProperty}.
   *
   * @throws IllegalArgumentException if one is not known or cannot have its value; it names it
   */
  public PooledDataSource(Properties properties) {
    Bean self = new Bean(this);
    for (String name : new TreeSet<>(properties.stringPropertyNames())) {
      String value = properties.getProperty(name);
      if (name.startsWith("dataSource.")) {
        addDataSourceProperty(name.substring("dataSource.".length()), value);
      } else {
        self.set(name, value);
      }
    }
  }

  /** With the properties in a file. */
  public static PooledDataSource load(Path file) throws IOException {
    Properties properties = new Properties();
    try (Reader reader = Files.newBufferedReader(file)) {
      properties.load(reader);
    }
    return new PooledDataSource(properties);
  }

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
      return lend(pool().get());
    } catch (PoolTimeoutException e) {
      throw new SQLTransientConnectionException(e.getMessage(), "08001", e);
    } catch (PoolException e) {
      throw new SQLException(e.getMessage(), "08001", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SQLException("interrupted while waiting for a connection", "08001", e);
    }
  }

  private static Connection lend(Lease<PhysicalConnection> lease) throws SQLException {
    try {
      lease.conn().beginRequest();
      return ConnectionHandle.of(lease);
    } catch (Throwable e) {
      lease.discard();
      throw e;
    }
  }

  /** Not supported: all connections of a pool belong to one user. */
  @Override
  public Connection getConnection(String username, String password) throws SQLException {
    throw new SQLFeatureNotSupportedException("all connections of a pool belong to one user; use setUsername");
  }

  private Pool<PhysicalConnection, SQLException> pool() throws SQLException, InterruptedException {
    Pool<PhysicalConnection, SQLException> made = pool;
    while (made == null) {
      made = begin();
    }
    return made;
  }

  /** Returns null if it was another thread that began, and gave up because it was interrupted. */
  private Pool<PhysicalConnection, SQLException> begin() throws SQLException, InterruptedException {
    Beginning mine = null;
    Beginning begun;
    synchronized (this) {
      if (closed) {
        throw new SQLException(poolName + ": pool is closed", "08003");
      }
      if (pool != null) {
        return pool;
      }
      if (beginning == null) {
        mine = new Beginning(make());
        if (initializationFailTimeout <= 1) { // who gets a connection waits for it
          pool = mine.pool;
          return pool;
        }
        beginning = mine;
      }
      begun = beginning;
    }
    if (mine != null) {
      mine.run(this);
    }
    return begun.await(poolName, connectionTimeout);
  }

  /** A pool whose first connection is still tried, by the thread that asked for it first; others wait for that. */
  private static final class Beginning {
    private final Pool<PhysicalConnection, SQLException> pool;
    private final CompletableFuture<Void> end = new CompletableFuture<>();

    private Beginning(Pool<PhysicalConnection, SQLException> pool) {
      this.pool = pool;
    }

    /** If it does not succeed, the pool has not begun. */
    private void run(PooledDataSource source) {
      Throwable failure = null;
      try {
        openFirst(source.initializationFailTimeout);
      } catch (Throwable e) {
        failure = e;
      }
      source.end(this, failure == null);
      if (failure == null) {
        end.complete(null);
      } else {
        pool.closeQuickly();
        end.completeExceptionally(failure);
      }
    }

    private void openFirst(long timeoutMs) throws SQLException, InterruptedException {
      long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(timeoutMs);
      for (; ; ) {
        long leftMs = Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime()));
        try {
          pool.get(Duration.ofMillis(pool.getTimeoutMs < 0 ? leftMs : Math.min(leftMs, pool.getTimeoutMs))).close();
          return;
        } catch (SQLException | RuntimeException e) {
          if (pool.isClosed() || System.nanoTime() - deadline >= 0) {
            if (e instanceof PoolTimeoutException && e.getCause() instanceof SQLException why) {
              throw why; // the wait is of no interest
            }
            throw e;
          }
        }
        Thread.sleep(INITIAL_PAUSE_MS);
      }
    }

    private Pool<PhysicalConnection, SQLException> await(String name, long timeoutMs)
        throws SQLException, InterruptedException {
      try {
        end.get(timeoutMs == 0 ? Long.MAX_VALUE : timeoutMs, TimeUnit.MILLISECONDS);
        return pool;
      } catch (TimeoutException e) {
        throw new PoolTimeoutException(name + ": no connection in time: the first one is still tried");
      } catch (ExecutionException e) {
        return rethrow(e.getCause());
      }
    }

    private static Pool<PhysicalConnection, SQLException> rethrow(Throwable failure) throws SQLException {
      if (failure instanceof SQLException e) {
        throw e;
      }
      if (failure instanceof RuntimeException e) {
        throw e;
      }
      if (failure instanceof Error e) {
        throw e;
      }
      return null;
    }
  }

  private synchronized void end(Beginning begun, boolean succeeded) {
    beginning = null;
    if (succeeded) {
      pool = begun.pool;
    }
  }

  /** Opens nothing yet. */
  private Pool<PhysicalConnection, SQLException> make() throws SQLException {
    Source source = source();
    PhysicalConnection.Settings settings =
        new PhysicalConnection.Settings(
            autoCommit, readOnly, isolation(transactionIsolation), catalog, schema, connectionInitSql,
            new Breakage(exceptionOverride));
    int checkSeconds = (int) Math.max(1, validationTimeout / 1000);
    return Pool.builder(() -> PhysicalConnection.open(source, settings))
        .closer(PhysicalConnection::close)
        .checker(connection -> connection.check(connectionTestQuery, checkSeconds))
        .closesBehind()
        .name(poolName)
        .maxOpen(maximumPoolSize)
        .maxOpening(OPENING)
        .minIdle(minimumIdle < 0 ? maximumPoolSize : Math.min(minimumIdle, maximumPoolSize))
        .getTimeout(Duration.ofMillis(connectionTimeout == 0 ? -1 : connectionTimeout))
        .idleTimeout(Duration.ofMillis(idleTimeout))
        .maxLifetime(Duration.ofMillis(maxLifetime))
        .keepalive(Duration.ofMillis(keepaliveTime))
        .checkAfter(Duration.ofMillis(500))
        .leakAfter(Duration.ofMillis(leakDetectionThreshold))
        .retryMin(Duration.ofMillis(100))
        .build();
  }

  /** Where the connections come from: what pools best first. */
  private Source source() throws SQLException {
    if (connectionPoolDataSource != null) {
      return Source.of(connectionPoolDataSource, username, password);
    }
    if (dataSource != null) {
      return Source.of(dataSource, username, password);
    }
    if (dataSourceClassName != null) {
      Object made = Source.instantiate(dataSourceClassName);
      Bean bean = new Bean(made);
      driverProperties.forEach(bean::set);
      driverSource = made;
      return Source.of(made, username, password);
    }
    if (jdbcUrl == null) {
      throw new SQLException(
          poolName + ": none of jdbcUrl, dataSourceClassName, dataSource and connectionPoolDataSource is set");
    }
    return Source.of(jdbcUrl, driverClassName, driverProperties, username, password);
  }

  /** A constant of {@link Connection} by its name or number; -1: as the driver has it. */
  private static int isolation(String wanted) {
    if (wanted == null) {
      return -1;
    }
    for (Field field : Connection.class.getFields()) {
      if (field.getName().startsWith("TRANSACTION_")) {
        try {
          if (wanted.equalsIgnoreCase(field.getName()) || wanted.equals("" + field.getInt(null))) {
            return field.getInt(null);
          }
        } catch (IllegalAccessException e) {
          throw new AssertionError(e);
        }
      }
    }
    throw new IllegalArgumentException("transactionIsolation is " + wanted + ", which Connection does not know");
  }

  /**
   * Closes the pool and waits for closeGrace until the last connection has come back. Those that are still out are
   * aborted then, and their users' next calls fail. In any case this returns a few seconds after the grace; if the thread
   * is interrupted, it aborts and returns at once, and stays interrupted.
   */
  @Override
  public void close() {
    Pool<PhysicalConnection, SQLException> made;
    long graceMs;
    synchronized (this) {
      closed = true;
      made = beginning != null ? beginning.pool : pool;
      graceMs = closeGrace;
    }
    if (made == null) {
      return;
    }
    try {
      if (made.drain(graceMs) == 0) {
        return;
      }
      made.takeAll(PhysicalConnection::abort);
      made.drain(ABORT_MS);
    } catch (InterruptedException e) {
      made.takeAll(PhysicalConnection::abort);
      Thread.currentThread().interrupt();
    }
  }

  /** Replaces all connections; see {@link Pool#flush()}. */
  public int flush() {
    return begun().flush();
  }

  /** Lends nothing until {@link #resume()}; see {@link Pool#pause()}. */
  public int pause() {
    return begun().pause();
  }

  /** Takes one {@link #pause()} back; see {@link Pool#resume()}. */
  public int resume() {
    return begun().resume();
  }

  private Pool<PhysicalConnection, SQLException> begun() {
    Pool<PhysicalConnection, SQLException> made = pool;
    if (made == null) {
      throw new IllegalStateException(getPoolName() + ": no connection was asked for yet");
    }
    return made;
  }

  /** Whether it was closed. */
  public synchronized boolean isClosed() {
    return closed;
  }

  /** Counts of the pool; null before the first connection was asked for. */
  public PoolStats stats() {
    Pool<PhysicalConnection, SQLException> made = pool;
    return made == null ? null : made.stats();
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
    Object wrapped = wrapped();
    if (type.isInstance(wrapped)) {
      return type.cast(wrapped);
    }
    if (wrapped instanceof DataSource other && other.isWrapperFor(type)) {
      return other.unwrap(type);
    }
    throw new SQLException("this wraps no " + type.getName());
  }

  /** What opens the connections, where that is an object; that of dataSourceClassName is made by the first getConnection. */
  private synchronized Object wrapped() {
    if (connectionPoolDataSource != null) {
      return connectionPoolDataSource;
    }
    return dataSource != null ? dataSource : driverSource;
  }

  @Override
  public boolean isWrapperFor(Class<?> type) throws SQLException {
    Object wrapped = wrapped();
    return type.isInstance(this)
        || type.isInstance(wrapped)
        || (wrapped instanceof DataSource other && other.isWrapperFor(type));
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
    this.poolName = Objects.requireNonNull(poolName, "poolName");
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
    atLeast(1, "maximumPoolSize", maximumPoolSize);
    this.maximumPoolSize = maximumPoolSize;
  }

  /** See {@link #setMaximumPoolSize}. */
  public synchronized int getMaximumPoolSize() {
    return maximumPoolSize;
  }

  /** So many are kept idle; -1: as many as maximumPoolSize. */
  public synchronized void setMinimumIdle(int minimumIdle) {
    mayChange();
    atLeast(-1, "minimumIdle", minimumIdle);
    this.minimumIdle = minimumIdle;
  }

  /** See {@link #setMinimumIdle}. */
  public synchronized int getMinimumIdle() {
    return minimumIdle;
  }

  /** How long getConnection takes at most; 0: no limit. */
  public synchronized void setConnectionTimeout(long connectionTimeout) {
    mayChange();
    atLeast(0, "connectionTimeout", connectionTimeout);
    this.connectionTimeout = connectionTimeout;
  }

  /** See {@link #setConnectionTimeout}. */
  public synchronized long getConnectionTimeout() {
    return connectionTimeout;
  }

  /** How long a check takes at most, in whole seconds. */
  public synchronized void setValidationTimeout(long validationTimeout) {
    mayChange();
    atLeast(0, "validationTimeout", validationTimeout);
    this.validationTimeout = validationTimeout;
  }

  /** See {@link #setValidationTimeout}. */
  public synchronized long getValidationTimeout() {
    return validationTimeout;
  }

  /** Idle for so long, a connection is closed, down to minimumIdle; 0: never. */
  public synchronized void setIdleTimeout(long idleTimeout) {
    mayChange();
    atLeast(0, "idleTimeout", idleTimeout);
    this.idleTimeout = idleTimeout;
  }

  /** See {@link #setIdleTimeout}. */
  public synchronized long getIdleTimeout() {
    return idleTimeout;
  }

  /** No connection gets older; 0: no limit. */
  public synchronized void setMaxLifetime(long maxLifetime) {
    mayChange();
    atLeast(0, "maxLifetime", maxLifetime);
    this.maxLifetime = maxLifetime;
  }

  /** See {@link #setMaxLifetime}. */
  public synchronized long getMaxLifetime() {
    return maxLifetime;
  }

  /** Idle for so long, a connection is checked; 0: never. */
  public synchronized void setKeepaliveTime(long keepaliveTime) {
    mayChange();
    atLeast(0, "keepaliveTime", keepaliveTime);
    this.keepaliveTime = keepaliveTime;
  }

  /** See {@link #setKeepaliveTime}. */
  public synchronized long getKeepaliveTime() {
    return keepaliveTime;
  }

  /** A connection that is out for so long is logged; 0: never. */
  public synchronized void setLeakDetectionThreshold(long leakDetectionThreshold) {
    mayChange();
    atLeast(0, "leakDetectionThreshold", leakDetectionThreshold);
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

  /**
   * A class of the driver, a ConnectionPoolDataSource or a DataSource, of which one object is made and given the
   * properties of {@link #addDataSourceProperty}.
   */
  public synchronized void setDataSourceClassName(String dataSourceClassName) {
    mayChange();
    this.dataSourceClassName = dataSourceClassName;
  }

  /** See {@link #setDataSourceClassName}. */
  public synchronized String getDataSourceClassName() {
    return dataSourceClassName;
  }

  /** Executed on each new connection. */
  public synchronized void setConnectionInitSql(String connectionInitSql) {
    mayChange();
    this.connectionInitSql = connectionInitSql;
  }

  /** See {@link #setConnectionInitSql}. */
  public synchronized String getConnectionInitSql() {
    return connectionInitSql;
  }

  /** Of each connection that is lent: the name of a constant of {@link Connection}; null: as the driver has it. */
  public synchronized void setTransactionIsolation(String transactionIsolation) {
    mayChange();
    isolation(transactionIsolation);
    this.transactionIsolation = transactionIsolation;
  }

  /** See {@link #setTransactionIsolation}. */
  public synchronized String getTransactionIsolation() {
    return transactionIsolation;
  }

  /** Of each connection that is lent; null: as the driver has it. */
  public synchronized void setCatalog(String catalog) {
    mayChange();
    this.catalog = catalog;
  }

  /** See {@link #setCatalog}. */
  public synchronized String getCatalog() {
    return catalog;
  }

  /** Of each connection that is lent; null: as the driver has it. */
  public synchronized void setSchema(String schema) {
    mayChange();
    this.schema = schema;
  }

  /** See {@link #setSchema}. */
  public synchronized String getSchema() {
    return schema;
  }

  /** For so long the first getConnection tries to open a connection; 1 or less: it tries once. */
  public synchronized void setInitializationFailTimeout(long initializationFailTimeout) {
    mayChange();
    this.initializationFailTimeout = initializationFailTimeout;
  }

  /** See {@link #setInitializationFailTimeout}. */
  public synchronized long getInitializationFailTimeout() {
    return initializationFailTimeout;
  }

  /** Decides of what a driver throws whether it broke the connection; null: the rules of {@link ExceptionOverride}. */
  public synchronized void setExceptionOverride(ExceptionOverride exceptionOverride) {
    mayChange();
    this.exceptionOverride = exceptionOverride;
  }

  /** See {@link #setExceptionOverride}. */
  public synchronized ExceptionOverride getExceptionOverride() {
    return exceptionOverride;
  }

  /**
   * The class of an {@link ExceptionOverride} of which one object is made.
   *
   * @throws IllegalArgumentException if that is not possible
   */
  public synchronized void setExceptionOverrideClassName(String exceptionOverrideClassName) {
    mayChange();
    exceptionOverride = exceptionOverrideClassName == null ? null : overrideOf(exceptionOverrideClassName);
    this.exceptionOverrideClassName = exceptionOverrideClassName;
  }

  /** See {@link #setExceptionOverrideClassName}. */
  public synchronized String getExceptionOverrideClassName() {
    return exceptionOverrideClassName;
  }

  private static ExceptionOverride overrideOf(String className) {
    try {
      if (Source.instantiate(className) instanceof ExceptionOverride made) {
        return made;
      }
    } catch (SQLException e) {
      throw new IllegalArgumentException(e.getMessage(), e.getCause());
    }
    throw new IllegalArgumentException(className + " is no libpool.ExceptionOverride");
  }

  /** For so long {@link #close()} waits for connections that are out, before it aborts them. */
  public synchronized void setCloseGrace(long closeGrace) {
    atLeast(0, "closeGrace", closeGrace);
    this.closeGrace = closeGrace;
  }

  /** See {@link #setCloseGrace}. */
  public synchronized long getCloseGrace() {
    return closeGrace;
  }

  /** A property for the driver of jdbcUrl, or for the object that is made of dataSourceClassName. */
  public synchronized void addDataSourceProperty(String name, Object value) {
    mayChange();
    driverProperties.put(Objects.requireNonNull(name, "name"), Objects.requireNonNull(value, "value"));
  }

  private static void atLeast(long least, String name, long value) {
    if (value < least) {
      throw new IllegalArgumentException(name + " is " + value + "; it must be " + least + " or more");
    }
  }

  private void mayChange() {
    if (pool != null || beginning != null) {
      throw new IllegalStateException("the pool has begun; its properties cannot be changed any more");
    }
  }
}
