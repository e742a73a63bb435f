// SPDX-License-Identifier: MIT
package libpool;

import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import javax.sql.ConnectionEvent;
import javax.sql.ConnectionEventListener;
import javax.sql.PooledConnection;
import org.jspecify.annotations.Nullable;

/** A connection of a driver, and what must be undone before somebody else gets it. */
final class PhysicalConnection implements AutoCloseable, ConnectionEventListener {
  private static final int CLOSE_MS = 15_000;

  private interface Undo {
    void run() throws SQLException;
  }

  /**
   * What a connection is to be when it is lent.
   *
   * @param isolation -1: as the driver has it
   * @param schema null: as the driver has it
   * @param initSql null: none
   * @param breakage which errors mean that it broke
   */
  record Settings(
      boolean autoCommit,
      boolean readOnly,
      int isolation,
      String schema,
      String initSql,
      Breakage breakage) {}

  private final Connection connection;
  private final PooledConnection pooled; // or null
  private final boolean autoCommit;
  private final Breakage breakage;
  private final Set<String> changed = ConcurrentHashMap.newKeySet(); // with the following changed by one thread at a time
  private final Deque<Undo> undos = new ArrayDeque<>();
  private boolean used; // by the user who has it
  private volatile boolean broken;
  private volatile boolean taken;
  private volatile boolean aborted;
  private @Nullable Trackers trackers; // whom to tell of its use; null: nobody
  private long lentAt;

  private PhysicalConnection(Source.Opened opened, boolean autoCommit, Breakage breakage) {
    this.breakage = breakage;
    connection = opened.connection();
    pooled = opened.pooled();
    this.autoCommit = autoCommit;
    if (pooled != null) {
      pooled.addConnectionEventListener(this);
    }
  }

  static PhysicalConnection open(Source source, Settings settings) throws SQLException {
    return new PhysicalConnection(source.open(), settings.autoCommit, settings.breakage);
  }

  /**
   * What is set within a transaction might not outlive that, and the connection would be lent within it. So all is set
   * outside of one, and auto-commit last.
   *
   * @param catalog null: as the driver has it
   */
  void prepare(Settings settings, @Nullable String catalog) throws SQLException {
    if (connection.isReadOnly() != settings.readOnly) {
      connection.setReadOnly(settings.readOnly);
    }
    if (settings.isolation >= 0 && connection.getTransactionIsolation() != settings.isolation) {
      connection.setTransactionIsolation(settings.isolation);
    }
    if (catalog != null || settings.schema != null || settings.initSql != null) {
      setAutoCommit(true);
    }
    if (catalog != null) {
      connection.setCatalog(catalog);
    }
    if (settings.schema != null) {
      connection.setSchema(settings.schema);
    }
    if (settings.initSql != null) {
      try (Statement statement = connection.createStatement()) {
        statement.execute(settings.initSql);
      }
    }
    setAutoCommit(autoCommit);
  }

