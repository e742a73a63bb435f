// SPDX-License-Identifier: MIT
package libpool;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Reader;
import java.lang.ref.Cleaner;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.Driver;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLTransientConnectionException;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.ToLongFunction;
import java.util.logging.Logger;
import javax.sql.CommonDataSource;
import javax.sql.ConnectionPoolDataSource;
import javax.sql.DataSource;
import org.jspecify.annotations.Nullable;

/**
 * A {@link DataSource} whose connections come from a pool. It opens them with one of: a {@link
 * ConnectionPoolDataSource}, a {@link DataSource}, or the driver for a JDBC URL. Its properties have the names and
 * defaults of HikariCP's; times are in milliseconds. They are read when the first connection is asked for. Those of
 * {@link PoolMXBean} can be changed after that, too; the others not. A blank text is none, and a time of more than a year
 * is a year.
 */
public class PooledDataSource implements DataSource, AutoCloseable, PoolMXBean {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final long INITIAL_PAUSE_MS = 50;
  private static final long KEEPALIVE_MS = 120_000;
  private static final long FILLS_AFTER_MS = 100;
  private static final long ABORT_MS = 5_000; // so long a close waits for what it has aborted
  private static final int OPENING = 2; // at one time: a burst is served by what comes back, not by a storm of opens

  private static final long YEAR_MS = TimeUnit.DAYS.toMillis(365); // the longest time that the library knows

  /** Those of {@link Connection}, and the drivers' own that HikariCP has names for. */
  private static final Map<String, Integer> ISOLATIONS =
      Map.of(
          "TRANSACTION_NONE", Connection.TRANSACTION_NONE,
          "TRANSACTION_READ_UNCOMMITTED", Connection.TRANSACTION_READ_UNCOMMITTED,
          "TRANSACTION_READ_COMMITTED", Connection.TRANSACTION_READ_COMMITTED,
          "TRANSACTION_REPEATABLE_READ", Connection.TRANSACTION_REPEATABLE_READ,
          "TRANSACTION_SERIALIZABLE", Connection.TRANSACTION_SERIALIZABLE,
          "TRANSACTION_CURSOR_STABILITY", 3,
          "TRANSACTION_LAST_COMMITTED", 5,
          "TRANSACTION_SQL_SERVER_SNAPSHOT_ISOLATION_LEVEL", 4096);

  private final Properties driverProperties = new Properties();
  private ConnectionPoolDataSource connectionPoolDataSource;
  private DataSource dataSource;
  private final Login login = new Login();
  private final Suspension suspension = new Suspension();
  private String credentialsProviderClassName;
  private String jdbcUrl;
  private String driverClassName;
  private String dataSourceClassName;
  private String connectionInitSql;
  private String transactionIsolation;
  private volatile String catalog;
  private String schema;
  private String poolName = "pool";
  private String connectionTestQuery;
  private volatile boolean isProven; // a connection can be checked
  private volatile Pool<PhysicalConnection, SQLException> unfilled; // is to have minimumIdle after its first open
  long fillsAfterMs = FILLS_AFTER_MS; // for tests
  private volatile Throwable refusal; // of what a new connection is to be
  private int maximumPoolSize = 10;
  private int minimumIdle = -1;
  private long connectionTimeout = 30_000;
  private volatile long validationTimeout = 5_000;
  private long idleTimeout = 600_000;
  private long maxLifetime = 1_800_000;
  private long keepaliveTime = KEEPALIVE_MS;
  private long leakDetectionThreshold;
  private String budget;
  private int budgetWeight = 1;
  private int budgetFloor;
  private long initializationFailTimeout = 1;
  private long closeGrace = 5_000;
  private ExceptionOverride exceptionOverride;
  private String exceptionOverrideClassName;
  private boolean autoCommit = true;
  private boolean readOnly;
  private boolean allowPoolSuspension;
  private boolean registerMbeans;
  private Cleaner.@Nullable Cleanable mbean; // removes it; null: there is none
  private PrintWriter logWriter;
  private Object driverSource; // made of dataSourceClassName; null: not yet
  private boolean closed; // guarded by this, as all that is set
  private Beginning beginning; // null: it has begun, or not yet
  private volatile Pool<PhysicalConnection, SQLException> pool;
  private final Trackers trackers = new Trackers();
  private final ReentrantLock changes = new ReentrantLock(); // the pool follows what is set in the same order

  /** With the properties that have defaults, and no other. */
  public PooledDataSource() {}

  /**
   * With properties by their names; those whose names begin with {@code dataSource.} are for the driver, as by {@link
   * #addDataSourceProperty}. A text of a time may have a unit: 250ms, 30s, 10m, 2h, 1d.
   *
   * @param properties by their names
   * @throws IllegalArgumentException if one is not known or cannot have its value; it names it
   *
   */
  @SuppressWarnings("this-escape") // to a setter that a subclass may have overridden
  public PooledDataSource(Properties properties) {
    Bean self = new Bean(this);
    all(properties)
        .forEach(
            (name, value) -> {
              if (name.startsWith("dataSource.")) {
                addDataSourceProperty(name.substring("dataSource.".length()), value);
              } else {
                self.set(name, value);
              }
            });
  }

