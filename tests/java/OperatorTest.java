// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import javax.management.Attribute;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What an operator sees of a data source and does to it while it runs. */
class OperatorTest {
  private final PooledDataSource source = new PooledDataSource();

  @BeforeEach
  void configure() {
    source.setJdbcUrl("jdbc:h2:mem:operator" + System.nanoTime() + ";DB_CLOSE_DELAY=-1");
    source.setUsername("sa");
    source.setPassword("first");
    source.setPoolName("shop");
    source.setMinimumIdle(0);
    source.setMaximumPoolSize(3);
  }

  @AfterEach
  void close() {
    source.close();
  }

  private void execute(String sql) throws SQLException {
    try (Connection connection = source.getConnection();
        Statement statement = connection.createStatement()) {
      statement.execute(sql);
    }
  }

  private String user() throws SQLException {
    try (Connection connection = source.getConnection();
        Statement statement = connection.createStatement();
        ResultSet result = statement.executeQuery("SELECT CURRENT_USER")) {
      result.next();
      return result.getString(1);
    }
  }

  private static Object physical(Connection connection) throws SQLException {
    return connection.unwrap(org.h2.jdbc.JdbcConnection.class);
  }

  @Test
  void whatThereIsIsCounted() throws Exception {
    assertFalse(source.isRunning());
    assertEquals(0, source.getTotalConnections());
    assertEquals("", source.getReport());
    try (Connection one = source.getConnection();
        Connection two = source.getConnection()) {
      source.getConnection().close();
      PoolMXBean bean = source.getPoolMXBean();
      assertTrue(source.isRunning());
      assertEquals("shop", bean.getPoolName());
      assertEquals(2, bean.getActiveConnections());
      assertEquals(1, bean.getIdleConnections());
      assertEquals(3, bean.getTotalConnections());
      assertEquals(0, bean.getThreadsAwaitingConnection());
      assertEquals(2, source.leases().size());
      assertTrue(bean.getReport().startsWith("pool \"shop\""), bean.getReport());
      source.resize(2);
      Threads.Task<Void> waiter = Threads.begin(() -> close(source.getConnection()));
      Fakes.until(() -> bean.getThreadsAwaitingConnection() == 1);
      one.close();
      waiter.get(60, TimeUnit.SECONDS);
    }
    source.close();
    assertFalse(source.isRunning());
  }

  private static Void close(Connection connection) throws SQLException {
    connection.close();
    return null;
  }

  @Test
  void itCanBeRegisteredAsABean() throws Exception {
    MBeanServer server = ManagementFactory.getPlatformMBeanServer();
    ObjectName name = new ObjectName("libpool:type=Pool,name=operator");
    server.registerMBean(source.getPoolMXBean(), name);
    try {
      source.getConnection().close();
      assertEquals(1, server.getAttribute(name, "IdleConnections"));
      server.setAttribute(name, new Attribute("Username", "somebody"));
      assertEquals("somebody", source.getUsername());
      server.invoke(name, "softEvictConnections", null, null);
      assertEquals(0, server.getAttribute(name, "IdleConnections"));
    } finally {
      server.unregisterMBean(name);
    }
  }