  void closeAfter(Throwable failure) {
    try {
      close();
    } catch (SQLException | RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  Connection connection() {
    return connection;
  }

  boolean isBroken() {
    return broken;
  }

  /** From now on, by a user whose use is to be told. */
  void isLent(Trackers trackers, long now) {
    this.trackers = trackers;
    lentAt = now;
  }

  /** Its user gives it back. */
  void tellUse() {
    Trackers told = trackers;
    if (told != null) {
      trackers = null;
      told.used(System.nanoTime() - lentAt);
    }
  }

  /** Before a setter, or what some setters are called with, is asked for the first time: notes how to undo it. */
  void changes(String setter) throws SQLException {
    String name = setter.equals("getTypeMap") || setter.equals("getClientInfo") ? setter.replaceFirst("get", "set") : setter;
    if (!changed.contains(name)) {
      Undo undo = undoOf(name);
      if (undo != null) {
        note(name, undo);
      }
    }
  }

  /** Returns null for what needs none, as setAutoCommit: reset() sees to that in any case. */
  private @Nullable Undo undoOf(String setter) throws SQLException {
    switch (setter) {
      case "setReadOnly" -> {
        boolean before = connection.isReadOnly();
        return () -> connection.setReadOnly(before);
      }
      case "setTransactionIsolation" -> {
        int before = connection.getTransactionIsolation();
        return () -> connection.setTransactionIsolation(before);
      }
      case "setCatalog" -> {
        String before = connection.getCatalog();
        return () -> connection.setCatalog(before);
      }
      case "setSchema" -> {
        String before = connection.getSchema();
        return () -> connection.setSchema(before);
      }
      case "setHoldability" -> {
        int before = connection.getHoldability();
        return () -> connection.setHoldability(before);
      }
      case "setNetworkTimeout" -> {
        int before = connection.getNetworkTimeout();
        return () -> connection.setNetworkTimeout(Runnable::run, before);
      }
      case "setTypeMap" -> {
        Map<String, Class<?>> before = typeMap();
        return () -> restoreTypeMap(before);
      }
      case "setClientInfo" -> {
        Properties before = clientInfo();
        return () -> restoreClientInfo(before);
      }
      default -> {
        return null;
      }
    }
  }

  /** Of two threads that note the same, the first has seen what was there before both. */
  private synchronized void note(String setter, Undo undo) {
    if (changed.add(setter)) {
      undos.push(undo);
    }
  }

  private synchronized @Nullable Undo nextUndo() {
    Undo next = undos.poll();
    if (next == null) {
      changed.clear();
    }
    return next;
  }

  /** A copy, or null as some drivers have it. */
  private @Nullable Map<String, Class<?>> typeMap() throws SQLException {
    Map<String, Class<?>> now = connection.getTypeMap();
    return now == null ? null : new HashMap<>(now);
  }

  /** Not every driver lets it be set. */
  private void restoreTypeMap(@Nullable Map<String, Class<?>> before) throws SQLException {
    if (!Objects.equals(typeMap(), before)) {
      connection.setTypeMap(before);
    }
  }

  /** None where the driver has none; what it gives may have defaults, which are no entries. */
  private Properties clientInfo() throws SQLException {
    Properties copy = new Properties();
    Properties now = connection.getClientInfo();
    if (now != null) {
      now.stringPropertyNames().forEach(name -> copy.setProperty(name, now.getProperty(name)));
    }
    return copy;
  }

  /** Name by name: not every driver takes back all that it gave, or clears what is missing. */
  private void restoreClientInfo(Properties before) throws SQLException {
    Properties now = clientInfo();
    Set<String> names = new HashSet<>(now.stringPropertyNames());
    names.addAll(before.stringPropertyNames());
    for (String name : names) {
      if (!Objects.equals(now.getProperty(name), before.getProperty(name))) {
        connection.setClientInfo(name, before.getProperty(name));
      }
    }
  }

  /** Its user has it called. One that was lent in vain needs no reset. */
  void use() {
    used = true;
  }

  /** A unit of work begins, of which the driver may make what it likes; reset() ends it. */
  void beginRequest() throws SQLException {
    connection.beginRequest();
  }

  /** An error that says that the connection, not a statement, is bad makes it unusable. */
  void note(Throwable failure) {
    broken = broken || breakage.isBroken(failure);
  }

  /** What was not committed is rolled back, and all is set as it was. */
  void reset() throws SQLException {
    if (used) {
      used = false;
      undo();
    }
    connection.endRequest();
  }

  private void undo() throws SQLException {
    if (!connection.getAutoCommit()) {
      connection.rollback();
    }
    if (!undos.isEmpty()) {
      setAutoCommit(true); // some cannot be set within a transaction
      for (Undo next; (next = nextUndo()) != null; ) {
        next.run();
      }
    }
    setAutoCommit(autoCommit); // a statement may have changed it, too
    connection.clearWarnings();
  }

  private void setAutoCommit(boolean wanted) throws SQLException {
    if (connection.getAutoCommit() != wanted) {
      connection.setAutoCommit(wanted);
    }
  }

  boolean check(String query, int timeoutSeconds) throws SQLException {
    if (query == null) {
      return isValid(timeoutSeconds);
    }
    int before = limitNetwork(timeoutSeconds);
    try (Statement statement = connection.createStatement()) {
      limit(statement, timeoutSeconds);
      statement.execute(query);
    }
    if (!connection.getAutoCommit()) {
      connection.rollback();
    }
    if (before >= 0) {
      connection.setNetworkTimeout(Runnable::run, before);
    }
    return true;
  }

  /**
   * A statement's timeout needs a server that answers, and until the end of a check the connection has its place. Returns
   * the limit that was there before; -1: not every driver has that.
   */
  private int limitNetwork(int seconds) {
    try {
      int before = connection.getNetworkTimeout();
      connection.setNetworkTimeout(Runnable::run, (int) Math.min(Integer.MAX_VALUE, TimeUnit.SECONDS.toMillis(seconds)));
      return before;
    } catch (SQLException | RuntimeException | LinkageError e) {
      return -1;
    }
  }

  private boolean isValid(int timeoutSeconds) throws SQLException {
    try {
      return connection.isValid(timeoutSeconds);
    } catch (LinkageError | SQLFeatureNotSupportedException e) {
      throw new SQLException("the driver has no isValid(); set connectionTestQuery", e);
    }
  }

  /** Not every driver has that; the pool waits no longer in any case. */
  private static void limit(Statement statement, int timeoutSeconds) {
    try {
      statement.setQueryTimeout(timeoutSeconds);
    } catch (SQLException | RuntimeException | LinkageError e) {
      // a connection that broke is found out by the statement
    }
  }

  @Override
  public void close() throws SQLException {
    if (!taken) {
      limitClose();
    } else if (!aborted) {
      abort();
    }
    if (pooled != null) {
      pooled.removeConnectionEventListener(this);
      pooled.close();
    } else {
      connection.close();
    }
  }

  /** A driver may wait for the word of a server that is gone, and until the end of that the connection has its place. */
  private void limitClose() {
    try {
      connection.setNetworkTimeout(Runnable::run, CLOSE_MS);
    } catch (SQLException | RuntimeException | LinkageError e) {
      // not every driver has that, and a connection that broke may be closed
    }
  }

  /** Its user may use it still when it is closed. Some drivers have all wait for that use, but an abort. */
  void take() {
    taken = true;
  }

  void abort(@Nullable Executor executor) throws SQLException {
    taken = true;
    aborted = true;
    connection.abort(executor);
  }

  /** What the driver throws is not of interest: the connection is closed in any case. */
  void abort() {
    broken = true;
    try {
      abort(Runnable::run);
    } catch (SQLException | RuntimeException | LinkageError e) {
      // an old driver, perhaps
    }
  }

  @Override
  public void connectionClosed(ConnectionEvent event) {}

  @Override
  public void connectionErrorOccurred(ConnectionEvent event) {
    broken = true;
  }
}