  /** With its defaults, and with what is no text. */
  private static Map<String, Object> all(Properties properties) {
    Map<String, Object> all = new TreeMap<>();
    properties.stringPropertyNames().forEach(name -> all.put(name, properties.getProperty(name)));
    properties.forEach((name, value) -> all.putIfAbsent(name.toString(), value));
    return all;
  }

  /**
   * With the properties in a file.
   *
   * @param file as Properties has it
   * @return a data source with them
   * @throws IOException if the file cannot be read
   */
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
   * @throws SQLTransientConnectionException if none came within connectionTimeout, or none is tried for now; the next
   *     exception is what the driver threw last, if it has thrown something
   * @throws SQLException what the driver throws if one must be opened; or the data source is closed
   */
  @Override
  public Connection getConnection() throws SQLException {
    return trackers.isAny() ? connectAndTell() : connect();
  }

  private Connection connect() throws SQLException {
    try {
      return get();
    } catch (PoolClosedException e) {
      throw new SQLException(e.getMessage(), "08003", e);
    } catch (PoolException e) {
      throw unavailable(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new SQLException("interrupted while waiting for a connection", "08001", e);
    }
  }

  /** With what a driver said last as the next one, and with its state and code. */
  private static SQLException unavailable(PoolException e) {
    if (!(e.getCause() instanceof SQLException last)) {
      return new SQLTransientConnectionException(e.getMessage(), "08001", e);
    }
    String state = last.getSQLState() == null ? "08001" : last.getSQLState();
    var told = new SQLTransientConnectionException(e.getMessage(), state, last.getErrorCode(), e);
    told.setNextException(last);
    return told;
  }

  private Connection connectAndTell() throws SQLException {
    Stack.requireForGet(); // and for the close if the trackers need more than there is
    long since = System.nanoTime();
    try {
      return tell(connect(), since);
    } catch (SQLException | RuntimeException e) {
      long ns = System.nanoTime() - since;
      if (e.getCause() instanceof PoolTimeoutException) {
        trackers.timedOut(ns);
      } else {
        trackers.failed(ns);
      }
      throw e;
    }
  }

  private Connection tell(Connection connection, long since) throws SQLException {
    try {
      long now = System.nanoTime();
      trackers.acquired(now - since);
      ((ConnectionHandle) connection).isLent(trackers, now);
      return connection;
    } catch (Throwable e) { // the end of memory or of the stack
      connection.close();
      throw e;
    }
  }

  /** A suspension of the pool has no part in the time that a get may take. */
  private Connection get() throws SQLException, InterruptedException {
    for (; ; ) {
      int changes = suspension.changes();
      try {
        return ConnectionHandle.of(pool());
      } catch (PoolTimeoutException e) {
        if (!suspension.await(changes)) {
          throw e;
        }
      }
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
        register();
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

    /** If it does not succeed, the pool has not begun. What an interrupt ends here, others that wait begin anew. */
    private void run(PooledDataSource source) throws InterruptedException {
      Throwable failure = null;
      try {
        openFirst(source);
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
      if (failure instanceof InterruptedException interrupt) {
        throw interrupt;
      }
    }

    /** A server that refuses a statement will do so again; one that has gone meanwhile may come back. */
    private void openFirst(PooledDataSource source) throws SQLException, InterruptedException {
      long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(source.initializationFailTimeout);
      for (; ; ) {
        try {
          pool.get().close();
          return;
        } catch (SQLException | RuntimeException e) {
          if (e == source.refusal || pool.isClosed() || System.nanoTime() - deadline >= 0) {
            if (e instanceof PoolException && e.getCause() instanceof SQLException why) {
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
    unfilled = makeEmpty();
    return unfilled;
  }

  /** The first open is over. What comes back at once is enough for a start, so no more is opened for a while. */
  private void fillLater() {
    Pool<PhysicalConnection, SQLException> made = unfilled;
    if (made == null) {
      return;
    }
    try {
      made.doLater(fillsAfterMs, this::fill);
      unfilled = null;
    } catch (Throwable e) {
      // memory is short: the next open does it, and this one has its connection
    }
  }

  private void fill() {
    try {
      change(made -> made.set("min_idle", least(getMinimumIdle(), getMaximumPoolSize())), () -> {});
    } catch (PoolClosedException e) {
      // it is needed no more
    }
  }

  private Pool<PhysicalConnection, SQLException> makeEmpty() throws SQLException {
    isProven = false;
    Source source = source();
    PhysicalConnection.Settings settings =
        new PhysicalConnection.Settings(
            autoCommit, readOnly, isolation(transactionIsolation), schema, connectionInitSql,
            new Breakage(exceptionOverride));
    return sharing(Pool.builder(() -> open(source, settings)))
        .closer(PhysicalConnection::close)
        .checker(connection -> connection.check(connectionTestQuery, validationSeconds()))
        .name(poolName)
        .maxOpen(maximumPoolSize)
        .maxOpening(OPENING)
        .getTimeout(time(connectionTimeout == 0 ? -1 : connectionTimeout))
        .idleTimeout(time(idleTimeout))
        .maxLifetime(time(maxLifetime))
        .keepalive(time(keepalive(keepaliveTime, maxLifetime)))
        .checkAfter(Duration.ofMillis(500))
        .checkTimeout(time(Math.max(1, validationTimeout)))
        .leakAfter(time(leakDetectionThreshold))
        .retryMin(Duration.ofMillis(100))
        .build();
  }

  private static Duration time(long ms) {
    return Duration.ofMillis(Math.min(YEAR_MS, ms));
  }

  /** One that no connection would live to see is none, after a warning if somebody has set it. */
  private long keepalive(long keepaliveTime, long maxLifetime) {
    if (maxLifetime == 0 || keepaliveTime < Math.min(YEAR_MS, maxLifetime)) {
      return keepaliveTime;
    }
    if (keepaliveTime != KEEPALIVE_MS) {
      LOG.log(
          System.Logger.Level.WARNING,
          () ->
              poolName + ": keepaliveTime is " + keepaliveTime
                  + "; no connection gets so old, as maxLifetime is " + maxLifetime);
    }
    return 0;
  }

  /** The library takes no keepalive that is above the lifetime, not for a moment either. */
  private void changeAges(Pool<PhysicalConnection, SQLException> pool, long keepaliveTime, long maxLifetime) {
    pool.set("keepalive_ms", 0);
    pool.set("max_lifetime_ms", Math.min(YEAR_MS, maxLifetime));
    pool.set("keepalive_ms", Math.min(YEAR_MS, keepalive(keepaliveTime, maxLifetime)));
  }

  private <B extends Settings<B>> B sharing(B builder) {
    return budget == null
        ? builder
        : builder.set("budget", budget).set("budget_weight", budgetWeight).set("budget_floor", budgetFloor);
  }

  private PhysicalConnection open(Source source, PhysicalConnection.Settings settings) throws SQLException {
    try {
      return openNow(source, settings);
    } finally {
      fillLater();
    }
  }

  private PhysicalConnection openNow(Source source, PhysicalConnection.Settings settings) throws SQLException {
    long since = System.nanoTime();
    PhysicalConnection opened = PhysicalConnection.open(source, settings);
    try {
      opened.prepare(settings, catalog);
      prove(opened);
    } catch (Throwable e) {
      if (!settings.breakage().isBroken(e)) {
        refusal = e;
      }
      opened.closeAfter(e);
      throw e;
    }
    trackers.opened(System.nanoTime() - since);
    return opened;
  }

  /**
   * That a test query is wrong, or the driver has no isValid, is told by the first open: later it would cost each connection that
   * is checked.
   */
  private void prove(PhysicalConnection opened) throws SQLException {
    if (!isProven) {
      opened.check(connectionTestQuery, validationSeconds());
      isProven = true;
    }
  }

  private int validationSeconds() {
    return (int) Math.max(1, time(validationTimeout).toSeconds());
  }

  /** Where the connections come from: what pools best first. */
  private Source source() throws SQLException {
    if (connectionPoolDataSource != null) {
      return sourceOf(connectionPoolDataSource);
    }
    if (dataSource != null) {
      return sourceOf(dataSource);
    }
    if (dataSourceClassName != null) {
      Object made = Source.instantiate(dataSourceClassName);
      Bean bean = new Bean(made);
      all(driverProperties).forEach(bean::set);
      driverSource = made;
      return sourceOf(made);
    }
    if (jdbcUrl == null) {
      throw new SQLException(
          poolName + ": none of jdbcUrl, dataSourceClassName, dataSource and connectionPoolDataSource is set");
    }
    return Source.of(jdbcUrl, driverClassName, all(driverProperties), login);
  }

  private Source sourceOf(Object driver) throws SQLException {
    if (driver instanceof CommonDataSource source) {
      configure(source);
    }
    return Source.of(driver, login);
  }

  /** A login that hangs ends at last, where nobody has set a limit for it. */
  private void configure(CommonDataSource driver) {
    try {
      if (connectionTimeout > 0 && driver.getLoginTimeout() == 0) {
        driver.setLoginTimeout(getLoginTimeout());
      }
      if (logWriter != null) {
        driver.setLogWriter(logWriter);
      }
    } catch (SQLException | RuntimeException | LinkageError e) {
      // not every driver has these
    }
  }

  /** By its name or number, which may be a driver's own; -1: as the driver has it. */
  private static int isolation(String wanted) {
    if (wanted == null) {
      return -1;
    }
    Integer known = ISOLATIONS.get(wanted.toUpperCase(Locale.ROOT));
    if (known != null) {
      return known;
    }
    if (!wanted.matches("[0-9]{1,9}")) {
      throw new IllegalArgumentException("transactionIsolation is " + wanted + ", which Connection does not know");
    }
    return Integer.parseInt(wanted);
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
    unregister();
    trackers.closed();
    suspension.end(); // those that wait for it are told that the pool is closed
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

  /**
   * Aborts and closes a connection of this source that is out, as if it had broken, but says nothing of the others; also
   * one whose close hangs in the driver. Does nothing with one that was given back or comes from elsewhere.
   *
   *
   * @param connection the connection
   */
  public void evictConnection(Connection connection) {
    try {
      if (connection instanceof ConnectionHandle handle) {
        evict(handle);
      } else if (connection.isWrapperFor(ConnectionHandle.class)) {
        evict(connection.unwrap(ConnectionHandle.class));
      }
    } catch (SQLException e) {
      // it is closed
    }
  }

  private void evict(ConnectionHandle handle) {
    if (handle.pool == pool) {
      handle.evict();
    }
  }

  /**
   * Replaces all connections; see {@link Pool#flush()}.
   *
   * @return how many connections are concerned
   */
  public int flush() {
    return begun().flush();
  }

  /**
   * Lends nothing until {@link #resume()}; see {@link Pool#pause()}.
   *
   * @return how many connections are in use
   */
  public int pause() {
    return begun().pause();
  }

  /**
   * Takes one {@link #pause()} back; see {@link Pool#resume()}.
   *
   * @return how many pauses remain
   */
  public int resume() {
    return begun().resume();
  }

  /**
   * The same as {@link #setMaximumPoolSize}.
   *
   * @param maximumPoolSize how many
   * @return how many connections are still too many, and will be closed as they come back
   *
   */
  public int resize(int maximumPoolSize) {
    setMaximumPoolSize(maximumPoolSize);
    return Math.max(0, count(PoolStats::open) - maximumPoolSize);
  }

  /**
   * The leases; see {@link Pool#leases()}.
   *
   * @return one for each lease
   */
  public List<LeaseInfo> leases() {
    Pool<PhysicalConnection, SQLException> made = pool;
    return made == null ? List.of() : made.leases();
  }

  /**
   * What {@link #stats()} knows as text; "" before the first connection was asked for.
   *
   * @param format how it is written
   * @return the text
   */
  public String report(Format format) {
    Pool<PhysicalConnection, SQLException> made = pool;
    return made == null ? "" : made.report(format);
  }

  @Override
  public String getReport() {
    return report(Format.TEXT);
  }

  /** {@return what an operator sees and does, for JMX} */
  public PoolMXBean getPoolMXBean() {
    return this;
  }

  private int count(ToLongFunction<PoolStats> which) {
    PoolStats stats = stats();
    return stats == null ? 0 : (int) which.applyAsLong(stats);
  }

  @Override
  public int getActiveConnections() {
    return count(PoolStats::leased);
  }

  @Override
  public int getIdleConnections() {
    return count(PoolStats::idle);
  }

  @Override
  public int getTotalConnections() {
    return count(stats -> stats.idle() + stats.leased());
  }

  @Override
  public int getThreadsAwaitingConnection() {
    Pool<PhysicalConnection, SQLException> made = pool;
    return made == null ? 0 : made.pending();
  }

  /** Does nothing before the first connection was asked for. */
  @Override
  public void softEvictConnections() {
    Pool<PhysicalConnection, SQLException> made = pool;
    if (made != null) {
      made.flush();
    }
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalStateException also before the first connection was asked for
   */
  @Override
  public void suspendPool() {
    if (!isAllowPoolSuspension()) {
      throw new IllegalStateException(getPoolName() + ": cannot be suspended; set allowPoolSuspension");
    }
    Pool<PhysicalConnection, SQLException> made = begun();
    changes.lock();
    try {
      if (suspension.begin()) {
        made.pause();
      }
    } finally {
      changes.unlock();
    }
  }

  @Override
  public void resumePool() {
    changes.lock();
    try {
      if (suspension.end()) {
        begun().resume();
      }
    } finally {
      changes.unlock();
    }
  }

  private Pool<PhysicalConnection, SQLException> begun() {
    Pool<PhysicalConnection, SQLException> made = pool;
    if (made == null) {
      throw new IllegalStateException(getPoolName() + ": no connection was asked for yet");
    }
    return made;
  }

  /** {@return whether a connection was asked for, and it is neither suspended nor closed} */
  public synchronized boolean isRunning() {
    return pool != null && !closed && !suspension.isOn();
  }

  /** {@return whether it was closed} */
  public synchronized boolean isClosed() {
    return closed;
  }

  /**
   * Counts of the pool; null before the first connection was asked for.
   *
   * @return the counts, or null
   */
  public @Nullable PoolStats stats() {
    Pool<PhysicalConnection, SQLException> made = pool;
    return made == null ? null : made.stats();
  }

  /**
   * Tells it what happens from now on.
   *
   * @param tracker the object that is told
   * @return false if a tracker that equals it is told already; then nothing has changed
   */
  public boolean addTracker(Tracker tracker) {
    return trackers.add(Objects.requireNonNull(tracker, "tracker"));
  }

  /**
   * Tells it no more.
   *
   * @param tracker the object that was told; one that was not is ignored
   */
  public void removeTracker(Tracker tracker) {
    trackers.remove(tracker);
  }

  @Override
  public String toString() {
    return "PooledDataSource " + getPoolName();
  }

  // ---- what every DataSource has

  @Override
  public @Nullable PrintWriter getLogWriter() {
    return logWriter;
  }

  /** The driver's object gets it too, when it opens connections for the pool. */
  @Override
  public synchronized void setLogWriter(@Nullable PrintWriter logWriter) throws SQLException {
    this.logWriter = logWriter;
    if (pool != null && wrapped() instanceof CommonDataSource source) {
      source.setLogWriter(logWriter);
    }
  }

  /** Of connectionTimeout, to the nearest second; 0: no limit. */
  @Override
  public int getLoginTimeout() {
    long ms = time(getConnectionTimeout()).toMillis();
    return ms == 0 ? 0 : (int) Math.max(1, (ms + 500) / 1000);
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

  /**
   * Opens the connections.
   *
   * @param connectionPoolDataSource null: none
   */
  public synchronized void setConnectionPoolDataSource(@Nullable ConnectionPoolDataSource connectionPoolDataSource) {
    mayChange();
    this.connectionPoolDataSource = connectionPoolDataSource;
  }

  /** {@return what {@link #setConnectionPoolDataSource} has set} */
  public synchronized @Nullable ConnectionPoolDataSource getConnectionPoolDataSource() {
    return connectionPoolDataSource;
  }

  /**
   * Opens the connections, where there is no connectionPoolDataSource.
   *
   * @param dataSource null: none
   */
  public synchronized void setDataSource(@Nullable DataSource dataSource) {
    mayChange();
    this.dataSource = dataSource;
  }

  /** {@return what {@link #setDataSource} has set} */
  public synchronized @Nullable DataSource getDataSource() {
    return dataSource;
  }

  /**
   * Opens the connections through its driver, where there is neither of these.
   *
   * @param jdbcUrl null: none
   */
  public synchronized void setJdbcUrl(@Nullable String jdbcUrl) {
    mayChange();
    this.jdbcUrl = some(jdbcUrl);
  }

  /** {@return what {@link #setJdbcUrl} has set} */
  public synchronized @Nullable String getJdbcUrl() {
    return jdbcUrl;
  }

  /**
   * The same as {@link #setJdbcUrl}, by the name that Spring Boot and others look for.
   *
   * @param url as the driver knows it
   */
  public void setUrl(@Nullable String url) {
    setJdbcUrl(url);
  }

  /** {@return what {@link #setJdbcUrl} has set} */
  public @Nullable String getUrl() {
    return getJdbcUrl();
  }

  /** Null: none. For connections that are opened from now on. */
  @Override
  public synchronized void setUsername(@Nullable String username) {
    login.set(login.set().withUsername(username));
  }

  /** {@return what {@link #setUsername} has set} */
  public @Nullable String getUsername() {
    return login.set().username();
  }

  /** Null: none. For connections that are opened from now on. */
  @Override
  public synchronized void setPassword(@Nullable String password) {
    login.set(login.set().withPassword(password));
  }

  /**
   * Both at one moment, for connections that are opened from now on.
   *
   * @param credentials a name and a password
   */
  public synchronized void setCredentials(Credentials credentials) {
    login.set(Objects.requireNonNull(credentials, "credentials"));
  }

  /** {@return what {@link #setCredentials} has set} */
  public Credentials getCredentials() {
    return login.set();
  }

  /**
   * Is asked for the credentials of each connection that is opened from now on; null: they are as they were set.
   *
   * @param credentialsProvider null: none
   */
  public synchronized void setCredentialsProvider(@Nullable CredentialsProvider credentialsProvider) {
    login.set(credentialsProvider);
  }

  /** {@return what {@link #setCredentialsProvider} has set} */
  public @Nullable CredentialsProvider getCredentialsProvider() {
    return login.provider();
  }

  /**
   * The class of a {@link CredentialsProvider} of which one object is made.
   *
   * @param credentialsProviderClassName null: none
   * @throws IllegalArgumentException if that is not possible
   *
   */
  public synchronized void setCredentialsProviderClassName(@Nullable String credentialsProviderClassName) {
    String wanted = some(credentialsProviderClassName);
    login.set(wanted == null ? null : made(wanted, CredentialsProvider.class));
    this.credentialsProviderClassName = wanted;
  }

  /** {@return what {@link #setCredentialsProviderClassName} has set} */
  public synchronized @Nullable String getCredentialsProviderClassName() {
    return credentialsProviderClassName;
  }

  /**
   * Whether JMX shows the pool, from the first getConnection until its close, as {@code libpool:type=Pool,name=} and the
   * name of the pool; see {@link PoolMXBean}.
   *
   * @param registerMbeans whether it does
   */
  public synchronized void setRegisterMbeans(boolean registerMbeans) {
    mayChange();
    this.registerMbeans = registerMbeans;
  }

  /** {@return what {@link #setRegisterMbeans} has set} */
  public synchronized boolean isRegisterMbeans() {
    return registerMbeans;
  }

  private synchronized void register() {
    try {
      if (registerMbeans && mbean == null) {
        mbean = Mbean.register(this, poolName);
      }
    } catch (NoClassDefFoundError e) {
      LOG.log(System.Logger.Level.WARNING, () -> poolName + ": there is no JMX here", e);
    }
  }

  private synchronized void unregister() {
    if (mbean != null) {
      mbean.clean();
    }
  }

  /**
   * Whether {@link #suspendPool()} may be called.
   *
   * @param allowPoolSuspension whether it may
   */
  public synchronized void setAllowPoolSuspension(boolean allowPoolSuspension) {
    mayChange();
    this.allowPoolSuspension = allowPoolSuspension;
  }

  /** {@return what {@link #setAllowPoolSuspension} has set} */
  public synchronized boolean isAllowPoolSuspension() {
    return allowPoolSuspension;
  }

  /**
   * See {@link #setPassword}; for what makes another data source of this one.
   *
   * @return what was set
   */
  public @Nullable String getPassword() {
    return login.set().password();
  }

  /**
   * To be loaded for jdbcUrl; seldom needed.
   *
   * @param driverClassName null: none
   * @throws IllegalArgumentException if that is not possible
   *
   */
  public synchronized void setDriverClassName(@Nullable String driverClassName) {
    mayChange();
    String wanted = some(driverClassName);
    if (wanted != null) {
      made(wanted, Driver.class);
    }
    this.driverClassName = wanted;
  }

  /** {@return what {@link #setDriverClassName} has set} */
  public synchronized @Nullable String getDriverClassName() {
    return driverClassName;
  }

  /**
   * Shown in messages and reports.
   *
   * @param poolName best one for each pool
   */
  public synchronized void setPoolName(String poolName) {
    mayChange();
    this.poolName = Text.whole("poolName", Objects.requireNonNull(poolName, "poolName"));
  }

  /** See {@link #setPoolName}. */
  @Override
  public synchronized String getPoolName() {
    return poolName;
  }

  /**
   * For drivers whose isValid is of no use; null: isValid is asked.
   *
   * @param connectionTestQuery a statement, or null
   */
  public synchronized void setConnectionTestQuery(@Nullable String connectionTestQuery) {
    mayChange();
    this.connectionTestQuery = some(connectionTestQuery);
  }

  /** {@return what {@link #setConnectionTestQuery} has set} */
  public synchronized @Nullable String getConnectionTestQuery() {
    return connectionTestQuery;
  }

  /**
   * Hard cap on connections. Smaller than before: idle connections that are too many are closed now, others when they
   * come back.
   */
  @Override
  public void setMaximumPoolSize(int maximumPoolSize) {
    atLeast(1, "maximumPoolSize", maximumPoolSize);
    change(
        made -> changeSizes(made, maximumPoolSize, getMinimumIdle()), () -> this.maximumPoolSize = maximumPoolSize);
  }

  /** See {@link #setMaximumPoolSize}; once the pool has begun, as poolctl may have changed it, too. */
  @Override
  public int getMaximumPoolSize() {
    Pool<PhysicalConnection, SQLException> made = pool;
    if (made == null) {
      return maximumPoolSizeThatWasSet();
    }
    long now = made.setting("max_open");
    return now == 0 ? Integer.MAX_VALUE : (int) now;
  }

  private synchronized int maximumPoolSizeThatWasSet() {
    return maximumPoolSize;
  }

  /** This many are kept idle; -1: as many as maximumPoolSize. */
  @Override
  public void setMinimumIdle(int minimumIdle) {
    atLeast(-1, "minimumIdle", minimumIdle);
    change(
        made -> made.set("min_idle", least(minimumIdle, getMaximumPoolSize())), () -> this.minimumIdle = minimumIdle);
  }

  /** See {@link #setMinimumIdle}. */
  @Override
  public synchronized int getMinimumIdle() {
    return minimumIdle;
  }

  /** How long getConnection takes at most; 0: no limit. */
  @Override
  public void setConnectionTimeout(long connectionTimeout) {
    atLeast(0, "connectionTimeout", connectionTimeout);
    long ms = connectionTimeout == 0 ? -1 : Math.min(YEAR_MS, connectionTimeout);
    change(made -> made.set("get_timeout_ms", ms), () -> this.connectionTimeout = connectionTimeout);
  }

  /** See {@link #setConnectionTimeout}. */
  @Override
  public synchronized long getConnectionTimeout() {
    return connectionTimeout;
  }

  /** How long a check takes at most, in whole seconds. */
  @Override
  public void setValidationTimeout(long validationTimeout) {
    atLeast(0, "validationTimeout", validationTimeout);
    change(
        made -> made.set("check_timeout_ms", Math.min(YEAR_MS, Math.max(1, validationTimeout))),
        () -> this.validationTimeout = validationTimeout);
  }

  /** See {@link #setValidationTimeout}. */
  @Override
  public synchronized long getValidationTimeout() {
    return validationTimeout;
  }

  /** Idle for this long, a connection is closed, down to minimumIdle; 0: never. */
  @Override
  public void setIdleTimeout(long idleTimeout) {
    changeTime("idleTimeout", "idle_timeout_ms", idleTimeout, () -> this.idleTimeout = idleTimeout);
  }

  /** See {@link #setIdleTimeout}. */
  @Override
  public synchronized long getIdleTimeout() {
    return idleTimeout;
  }

  /** No connection gets older, of those that are opened from now on; 0: no limit. */
  @Override
  public void setMaxLifetime(long maxLifetime) {
    atLeast(0, "maxLifetime", maxLifetime);
    change(made -> changeAges(made, getKeepaliveTime(), maxLifetime), () -> this.maxLifetime = maxLifetime);
  }

  /** See {@link #setMaxLifetime}. */
  @Override
  public synchronized long getMaxLifetime() {
    return maxLifetime;
  }

  /** Idle for this long, a connection is checked; 0: never, as where it is not below maxLifetime. */
  @Override
  public void setKeepaliveTime(long keepaliveTime) {
    atLeast(0, "keepaliveTime", keepaliveTime);
    change(made -> changeAges(made, keepaliveTime, getMaxLifetime()), () -> this.keepaliveTime = keepaliveTime);
  }

  /** See {@link #setKeepaliveTime}. */
  @Override
  public synchronized long getKeepaliveTime() {
    return keepaliveTime;
  }

  /** A connection that is out for this long is logged; 0: never. */
  @Override
  public void setLeakDetectionThreshold(long leakDetectionThreshold) {
    changeTime("leakDetectionThreshold", "leak_after_ms", leakDetectionThreshold, () -> this.leakDetectionThreshold = leakDetectionThreshold);
  }

  /** See {@link #setLeakDetectionThreshold}. */
  @Override
  public synchronized long getLeakDetectionThreshold() {
    return leakDetectionThreshold;
  }

  /**
   * Of each connection that is lent.
   *
   * @param autoCommit whether each statement is a transaction of its own
   */
  public synchronized void setAutoCommit(boolean autoCommit) {
    mayChange();
    this.autoCommit = autoCommit;
  }

  /** {@return what {@link #setAutoCommit} has set} */
  public synchronized boolean isAutoCommit() {
    return autoCommit;
  }

  /**
   * Of each connection that is lent.
   *
   * @param readOnly whether they are
   */
  public synchronized void setReadOnly(boolean readOnly) {
    mayChange();
    this.readOnly = readOnly;
  }

  /** {@return what {@link #setReadOnly} has set} */
  public synchronized boolean isReadOnly() {
    return readOnly;
  }

  /**
   * A class of the driver, a ConnectionPoolDataSource or a DataSource, of which one object is made and given the
   * properties of {@link #addDataSourceProperty}.
   *
   *
   * @param dataSourceClassName null: none
   */
  public synchronized void setDataSourceClassName(@Nullable String dataSourceClassName) {
    mayChange();
    this.dataSourceClassName = some(dataSourceClassName);
  }

  /** {@return what {@link #setDataSourceClassName} has set} */
  public synchronized @Nullable String getDataSourceClassName() {
    return dataSourceClassName;
  }

  /**
   * Executed on each new connection.
   *
   * @param connectionInitSql a statement, or null
   */
  public synchronized void setConnectionInitSql(@Nullable String connectionInitSql) {
    mayChange();
    this.connectionInitSql = some(connectionInitSql);
  }

  /** {@return what {@link #setConnectionInitSql} has set} */
  public synchronized @Nullable String getConnectionInitSql() {
    return connectionInitSql;
  }

  /**
   * Of each connection that is lent: the name of a constant of {@link Connection}, or a number that the driver knows;
   * null: as the driver has it.
   *
   * @param transactionIsolation a name, a number, or null
   */
  public synchronized void setTransactionIsolation(@Nullable String transactionIsolation) {
    mayChange();
    String wanted = some(transactionIsolation);
    isolation(wanted);
    this.transactionIsolation = wanted;
  }

  /** {@return what {@link #setTransactionIsolation} has set} */
  public synchronized @Nullable String getTransactionIsolation() {
    return transactionIsolation;
  }

  /** Null: as the driver has it. For connections that are opened from now on. */
  @Override
  public void setCatalog(@Nullable String catalog) {
    this.catalog = some(catalog);
  }

  @Override
  public @Nullable String getCatalog() {
    return catalog;
  }

  /**
   * Of each connection that is lent; null: as the driver has it.
   *
   * @param schema a name, or null
   */
  public synchronized void setSchema(@Nullable String schema) {
    mayChange();
    this.schema = some(schema);
  }

  /** {@return what {@link #setSchema} has set} */
  public synchronized @Nullable String getSchema() {
    return schema;
  }

  /**
   * For this long the first getConnection tries to open a connection; 1 or less: it tries once.
   *
   * @param initializationFailTimeout in milliseconds
   */
  public synchronized void setInitializationFailTimeout(long initializationFailTimeout) {
    mayChange();
    this.initializationFailTimeout = initializationFailTimeout;
  }

  /** {@return what {@link #setInitializationFailTimeout} has set} */
  public synchronized long getInitializationFailTimeout() {
    return initializationFailTimeout;
  }

  /**
   * Decides of what a driver throws whether it broke the connection; null: the rules of {@link ExceptionOverride}.
   *
   * @param exceptionOverride null: none
   */
  public synchronized void setExceptionOverride(@Nullable ExceptionOverride exceptionOverride) {
    mayChange();
    this.exceptionOverride = exceptionOverride;
  }

  /** {@return what {@link #setExceptionOverride} has set} */
  public synchronized @Nullable ExceptionOverride getExceptionOverride() {
    return exceptionOverride;
  }

  /**
   * The class of an {@link ExceptionOverride} of which one object is made.
   *
   * @param exceptionOverrideClassName null: none
   * @throws IllegalArgumentException if that is not possible
   *
   */
  public synchronized void setExceptionOverrideClassName(@Nullable String exceptionOverrideClassName) {
    mayChange();
    String wanted = some(exceptionOverrideClassName);
    exceptionOverride = wanted == null ? null : made(wanted, ExceptionOverride.class);
    this.exceptionOverrideClassName = wanted;
  }

  /** {@return what {@link #setExceptionOverrideClassName} has set} */
  public synchronized @Nullable String getExceptionOverrideClassName() {
    return exceptionOverrideClassName;
  }

  /** A blank text is none: a file of properties may have a name whose value is left to the environment. */
  private static @Nullable String some(@Nullable String text) {
    return text == null || text.isBlank() ? null : text;
  }

  private static <T> T made(String className, Class<T> type) {
    try {
      Object made = Source.instantiate(className);
      if (type.isInstance(made)) {
        return type.cast(made);
      }
    } catch (SQLException e) {
      throw new IllegalArgumentException(e.getMessage(), e.getCause());
    }
    throw new IllegalArgumentException(className + " is no " + type.getName());
  }

  /**
   * For this long {@link #close()} waits for connections that are out, before it aborts them.
   *
   * @param closeGrace in milliseconds
   */
  public synchronized void setCloseGrace(long closeGrace) {
    atLeast(0, "closeGrace", closeGrace);
    this.closeGrace = closeGrace;
  }

  /** {@return what {@link #setCloseGrace} has set} */
  public synchronized long getCloseGrace() {
    return closeGrace;
  }

  /**
   * The URL of a limit that this data source shares with others, as the setting {@code budget}.
   *
   * @param budget null: it shares none
   */
  public synchronized void setBudget(@Nullable String budget) {
    mayChange();
    this.budget = some(budget);
  }

  /** {@return what {@link #setBudget} has set} */
  public synchronized @Nullable String getBudget() {
    return budget;
  }

  /**
   * Where members of the budget want more than there is, this one gets a share of this many parts.
   *
   * @param budgetWeight 1 or more
   */
  public synchronized void setBudgetWeight(int budgetWeight) {
    mayChange();
    atLeast(1, "budgetWeight", budgetWeight);
    this.budgetWeight = budgetWeight;
  }

  /** {@return what {@link #setBudgetWeight} has set} */
  public synchronized int getBudgetWeight() {
    return budgetWeight;
  }

  /**
   * This many permits of the budget are this one's own, whatever others want.
   *
   * @param budgetFloor how many
   */
  public synchronized void setBudgetFloor(int budgetFloor) {
    mayChange();
    atLeast(0, "budgetFloor", budgetFloor);
    this.budgetFloor = budgetFloor;
  }

  /** {@return what {@link #setBudgetFloor} has set} */
  public synchronized int getBudgetFloor() {
    return budgetFloor;
  }

  /**
   * A property for the driver of jdbcUrl, or for the object that is made of dataSourceClassName.
   *
   * @param name the name
   * @param value the value
   */
  public synchronized void addDataSourceProperty(String name, Object value) {
    mayChange();
    driverProperties.put(Objects.requireNonNull(name, "name"), Objects.requireNonNull(value, "value"));
  }

  /**
   * As {@link #addDataSourceProperty} of each.
   *
   * @param properties by their names
   */
  public synchronized void setDataSourceProperties(Properties properties) {
    mayChange();
    driverProperties.putAll(all(properties));
  }

  /** {@return those of {@link #addDataSourceProperty}; what is changed there before the pool begins is changed here} */
  public Properties getDataSourceProperties() {
    return driverProperties;
  }

  private static int least(int minimumIdle, int maximumPoolSize) {
    return minimumIdle < 0 ? maximumPoolSize : Math.min(minimumIdle, maximumPoolSize);
  }

  /** Sets a property; if the pool has begun, it is told before, and may refuse. */
  private void change(Consumer<Pool<PhysicalConnection, SQLException>> tell, Runnable set) {
    changes.lock();
    try {
      Pool<PhysicalConnection, SQLException> made = setOrBegun(set);
      if (made != null) {
        tell.accept(made);
        setNow(set);
      }
    } finally {
      changes.unlock();
    }
  }

  private synchronized Pool<PhysicalConnection, SQLException> setOrBegun(Runnable set) {
    Pool<PhysicalConnection, SQLException> made = beginning != null ? beginning.pool : pool;
    if (made == null) {
      set.run();
    }
    return made;
  }

  private synchronized void setNow(Runnable set) {
    set.run();
  }

  private void changeTime(String name, String setting, long value, Runnable set) {
    atLeast(0, name, value);
    change(made -> made.set(setting, Math.min(YEAR_MS, value)), set);
  }

  /** The cap is never below what is kept idle, not for a moment either. */
  private static void changeSizes(Pool<PhysicalConnection, SQLException> pool, int maximumPoolSize, int minimumIdle) {
    int idle = least(minimumIdle, maximumPoolSize);
    if (idle <= pool.setting("min_idle")) {
      pool.set("min_idle", idle);
      pool.resize(maximumPoolSize);
    } else {
      pool.resize(maximumPoolSize);
      pool.set("min_idle", idle);
    }
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
