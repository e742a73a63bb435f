// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLTransientConnectionException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.ConnectionPoolDataSource;
import javax.sql.DataSource;
import javax.sql.PooledConnection;
import org.junit.jupiter.api.Test;

/** A data source over a driver whose methods fail in every way. */
class HostileTest {
  private final AtomicInteger opened = new AtomicInteger();
  private final AtomicInteger closed = new AtomicInteger();
  private volatile Set<String> failing = Set.of();
  private volatile Throwable failure;
  private volatile String hangsIn = "";
  private final CountDownLatch gate = new CountDownLatch(1);
  private final AtomicInteger hanging = new AtomicInteger();
  private final Map<String, Integer> calls = new ConcurrentHashMap<>();
  private final Properties info = new Properties();

  private <T> T stub(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(HostileTest.class.getClassLoader(), new Class<?>[] {type}, handler));
  }

  private Object answer(Object self, Method method, Object[] arguments) throws Throwable {
    String name = method.getName();
    if (name.equals("close") && self instanceof Connection) {
      closed.incrementAndGet();
    }
    calls.merge(name, 1, Integer::sum);
    if (name.equals("getClientInfo")) {
      return new Properties(info); // as defaults
    }
    if (name.equals("setClientInfo")) {
      setClientInfo(arguments);
      return null;
    }
    if (name.equals(hangsIn) && !(self instanceof DataSource && name.equals("close"))) {
      hanging.incrementAndGet();
      gate.await();
    }
    if (failing.contains(name)) {
      throw failure;
    }
    if (name.equals("getConnection") && self instanceof DataSource) {
      opened.incrementAndGet();
      return stub(Connection.class, this::answer);
    }
    if (name.equals("createStatement")) {
      return stub(Statement.class, this::answer);
    }
    Class<?> type = method.getReturnType();
    if (type == boolean.class) {
      return name.equals("getAutoCommit") || name.equals("isValid");
    }
    return type == int.class ? (Object) (name.equals("hashCode") ? System.identityHashCode(self) : 0) : null;
  }

  /** As drivers do that refuse what they cannot change. */
  private void setClientInfo(Object[] arguments) throws SQLException {
    if (arguments.length == 1) {
      throw new SQLException("not all at once");
    }
    if (arguments[1] == null) {
      info.remove(arguments[0]);
    } else {
      info.put(arguments[0], arguments[1]);
    }
  }

  private PooledDataSource source() {
    var source = new PooledDataSource();
    source.setDataSource(stub(DataSource.class, this::answer));
    source.setMaximumPoolSize(1);
    source.setMinimumIdle(0);
    return source;
  }

  private static final Throwable[] FAILURES = {
    new SQLException("no", "08006"),
    new SQLException("no"),
    new IllegalStateException("no"),
    new AbstractMethodError("an old driver"),
    new StackOverflowError("no"),
  };

  @Test
  void aConnectionThatCannotBeMadeCleanIsReplaced() throws Exception {
    for (Throwable each : FAILURES) {
      failure = each;
      for (String method : new String[] {"getAutoCommit", "clearWarnings"}) {
        failing = Set.of();
        opened.set(0);
        closed.set(0);
        try (var source = source()) {
          Connection connection = source.getConnection();
          connection.nativeSQL("SELECT 1");
          failing = Set.of(method);
          connection.close();
          failing = Set.of();
          source.getConnection().close();
          assertEquals(2, opened.get(), method + ": " + each);
          assertEquals(1, closed.get());
        }
        assertEquals(2, closed.get());
      }
    }
  }

  @Test
  void aConnectionThatNobodyUsedNeedsNoCleaning() throws Exception {
    try (var source = source()) {
      Connection connection = source.getConnection();
      failing = Set.of("getAutoCommit", "clearWarnings");
      connection.close();
      source.getConnection().close();
      assertEquals(1, opened.get());
    }
  }

  @Test
  void whatCannotBeClosedGoesBackAllTheSame() throws Exception {
    for (Throwable each : FAILURES) {
      failure = each;
      failing = Set.of();
      opened.set(0);
      closed.set(0);
      try (var source = source()) {
        for (int i = 0; i < 3; i++) {
          Connection connection = source.getConnection();
          assertNotNull(connection.createStatement());
          failing = Set.of("close");
          connection.close();
          failing = Set.of();
          assertEquals(0, source.stats().leased());
        }
      }
      assertEquals(opened.get(), closed.get());
    }
  }

  @Test
  void whatCannotBeOpenedOrPreparedTakesNoPlace() throws Exception {
    for (Throwable each : FAILURES) {
      failure = each;
      for (String method : new String[] {"getConnection", "isReadOnly", "getAutoCommit", "setSchema", "createStatement"}) {
        opened.set(0);
        closed.set(0);
        failing = Set.of(method);
        try (var source = source()) {
          source.setSchema("s");
          source.setConnectionInitSql("x");
          Throwable thrown = assertThrows(Throwable.class, source::getConnection);
          assertEquals(each, thrown, method);
          assertEquals(0, source.stats().open());
          failing = Set.of();
          Fakes.until(
              () -> {
                try (Connection connection = source.getConnection()) { // when the breaker lets it try again
                  return !connection.isClosed();
                } catch (SQLException e) {
                  return false;
                }
              });
          assertEquals(0, source.stats().leased());
        }
        assertEquals(opened.get(), closed.get());
      }
    }
  }

  @Test
  void aDriverThatOpensNothingIsTold() throws Exception {
    try (var source = new PooledDataSource()) {
      source.setDataSource(stub(DataSource.class, (self, method, arguments) -> null));
      source.setMinimumIdle(0);
      assertEquals(
          "the driver opened no connection", assertThrows(SQLException.class, source::getConnection).getMessage());
      assertThrows(IllegalStateException.class, () -> source.setJdbcUrl("jdbc:other"));
      assertTrue(source.stats().openFailures() > 0);
    }
    try (var source = new PooledDataSource()) {
      assertThrows(IllegalStateException.class, source::pause);
    }
  }

  @Test
  void aDriverThatOpensNoPooledConnectionIsTold() throws Exception {
    PooledConnection empty = stub(PooledConnection.class, this::answer); // its connection is null
    for (PooledConnection pooled : new PooledConnection[] {null, empty}) {
      calls.clear();
      try (var source = source()) {
        source.setConnectionPoolDataSource(stub(ConnectionPoolDataSource.class, (self, method, arguments) -> pooled));
        assertEquals(
            "the driver opened no connection", assertThrows(SQLException.class, source::getConnection).getMessage());
        assertEquals(pooled == null ? 0 : (int) source.stats().openFailures(), calls.getOrDefault("close", 0));
      }
    }
  }

  @Test
  void aCheckNeedsNoTimeoutOfItsStatement() throws Exception {
    failure = new SQLFeatureNotSupportedException("no timeouts");
    failing = Set.of("setQueryTimeout");
    try (var source = source()) {
      source.setConnectionTestQuery("SELECT 1");
      source.setKeepaliveTime(1);
      source.getConnection().close();
      Fakes.until(() -> source.stats().checks() >= 2);
      assertEquals(0, source.stats().checkFailures());
      assertEquals(1, opened.get());
    }
    assertTrue(calls.get("execute") >= 2);
  }

  /** An Error, as a failed assertion is. */
  private static Tracker failing() {
    return (Tracker)
        Proxy.newProxyInstance(
            HostileTest.class.getClassLoader(),
            new Class<?>[] {Tracker.class},
            (self, method, arguments) -> {
              throw new AssertionError(method.getName());
            });
  }

  @Test
  void aTrackerThatFailsLosesNoConnection() throws Exception {
    try (var source = source()) {
      source.addTracker(failing());
      source.getConnection().close();
      assertEquals(0, source.stats().leased());
      assertEquals(1, source.stats().idle());
      assertEquals(1, opened.get());
    }
    assertEquals(1, closed.get());
  }

  @Test
  void onlyItsOwnSourceEvictsAConnection() throws Exception {
    try (var source = source();
        var other = source();
        Connection connection = source.getConnection();
        Connection another = other.getConnection()) {
      other.evictConnection(connection);
      assertFalse(connection.isClosed());
      source.evictConnection(connection);
      assertTrue(connection.isClosed());
      assertFalse(another.isClosed());
    }
  }

  @Test
  void aNumberThatOnlyTheDriverKnowsIsAnIsolation() throws Exception {
    AtomicInteger set = new AtomicInteger();
    Object[][] wanted = {{"4096", 4096}, {"TRANSACTION_SQL_SERVER_SNAPSHOT_ISOLATION_LEVEL", 4096}, {"transaction_none", 0}};
    for (Object[] each : wanted) {
      set.set(-1);
      Connection connection =
          stub(
              Connection.class,
              (self, method, arguments) -> {
                if (method.getName().equals("setTransactionIsolation")) {
                  set.set((int) arguments[0]);
                }
                return method.getName().equals("getTransactionIsolation") ? (Object) 1 : answer(self, method, arguments);
              });
      try (var source = source()) {
        source.setDataSource(stub(DataSource.class, (self, method, arguments) -> connection));
        source.setTransactionIsolation(each[0].toString());
        source.getConnection().close();
      }
      assertEquals(each[1], set.get());
    }
  }

  @Test
  void timesOfMoreThanAYearAreAYear() throws Exception {
    String[] times = {
      "connectionTimeout", "validationTimeout", "idleTimeout", "maxLifetime", "keepaliveTime", "leakDetectionThreshold"
    };
    for (String time : times) {
      try (var source = source()) {
        source.setMaxLifetime(0);
        new Bean(source).set(time, Long.MAX_VALUE);
        source.getConnection().close();
        new Bean(source).set(time, Long.MAX_VALUE - 1);
        source.getConnection().close();
        assertEquals(1, source.stats().opened());
      }
    }
  }

  /** So a close ends for which there is no stack. */
  @SuppressWarnings("serial")
  private static final class Overflow extends SQLException {
    @Override
    public int getErrorCode() {
      throw new StackOverflowError();
    }
  }

  @Test
  void aCloseThatEndsWithAnErrorIsNoLeak() throws Exception {
    failing = Set.of("close");
    failure = new Overflow();
    try (var log = new Log();
        var sound = watched("sound");
        var leaky = watched("leaky")) {
      closeInVain(sound);
      for (int lost = 1; lost <= 2; lost++) { // what was collected before has been seen to
        int now = lost;
        loseOne(leaky);
        Fakes.until(() -> leaks(log, "leaky") == now);
      }
      assertEquals(0, leaks(log, "sound"));
    }
  }

  private PooledDataSource watched(String name) {
    var source = source();
    source.setPoolName(name);
    source.setLeakDetectionThreshold(3_600_000);
    return source;
  }

  private static void closeInVain(PooledDataSource source) throws SQLException {
    Connection connection = source.getConnection();
    connection.createStatement();
    assertThrows(StackOverflowError.class, connection::close);
  }

  private static void loseOne(PooledDataSource source) throws SQLException {
    assertFalse(source.getConnection().isClosed());
  }

  private static long leaks(Log log, String pool) {
    System.gc();
    return log.lines.stream().filter(line -> line.equals(pool + ": a lease was lost and never closed")).count();
  }

  @Test
  void theLoginTimeoutIsInSecondsAndZeroOnlyWhereThereIsNone() {
    long[][] each = {{0, 0}, {1, 1}, {499, 1}, {1_500, 2}, {30_000, 30}, {Long.MAX_VALUE, 31_536_000}};
    var source = new PooledDataSource();
    for (long[] time : each) {
      source.setConnectionTimeout(time[0]);
      assertEquals(time[1], source.getLoginTimeout());
    }
  }

  @Test
  void aTestQueryThatIsWrongIsToldByTheFirstConnection() throws Exception {
    for (Throwable each : FAILURES) {
      failure = each;
      failing = Set.of("execute");
      calls.clear();
      opened.set(0);
      closed.set(0);
      try (var source = source()) {
        source.setMaximumPoolSize(2);
        source.setConnectionTestQuery("x");
        assertEquals(each, assertThrows(Throwable.class, source::getConnection));
        assertEquals(0, source.stats().open());
        failing = Set.of();
        try (Connection one = source.getConnection();
            Connection two = source.getConnection()) {
          assertFalse(one.isClosed() || two.isClosed());
        }
        assertEquals(2, calls.get("execute")); // not for each connection
      }
      assertEquals(opened.get(), closed.get());
    }
  }

  @Test
  void whatTheDriverThrewLastIsToldWithATimeout() throws Exception {
    var last = new SQLException("full", "53300", 17);
    failure = last;
    try (var source = source()) {
      source.setMaximumPoolSize(2);
      source.setConnectionTimeout(200);
      try (Connection connection = source.getConnection()) {
        failing = Set.of("getConnection");
        var e = assertThrows(SQLTransientConnectionException.class, source::getConnection);
        assertFalse(connection.isClosed());
        assertEquals(last, e.getNextException());
        assertEquals("53300", e.getSQLState());
        assertEquals(17, e.getErrorCode());
        assertInstanceOf(PoolTimeoutException.class, e.getCause());
      }
    }
  }

  @Test
  void whileNoneIsTriedTheExceptionIsTransient() throws Exception {
    failure = new SQLException("down");
    failing = Set.of("getConnection");
    try (var source = source()) {
      SQLException e;
      do {
        e = assertThrows(SQLException.class, source::getConnection);
      } while (e == failure);
      assertEquals(SQLTransientConnectionException.class, e.getClass());
      assertEquals(failure, e.getNextException());
      assertEquals("08001", e.getSQLState());
      assertInstanceOf(PoolOpenException.class, e.getCause());
    }
  }

  @Test
  void aKeepaliveThatNoConnectionLivesToSeeIsNone() throws Exception {
    try (var source = source()) {
      source.setMaxLifetime(60_000);
      source.setKeepaliveTime(60_000);
      source.getConnection().close();
      assertEquals(60_000, source.getKeepaliveTime());
    }
  }

  // ---- a driver that does not answer

  @Test
  void aDataSourceThatBeginsAnswersMeanwhile() throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    try (var source = source()) {
      source.setPoolName("slow");
      source.setInitializationFailTimeout(60_000);
      source.setConnectionTimeout(50);
      source.setCloseGrace(10);
      hangsIn = "getConnection";
      Future<Connection> first = threads.submit(() -> source.getConnection());
      Fakes.until(() -> hanging.get() > 0);
      Future<Connection> second = threads.submit(() -> source.getConnection());
      assertFalse(threads.submit(source::isClosed).get(60, TimeUnit.SECONDS));
      assertEquals("slow", threads.submit(source::getPoolName).get(60, TimeUnit.SECONDS));
      assertThrows(IllegalStateException.class, () -> source.setPoolName("other"));
      var late = assertThrows(ExecutionException.class, () -> second.get(60, TimeUnit.SECONDS)).getCause();
      assertEquals(SQLTransientConnectionException.class, late.getClass());
      threads.submit(source::close).get(60, TimeUnit.SECONDS);
      assertThrows(ExecutionException.class, () -> first.get(60, TimeUnit.SECONDS));
    } finally {
      gate.countDown();
      threads.shutdown();
    }
    Fakes.until(() -> opened.get() == closed.get());
  }

  @Test
  void theFirstAttemptMayTakeLongerThanItIsTriedAgain() throws Exception {
    try (var source = source()) {
      source.setInitializationFailTimeout(2);
      hangsIn = "getConnection";
      var first = GatedSource.get(source);
      Fakes.until(() -> hanging.get() > 0);
      for (double seconds = 0; seconds < .2; ) {
        seconds += GatedSource.seconds();
      }
      gate.countDown();
      GatedSource.take(first).close();
      assertEquals(1, opened.get());
    }
  }

  /** While it prepares its first connection, for which it has all the time there is. */
  private PooledDataSource failingIn(String method) {
    failing = Set.of(method);
    opened.set(0);
    var source = source();
    source.setSchema("s");
    source.setConnectionTestQuery("x");
    source.setInitializationFailTimeout(Long.MAX_VALUE);
    return source;
  }

  @Test
  void whatTheServerRefusesIsNotTriedAgain() throws Exception {
    failure = new SQLException("no such schema", "3F000");
    for (String method : new String[] {"setSchema", "execute"}) {
      try (var source = failingIn(method)) {
        assertEquals(failure, assertThrows(SQLException.class, source::getConnection));
      }
      assertEquals(1, opened.get());
    }
    assertEquals(2, closed.get());
  }

  @Test
  void aServerThatGoesWhileItsFirstConnectionIsPreparedIsTriedAgain() throws Exception {
    failure = new SQLException("the database system is shutting down", "57P03");
    for (String method : new String[] {"setSchema", "execute"}) {
      try (var source = failingIn(method)) {
        var got = Threads.begin(source::getConnection);
        Fakes.until(() -> opened.get() > 1 || got.isDone());
        failing = Set.of();
        got.get().close();
      }
    }
  }

  @Test
  void theFirstConnectionFailsAsTheDriverSaysThoughNoneIsTriedAnyMore() throws Exception {
    failure = new SQLException("wrong password", "28000");
    failing = Set.of("getConnection");
    try (var source = source()) {
      source.setInitializationFailTimeout(2_000);
      assertEquals(failure, assertThrows(SQLException.class, source::getConnection));
    }
  }

  @Test
  void anInterruptEndsTheWaitOfTheThreadThatTriesTheFirstConnection() throws Exception {
    failure = new SQLException("down", "08001");
    failing = Set.of("getConnection");
    try (var source = source()) {
      source.setInitializationFailTimeout(3_600_000);
      var first =
          Threads.begin(
              () -> {
                assertInstanceOf(
                    InterruptedException.class, assertThrows(SQLException.class, source::getConnection).getCause());
                return Thread.interrupted();
              });
      Fakes.until(() -> calls.getOrDefault("getConnection", 0) > 1);
      var second = Threads.begin(source::getConnection);
      first.interrupt();
      assertTrue(first.get(60, TimeUnit.SECONDS));
      failing = Set.of();
      second.get().close(); // which goes on alone
    }
  }

  @Test
  void thoseThatWaitForTheFirstConnectionShareWhatComesOfIt() throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    failure = new SQLException("down", "08001");
    failing = Set.of("getConnection");
    try (var source = source()) {
      source.setInitializationFailTimeout(200);
      List<Future<Connection>> all = new ArrayList<>();
      for (int i = 0; i < 5; i++) {
        all.add(threads.submit(() -> source.getConnection()));
      }
      for (Future<Connection> each : all) {
        var thrown = assertThrows(ExecutionException.class, () -> each.get(60, TimeUnit.SECONDS));
        assertInstanceOf(SQLException.class, thrown.getCause()); // of the driver, or that it was not in time
      }
      failing = Set.of();
      source.getConnection().close(); // it had not begun, and does now
    } finally {
      threads.shutdown();
    }
    assertEquals(opened.get(), closed.get());
  }

  private static Void close(Connection connection) throws SQLException {
    connection.close();
    return null;
  }

  /** As JDBC has it, and HikariCP. */
  @Test
  void aConnectionThatBrokeIsClosedForItsUser() throws Exception {
    try (var source = source()) {
      Connection connection = source.getConnection();
      Statement statement = connection.createStatement();
      failing = Set.of("commit");
      failure = new SQLException("no");
      assertThrows(SQLException.class, connection::commit);
      assertFalse(connection.isClosed());
      failure = new SQLException("gone", "08006");
      assertThrows(SQLException.class, connection::commit);
      assertTrue(connection.isClosed());
      assertFalse(connection.isValid(1));
      assertFalse(statement.isClosed()); // that is still to be closed, and its driver is told
      connection.close();
      assertEquals(0, source.stats().leased());
      Fakes.until(() -> closed.get() == 1);
      source.getConnection().close();
      assertEquals(2, opened.get());
    }
  }

  @Test
  void aConnectionThatCannotBeClosedInTimeHoldsUpNoUser() throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    try (var source = source()) {
      source.setMaximumPoolSize(2);
      failure = new SQLException("gone", "08006");
      Connection connection = source.getConnection();
      failing = Set.of("commit");
      assertThrows(SQLException.class, connection::commit);
      hangsIn = "close";
      threads.submit(() -> close(connection)).get(60, TimeUnit.SECONDS);
      threads.submit(() -> source.getConnection()).get(60, TimeUnit.SECONDS).close();
      Fakes.until(() -> hanging.get() == 1);
    } finally {
      gate.countDown();
      threads.shutdown();
    }
    Fakes.until(() -> opened.get() == closed.get());
  }

  // ---- the end

  @Test
  void whatIsOutIsAbortedAfterTheGrace() throws Exception {
    for (boolean interrupted : new boolean[] {false, true}) {
      calls.clear();
      var source = source();
      source.setMaximumPoolSize(2);
      source.setCloseGrace(interrupted ? 60_000 : 20);
      Connection out = source.getConnection();
      source.getConnection().close();
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
      source.close();
      assertEquals(interrupted, Thread.interrupted());
      Fakes.until(() -> opened.get() == closed.get());
      assertEquals(1, calls.get("abort"));
      assertEquals(0, source.stats().open());
      out.close();
      source.close();
      assertEquals(1, calls.get("abort"));
    }
  }

  /** A connection that comes back meanwhile leaves its slot, which may be another pool's at once. */
  @Test
  void aCloseAbortsNothingOfAnotherSource() throws Exception {
    int many = 300;
    AtomicBoolean end = new AtomicBoolean();
    ExecutorService threads = Executors.newCachedThreadPool();
    try (PooledDataSource other = new PooledDataSource()) {
      AtomicInteger aborts = new AtomicInteger();
      other.setDataSource(counting(aborts));
      other.setMaximumPoolSize(many);
      other.setMinimumIdle(0);
      Future<?> busy =
          threads.submit(
              () -> {
                while (!end.get()) {
                  List<Connection> lent = lend(other, many / 3);
                  other.softEvictConnections();
                  lent.forEach(HostileTest::closeQuietly);
                }
                return null;
              });
      for (int i = 0; i < 20; i++) {
        PooledDataSource closing = new PooledDataSource();
        closing.setDataSource(counting(new AtomicInteger()));
        closing.setMaximumPoolSize(many);
        closing.setMinimumIdle(0);
        closing.setCloseGrace(0);
        List<Connection> out = lend(closing, many);
        Collections.reverse(out);
        Future<?> user = threads.submit(() -> out.forEach(HostileTest::closeQuietly));
        closing.close();
        user.get(60, TimeUnit.SECONDS);
      }
      end.set(true);
      busy.get(60, TimeUnit.SECONDS);
      assertEquals(0, aborts.get());
    } finally {
      end.set(true);
      threads.shutdown();
    }
  }

  private static List<Connection> lend(PooledDataSource source, int many) throws SQLException {
    List<Connection> out = new ArrayList<>();
    for (int i = 0; i < many; i++) {
      out.add(source.getConnection());
    }
    return out;
  }

  private static void closeQuietly(Connection connection) {
    try {
      connection.close();
    } catch (SQLException e) {
      throw new IllegalStateException(e);
    }
  }

  private static DataSource counting(AtomicInteger aborts) {
    return (DataSource)
        Proxy.newProxyInstance(
            HostileTest.class.getClassLoader(),
            new Class<?>[] {DataSource.class},
            (self, method, arguments) ->
                Proxy.newProxyInstance(
                    HostileTest.class.getClassLoader(),
                    new Class<?>[] {Connection.class},
                    (connection, called, given) -> {
                      if (called.getName().equals("abort")) {
                        aborts.incrementAndGet();
                      }
                      return called.getReturnType() == boolean.class ? (Object) called.getName().equals("isValid") : null;
                    }));
  }

  @Test
  void aCloseReturnsThoughADriverHangs() throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    var source = source();
    source.setCloseGrace(10);
    Connection out = source.getConnection();
    hangsIn = "abort";
    try {
      threads.submit(source::close).get(60, TimeUnit.SECONDS);
      assertEquals(1, hanging.get());
      assertTrue(out.isClosed());
    } finally {
      gate.countDown();
      threads.shutdown();
    }
    Fakes.until(() -> opened.get() == closed.get());
  }

  /** Else it might keep its place for as long as a server is silent. What somebody uses still could hold up the limit. */
  @Test
  void aCloseHasALimitWhereTheDriverKnowsOne() throws Exception {
    failure = new AbstractMethodError("an old driver");
    for (String each : new String[] {"none", "setNetworkTimeout"}) {
      failing = Set.of(each);
      calls.clear();
      try (var source = source()) {
        source.getConnection().close();
        source.softEvictConnections();
        Fakes.until(() -> calls.containsKey("close"));
        assertEquals(1, calls.get("setNetworkTimeout"));
        source.evictConnection(source.getConnection());
        source.getConnection().abort(Runnable::run);
        source.getConnection().close();
        assertEquals(1, calls.get("setNetworkTimeout"));
      }
      assertEquals(opened.get(), closed.get());
    }
  }

  /** Few threads close, and all of them hang. */
  @Test
  void whatIsOutIsAbortedThoughManyClosesHang() throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    var source = source();
    source.setMaximumPoolSize(40);
    source.setCloseGrace(10);
    List<Connection> old = new ArrayList<>();
    for (int i = 1; i < 40; i++) {
      old.add(source.getConnection());
    }
    source.softEvictConnections();
    hangsIn = "close";
    for (Connection each : old) {
      each.close();
    }
    Connection out = source.getConnection();
    try {
      var closing = threads.submit(source::close);
      Fakes.until(() -> calls.containsKey("abort"));
      assertTrue(out.isClosed());
      gate.countDown();
      closing.get(60, TimeUnit.SECONDS);
    } finally {
      gate.countDown();
      threads.shutdown();
    }
    Fakes.until(() -> opened.get() == closed.get());
    assertEquals(1, calls.get("abort"));
  }

  @Test
  void aSourceThatNobodyHasAnyMoreClosesItsConnections() throws Exception {
    useAndForget();
    Fakes.until(
        () -> {
          System.gc();
          return opened.get() == 3 && closed.get() == 3;
        });
  }

  /** One of them is lent still. */
  private void useAndForget() throws SQLException {
    var source = source();
    source.setMaximumPoolSize(3);
    try (Connection one = source.getConnection();
        Connection two = source.getConnection()) {
      assertFalse(one.isClosed() || two.isClosed());
      assertNotNull(source.getConnection());
    }
  }

  // ---- two threads with one connection

  private interface Use {
    void run() throws Exception;
  }

  /** Runs both at one moment. */
  private static void together(ExecutorService threads, Use one, Use other) throws Exception {
    CyclicBarrier start = new CyclicBarrier(2);
    List<Callable<Void>> both = new ArrayList<>();
    for (Use each : List.of(one, other)) {
      both.add(
          () -> {
            start.await();
            each.run();
            return null;
          });
    }
    for (Future<Void> each : threads.invokeAll(both)) {
      each.get();
    }
  }

  @Test
  void aConnectionThatTwoThreadsCloseIsGivenBackOnce() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (var source = source()) {
      for (int i = 1; i <= 1000; i++) {
        Connection connection = source.getConnection();
        assertNotNull(connection.createStatement());
        together(threads, connection::close, connection::close);
        assertTrue(connection.isClosed());
        assertEquals(i, calls.get("endRequest"));
        assertEquals(i, calls.get("close"), "of the statement");
      }
      assertEquals(1000, source.stats().lent());
      assertEquals(1, opened.get());
    } finally {
      threads.shutdown();
    }
  }

  /** Makes statements, and closes every other one, until the connection is closed. */
  private static void makeStatements(Connection connection) throws SQLException {
    try {
      for (; ; ) {
        assertNotNull(connection.createStatement());
        connection.createStatement().close();
      }
    } catch (SQLException e) {
      assertEquals("08003", e.getSQLState());
    }
  }

  @Test
  void eachStatementIsClosedOnceWhereAnotherThreadClosesItsConnection() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (var source = source()) {
      for (int i = 1; i <= 200; i++) {
        Connection connection = source.getConnection();
        assertNotNull(connection.createStatement());
        together(threads, () -> makeStatements(connection), connection::close);
        assertEquals(calls.get("createStatement"), calls.get("close"));
      }
      assertEquals(1, opened.get());
    } finally {
      threads.shutdown();
    }
  }

  private static void closeAll(List<Statement> statements) throws SQLException {
    for (Statement each : statements) {
      each.close();
    }
  }

  /** The connection has none of them in its list afterwards, or would close it once more. */
  @Test
  void aStatementThatTwoThreadsCloseIsClosedOnce() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (var source = source()) {
      for (int i = 1; i <= 2000; i++) {
        Connection connection = source.getConnection();
        List<Statement> statements = new ArrayList<>();
        for (int k = 0; k < 16; k++) {
          statements.add(connection.createStatement());
        }
        together(threads, () -> closeAll(statements), () -> closeAll(statements));
        assertEquals(calls.get("createStatement"), calls.get("close"));
        connection.close();
        assertEquals(calls.get("createStatement"), calls.get("close"));
      }
    } finally {
      threads.shutdown();
    }
  }

  // ---- what a driver is told

  @Test
  void eachLeaseIsARequestForTheDriver() throws Exception {
    try (var source = source()) {
      for (int i = 1; i <= 3; i++) {
        try (Connection connection = source.getConnection()) {
          assertFalse(connection.isClosed());
          assertEquals(i, calls.get("beginRequest"));
          assertEquals(i - 1, calls.getOrDefault("endRequest", 0));
        }
        assertEquals(i, calls.get("endRequest"));
      }
      failure = new SQLException("no request", "08006");
      failing = Set.of("beginRequest");
      assertEquals(failure, assertThrows(SQLException.class, source::getConnection));
      failing = Set.of();
      source.getConnection().close();
      assertEquals(2, opened.get());
    }
  }

  @Test
  void clientInformationIsSetBackNameByName() throws Exception {
    info.put("ApplicationName", "shop");
    try (var source = source()) {
      try (Connection connection = source.getConnection()) {
        connection.setClientInfo("ApplicationName", "report");
        connection.setClientInfo("ClientUser", "me");
      }
      assertEquals("{ApplicationName=shop}", info.toString());
      source.getConnection().close();
      assertEquals(1, opened.get());
    }
  }
}