  private static boolean isClosed(Connection connection) {
    try {
      return connection.isClosed();
    } catch (SQLException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aConnectionThatIsEvictedIsClosedAtOnce() throws Exception {
    Connection connection = source.getConnection();
    Connection kept = source.getConnection();
    Connection physical = (Connection) physical(connection);
    source.evictConnection(connection);
    assertTrue(connection.isClosed());
    assertEquals(1, source.getTotalConnections());
    Fakes.until(() -> isClosed(physical));
    source.evictConnection(connection);
    connection.close();
    kept.close();
    source.evictConnection(kept);
    try (Connection again = source.getConnection()) {
      source.evictConnection((Connection) physical(again));
      assertEquals(1, source.getActiveConnections());
    }
  }

  @Test
  void softEvictionReplacesWhatIsOutWhenItComesBack() throws Exception {
    source.softEvictConnections();
    Connection out = source.getConnection();
    source.getConnection().close();
    Object before = physical(out);
    source.softEvictConnections();
    assertEquals(1, source.getTotalConnections());
    assertFalse(out.isClosed());
    out.close();
    try (Connection next = source.getConnection()) {
      assertNotSame(before, physical(next));
    }
  }

  @Test
  void credentialsAreForLaterOpens() throws Exception {
    execute("CREATE USER other PASSWORD 'second' ADMIN");
    source.setCredentials(Credentials.of("other", "second"));
    assertEquals("SA", user());
    source.softEvictConnections();
    assertEquals("OTHER", user());
    execute("ALTER USER other SET PASSWORD 'third'");
    source.softEvictConnections();
    assertThrows(SQLException.class, source::getConnection);
    source.setPassword("third");
    Fakes.until(this::opens);
    assertFalse(Credentials.of("other", "third").toString().contains("third"));
  }

  /** A failed open has a pause, during which the next is not tried. */
  private boolean opens() {
    try {
      return user().equals("OTHER");
    } catch (SQLException e) {
      return false;
    }
  }

  @Test
  void theCatalogIsForLaterOpens() throws Exception {
    List<Object> chosen = new CopyOnWriteArrayList<>();
    source.setDataSource(noting("setCatalog", chosen));
    source.setCatalog("first");
    source.getConnection().close();
    source.setCatalog("second");
    assertEquals("second", source.getCatalog());
    source.getConnection().close();
    assertEquals(List.of("first"), chosen);
    source.softEvictConnections();
    source.getConnection().close();
    assertEquals(List.of("first", "second"), chosen);
  }

  /** A database in memory, and what is given to a method of its connections. */
  private static DataSource noting(String name, List<Object> given) {
    JdbcDataSource h2 = new JdbcDataSource();
    h2.setUrl("jdbc:h2:mem:");
    return proxy(
        DataSource.class,
        (method, arguments) -> {
          Object result = method.invoke(h2, arguments);
          return result instanceof Connection opened ? noting(name, given, opened) : result;
        });
  }

  private static Connection noting(String name, List<Object> given, Connection opened) {
    return proxy(
        Connection.class,
        (method, arguments) -> {
          if (method.getName().equals(name)) {
            given.add(arguments[0]);
          }
          return method.invoke(opened, arguments);
        });
  }

  private interface Calls {
    Object call(Method method, Object[] arguments) throws ReflectiveOperationException;
  }

  private static <T> T proxy(Class<T> type, Calls calls) {
    return type.cast(
        Proxy.newProxyInstance(
            OperatorTest.class.getClassLoader(),
            new Class<?>[] {type},
            (self, method, arguments) -> calls.call(method, arguments)));
  }

  @Test
  void theDriverHasTheLogWriterToo() throws Exception {
    JdbcDataSource h2 = new JdbcDataSource();
    h2.setUrl("jdbc:h2:mem:");
    source.setDataSource(h2);
    PrintWriter first = new PrintWriter(Writer.nullWriter());
    PrintWriter second = new PrintWriter(Writer.nullWriter());
    source.setLogWriter(first);
    source.getConnection().close();
    assertSame(first, h2.getLogWriter());
    source.setLogWriter(second);
    assertSame(second, h2.getLogWriter());
    assertSame(second, source.getLogWriter());
  }

  @Test
  void aProviderIsAskedForTheCredentialsOfEachOpen() throws Exception {
    execute("CREATE USER other PASSWORD 'second' ADMIN");
    source.setCredentialsProvider(() -> Credentials.of("other", "second"));
    source.softEvictConnections();
    assertEquals("OTHER", user());
    source.setCredentialsProvider(null);
    source.softEvictConnections();
    assertEquals("SA", user());
    source.setCredentialsProviderClassName(Provider.class.getName());
    source.softEvictConnections();
    assertEquals("28000", assertThrows(SQLException.class, source::getConnection).getSQLState());
    assertThrows(IllegalArgumentException.class, () -> source.setCredentialsProviderClassName("java.lang.String"));
    assertEquals(Provider.class.getName(), source.getCredentialsProviderClassName());
  }

  /** One that has none. */
  public static final class Provider implements CredentialsProvider {
    @Override
    public Credentials getCredentials() {
      return null;
    }
  }

  @Test
  void whileItIsSuspendedThoseWhoAskWaitWithoutAnEnd() throws Exception {
    assertThrows(IllegalStateException.class, source::suspendPool);
    source.setAllowPoolSuspension(true);
    assertThrows(IllegalStateException.class, source::suspendPool);
    source.getConnection().close();
    source.suspendPool();
    source.suspendPool();
    assertFalse(source.isRunning());
    source.setConnectionTimeout(50);
    Threads.Task<Void> waiter = Threads.begin(() -> close(source.getConnection()));
    Fakes.until(() -> source.stats().timedOut() > 0);
    assertFalse(waiter.isDone());
    source.setConnectionTimeout(30_000);
    source.resumePool();
    source.resumePool();
    assertTrue(source.isRunning());
    waiter.get(60, TimeUnit.SECONDS);
    source.suspendPool();
    source.setConnectionTimeout(50);
    Threads.Task<Void> late = Threads.begin(() -> close(source.getConnection()));
    Fakes.until(() -> source.stats().timedOut() > 1);
    source.close();
    SQLException refusal = assertThrows(SQLException.class, () -> get(late));
    assertSame(PoolClosedException.class, refusal.getCause().getClass());
  }

  @Test
  void theSizeChangesAndMinimumIdleFollowsIt() throws Exception {
    source.setMinimumIdle(-1);
    source.getConnection().close();
    Fakes.until(() -> source.getIdleConnections() == 3);
    source.setMaximumPoolSize(1);
    assertEquals(1, source.getMaximumPoolSize());
    Fakes.until(() -> source.getTotalConnections() == 1);
    Connection only = source.getConnection();
    Threads.Task<Void> waiter = Threads.begin(() -> close(source.getConnection()));
    Fakes.until(() -> source.getThreadsAwaitingConnection() == 1);
    assertEquals(0, source.resize(4));
    waiter.get(60, TimeUnit.SECONDS);
    only.close();
    Fakes.until(() -> source.getIdleConnections() == 4);
    source.setMinimumIdle(2);
    source.setIdleTimeout(1);
    Fakes.until(() -> source.getIdleConnections() == 2);
    assertThrows(IllegalArgumentException.class, () -> source.setMaximumPoolSize(0));
    assertThrows(IllegalArgumentException.class, () -> source.setMinimumIdle(-2));
    assertEquals(4, source.getMaximumPoolSize());
    assertEquals(2, source.getMinimumIdle());
  }

  @Test
  void timesChangeWhileItRuns() throws Exception {
    source.setMinimumIdle(3);
    source.setMaxLifetime(60_000);
    source.getConnection().close();
    Fakes.until(() -> source.getIdleConnections() == 3);
    source.setKeepaliveTime(20);
    Fakes.until(() -> source.stats().checks() > 3);
    source.setMaxLifetime(100);
    source.setKeepaliveTime(200); // which none lives to see
    assertEquals(200, source.getKeepaliveTime());
    source.softEvictConnections();
    Fakes.until(() -> source.stats().closedLifetime() >= 3);
    source.setMaxLifetime(0);
    source.setMaximumPoolSize(1);
    try (Connection out = source.getConnection()) {
      source.setConnectionTimeout(30); // which an open may outlast
      assertThrows(SQLTransientConnectionException.class, source::getConnection);
    }
    source.setValidationTimeout(1_000);
    assertEquals(1_000, source.getValidationTimeout());
  }

  @Test
  void leaksAreLookedForFromThenOn() throws Exception {
    try (var log = new Log()) {
      Connection before = source.getConnection();
      source.setLeakDetectionThreshold(20);
      Connection leaked = source.getConnection();
      Fakes.until(() -> log.lines.stream().anyMatch(line -> line.contains("out for too long")));
      leaked.close();
      before.close();
      source.setLeakDetectionThreshold(0);
      assertEquals(1, log.lines.size());
    }
  }

  /** A shop that closes soon after it has begun, as a test of one does, has nothing to be warned of. */
  @Test
  void aPoolThatIsClosedWhileItBeginsToFillSaysNothing() throws Exception {
    var filler = new CompletableFuture<Thread>();
    var closed = new CompletableFuture<Void>();
    var shortLived =
        new PooledDataSource() {
          @Override
          public int getMinimumIdle() {
            filler.complete(Thread.currentThread());
            closed.join();
            return super.getMinimumIdle();
          }
        };
    shortLived.setJdbcUrl(source.getJdbcUrl());
    shortLived.fillsAfterMs = 0;
    try (var log = new Log()) {
      shortLived.getConnection().close();
      Thread keeper = filler.get();
      shortLived.close();
      closed.complete(null);
      keeper.join();
      assertEquals(List.of(), log.lines);
    }
  }

  @Test
  void aPoolOfAnythingChangesItsSettingsByTheirNames() throws Exception {
    Fakes fakes = new Fakes();
    try (Pool<Fake, IOException> pool = fakes.pool(2)) {
      assertEquals(2, pool.setting("max_open"));
      pool.set("min_idle", 2);
      Fakes.until(() -> pool.len() == 2);
      IllegalArgumentException refusal =
          assertThrows(IllegalArgumentException.class, () -> pool.set("fairness_us", 1));
      assertTrue(refusal.getMessage().contains("cannot change while the pool runs"), refusal.getMessage());
      assertThrows(IllegalArgumentException.class, () -> pool.setting("max_opne"));
      pool.set("get_timeout_ms", 20);
      try (var one = pool.get();
          var two = pool.get()) {
        assertThrows(PoolTimeoutException.class, pool::get);
      }
      assertEquals(-1, pool.setting("max_idle"));
      pool.set("max_open", 5);
      assertEquals(5, pool.setting("max_open"));
      pool.set("get_timeout_ms", 60_000); // for as long the close waits, too
    }
    fakes.finish();
  }

  private static void get(Threads.Task<Void> task) throws Throwable {
    try {
      task.get(60, TimeUnit.SECONDS);
    } catch (java.util.concurrent.ExecutionException e) {
      throw e.getCause();
    }
  }
}
