// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLTransientConnectionException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.postgresql.PGConnection;
import org.postgresql.ds.PGConnectionPoolDataSource;
import org.postgresql.ds.PGSimpleDataSource;

/** The data source, with PostgreSQL and its driver. */
class SqlTest {
  private static Postgres postgres;

  @BeforeAll
  static void start() throws Exception {
    postgres = new Postgres();
  }

  @AfterAll
  static void stop() throws Exception {
    postgres.close();
  }

  private static PooledDataSource source(int size) {
    PooledDataSource source = new PooledDataSource();
    source.setJdbcUrl(postgres.url());
    source.setMaximumPoolSize(size);
    source.setMinimumIdle(0);
    source.setConnectionTimeout(10_000);
    return source;
  }

  private static String ask(Connection connection, String query) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet result = statement.executeQuery(query)) {
      assertTrue(result.next());
      return result.getString(1);
    }
  }

  private static String backend(Connection connection) throws SQLException {
    return ask(connection, "SELECT pg_backend_pid()");
  }

  @Test
  void threeWaysToOpen() throws Exception {
    PGSimpleDataSource plain = new PGSimpleDataSource();
    PGConnectionPoolDataSource pooling = new PGConnectionPoolDataSource();
    plain.setUrl(postgres.url());
    pooling.setUrl(postgres.url());
    for (int way = 0; way < 3; way++) {
      try (PooledDataSource source = source(2)) {
        if (way == 1) {
          source.setDataSource(plain);
        } else if (way == 2) {
          source.setConnectionPoolDataSource(pooling);
        }
        String backend;
        try (Connection connection = source.getConnection()) {
          backend = backend(connection);
          assertTrue(connection.isValid(1));
        }
        for (int i = 0; i < 10; i++) {
          try (Connection connection = source.getConnection()) {
            assertEquals(backend, backend(connection));
          }
        }
        assertEquals(1, source.stats().opened());
        assertEquals(way == 1, source.isWrapperFor(PGSimpleDataSource.class));
      }
    }
  }

  @Test
  void closingTwiceIsHarmlessAndUseAfterCloseIsTold() throws Exception {
    try (PooledDataSource source = source(1)) {
      Connection stale = source.getConnection();
      Statement statement = stale.createStatement();
      ResultSet result = statement.executeQuery("SELECT 1");
      assertSame(stale, statement.getConnection());
      assertSame(statement, result.getStatement());
      assertSame(stale, stale.getMetaData().getConnection());
      stale.close();
      try (Connection other = source.getConnection()) {
        stale.close();
        assertNotSame(stale, other);
        assertTrue(stale.isClosed());
        assertFalse(stale.isValid(1));
        assertEquals("08003", assertThrows(SQLException.class, stale::createStatement).getSQLState());
        assertThrows(SQLException.class, () -> stale.setAutoCommit(false));
        assertThrows(SQLException.class, stale::commit);
        assertThrows(SQLException.class, statement::getConnection);
        assertThrows(SQLException.class, () -> statement.executeQuery("SELECT 1"));
        assertThrows(SQLException.class, result::next);
        assertTrue(statement.isClosed()); // though it was left open
        assertEquals("1", ask(other, "SELECT 1"));
        assertTrue(other.getAutoCommit());
      }
      assertEquals(2, source.stats().lent());
    }
  }

  @Test
  void aPreparedStatementWorks() throws Exception {
    try (PooledDataSource source = source(1);
        Connection connection = source.getConnection();
        PreparedStatement statement = connection.prepareStatement("SELECT ?::int * ?::int")) {
      statement.setInt(1, 7);
      statement.setInt(2, 8);
      try (ResultSet result = statement.executeQuery()) {
        assertTrue(result.next());
        assertEquals(56, result.getInt(1));
      }
      assertTrue(connection.unwrap(PGConnection.class).getBackendPID() > 0);
      assertTrue(connection.isWrapperFor(PGConnection.class));
    }
  }

  @Test
  void whatOneChangedTheNextDoesNotSee() throws Exception {
    try (PooledDataSource source = source(1)) {
      String backend;
      int isolation;
      try (Connection connection = source.getConnection()) {
        backend = backend(connection);
        isolation = connection.getTransactionIsolation();
        ask(connection, "SELECT set_config('application_name', 'kept', false)");
        connection.setAutoCommit(false);
        connection.setReadOnly(true);
        connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
        connection.setSchema("pg_catalog");
        assertEquals("on", ask(connection, "SHOW transaction_read_only"));
      }
      try (Connection connection = source.getConnection()) {
        assertEquals(backend, backend(connection));
        assertTrue(connection.getAutoCommit());
        assertFalse(connection.isReadOnly());
        assertEquals(isolation, connection.getTransactionIsolation());
        assertEquals("public", connection.getSchema());
        assertEquals("off", ask(connection, "SHOW transaction_read_only"));
      }
    }
  }

  /** As JDBC shows it: the map of the connection is changed and set. */
  @Test
  void whatWasChangedInTheDriversTypeMapTheNextDoesNotSee() throws Exception {
    try (PooledDataSource source = source(1)) {
      String backend;
      try (Connection connection = source.getConnection()) {
        backend = backend(connection);
        Map<String, Class<?>> types = connection.getTypeMap();
        types.put("shop.money", java.sql.SQLData.class);
        connection.setTypeMap(types);
      }
      try (Connection connection = source.getConnection()) {
        assertEquals(backend, backend(connection));
        assertEquals(Map.of(), connection.getTypeMap());
        connection.getTypeMap().put("shop.money", java.sql.SQLData.class); // and not set
      }
      try (Connection connection = source.getConnection()) {
        assertEquals(backend, backend(connection));
        assertEquals(Map.of(), connection.getTypeMap());
      }
    }
  }

  @Test
  void whatWasNotCommittedIsRolledBack() throws Exception {
    try (PooledDataSource source = source(2)) {
      source.setAutoCommit(false);
      try (Connection connection = source.getConnection();
          Statement statement = connection.createStatement()) {
        assertFalse(connection.getAutoCommit());
        statement.execute("CREATE TABLE numbers (number int)");
        connection.commit();
        statement.execute("INSERT INTO numbers VALUES (1)");
      }
      try (Connection connection = source.getConnection()) {
        assertEquals("0", ask(connection, "SELECT count(*) FROM numbers"));
      }
      assertEquals(1, source.stats().opened());
    }
  }

  @SuppressWarnings("serial")
  private static final class WithinTransactions extends PGSimpleDataSource {
    @Override
    public Connection getConnection() throws SQLException {
      Connection connection = super.getConnection();
      connection.setAutoCommit(false);
      return connection;
    }
  }

  @Test
  void whatEachConnectionIsToBeStaysAfterARollback() throws Exception {
    var driver = new WithinTransactions();
    driver.setUrl(postgres.url());
    try (PooledDataSource source = source(1)) {
      source.setDataSource(driver);
      source.setAutoCommit(false);
      source.setSchema("pg_catalog");
      try (Connection connection = source.getConnection()) {
        connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE); // not within a transaction
        assertEquals("pg_catalog", connection.getSchema());
        connection.rollback();
        assertEquals("pg_catalog", connection.getSchema());
      }
    }
  }

  @Test
  void aReadOnlySourceLendsReadOnlyConnections() throws Exception {
    try (PooledDataSource source = source(1)) {
      source.setReadOnly(true);
      for (int i = 0; i < 2; i++) {
        try (Connection connection = source.getConnection()) {
          assertTrue(connection.isReadOnly());
          connection.setReadOnly(false);
        }
      }
    }
  }

  @Test
  void aBrokenConnectionIsReplaced() throws Exception {
    try (PooledDataSource source = source(2)) {
      String backend;
      try (Connection connection = source.getConnection();
          Connection other = source.getConnection()) {
        backend = backend(connection);
        ask(other, "SELECT pg_terminate_backend(" + backend + ")");
        assertThrows(SQLException.class, () -> ask(connection, "SELECT 1"));
      }
      Fakes.until(() -> source.stats().closedUnusable() == 1);
      for (int i = 0; i < 3; i++) {
        try (Connection connection = source.getConnection();
            Connection other = source.getConnection()) {
          assertNotEquals(backend, backend(connection));
          assertNotEquals(backend, backend(other));
        }
      }
    }
  }

  @Test
  void whoDiedWhileIdleIsFoundBeforeItIsLent() throws Exception {
    try (PooledDataSource asked = source(1);
        PooledDataSource source = source(1);
        PooledDataSource other = source(1)) {
      asked.setConnectionTestQuery("SELECT 1");
      String killedOfAsked = killOne(asked, other);
      String killed = killOne(source, other);
      Thread.sleep(1000); // idle for more than 500 ms, as its keeper sees it
      wasReplaced(asked, killedOfAsked);
      wasReplaced(source, killed);
    }
  }

  private static String killOne(PooledDataSource source, PooledDataSource other) throws SQLException {
    String backend;
    try (Connection connection = source.getConnection()) {
      backend = backend(connection);
    }
    try (Connection connection = other.getConnection()) {
      ask(connection, "SELECT pg_terminate_backend(" + backend + ")");
    }
    return backend;
  }

  private static void wasReplaced(PooledDataSource source, String killed) throws SQLException {
    try (Connection connection = source.getConnection()) {
      assertNotEquals(killed, backend(connection));
    }
    assertEquals(1, source.stats().checkFailures());
  }

  @Test
  void aTimeoutIsATransientException() throws Exception {
    try (PooledDataSource source = source(1)) {
      source.setConnectionTimeout(1000);
      try (Connection connection = source.getConnection()) {
        assertTrue(connection.isValid(1));
        var failure = assertThrows(SQLTransientConnectionException.class, source::getConnection);
        assertTrue(failure.getMessage().startsWith("pool: no connection in time: "), failure.getMessage());
      }
    }
  }

  @Test
  void theDriversFailureIsThrownAsItIs() throws Exception {
    try (PooledDataSource source = source(1)) {
      source.setJdbcUrl(postgres.url().replace("/postgres?", "/nobody?"));
      assertEquals("3D000", assertThrows(SQLException.class, source::getConnection).getSQLState());
    }
    try (PooledDataSource source = new PooledDataSource()) {
      source.setMinimumIdle(0);
      assertThrows(SQLException.class, source::getConnection);
    }
  }

  @Test
  void settingsAreFixedOnceThePoolHasBegun() throws Exception {
    PooledDataSource source = source(1);
    assertEquals(1, source.getMaximumPoolSize());
    source.getConnection().close();
    assertThrows(IllegalStateException.class, () -> source.setAutoCommit(false));
    source.close();
    source.close();
    assertThrows(SQLException.class, source::getConnection);
  }

  @Test
  void manyThreadsShareFewConnections() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try (PooledDataSource source = source(3)) {
      List<Future<?>> futures = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        int number = i;
        futures.add(
            threads.submit(
                () -> {
                  for (int k = 0; k < 100; k++) {
                    try (Connection connection = source.getConnection()) {
                      connection.setAutoCommit(k % 2 == 0);
                      assertEquals("" + number * k, ask(connection, "SELECT " + number + " * " + k));
                    }
                  }
                  return null;
                }));
      }
      for (Future<?> future : futures) {
        future.get(60, TimeUnit.SECONDS);
      }
      assertTrue(source.stats().opened() <= 3);
      assertEquals(800, source.stats().lent());
    } finally {
      threads.shutdownNow();
    }
  }
}
