// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Blob;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.sql.Wrapper;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What is left of a connection that was closed: it does nothing, with each of four drivers. */
class StaleTest {
  /** Of a connection that is closed these say so, or say nothing; two tell what the driver is. */
  private static final Set<String> HARMLESS =
      Set.of("close", "free", "abort", "isClosed", "isValid", "getDriverMajorVersion", "getDriverMinorVersion");

  private static Postgres postgres;
  private static Mariadb mariadb;
  private static Path sqlite;

  @BeforeAll
  static void start() throws Exception {
    postgres = new Postgres();
    mariadb = new Mariadb();
    sqlite = Files.createTempFile("stale", ".db");
  }

  @AfterAll
  static void stop() throws Exception {
    postgres.close();
    mariadb.close();
    Files.delete(sqlite);
  }

  private static PooledDataSource source(String url) {
    PooledDataSource source = new PooledDataSource();
    source.setJdbcUrl(url);
    source.setMaximumPoolSize(1);
    source.setConnectionTimeout(10_000);
    return source;
  }

  private static String h2() {
    return "jdbc:h2:mem:stale;DB_CLOSE_DELAY=-1";
  }

  private static void execute(Connection connection, String... commands) throws SQLException {
    try (Statement statement = connection.createStatement()) {
      for (String each : commands) {
        statement.execute(each);
      }
    }
  }

  private static int count(Connection connection) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet result = statement.executeQuery("SELECT count(*) FROM stale")) {
      assertTrue(result.next());
      return result.getInt(1);
    }
  }

  /** What one user keeps of a connection, by what it is; what the driver has not is left out. */
  private static final class Kept {
    private final Map<String, Object> all = new LinkedHashMap<>();

    <T> T add(String name, Callable<T> maker) throws Exception {
      try {
        T made = maker.call();
        if (made != null) {
          assertFalse(Proxy.isProxyClass(made.getClass()), name);
          all.put(name, made);
        }
        return made;
      } catch (SQLFeatureNotSupportedException e) {
        return null;
      } catch (SQLException e) { // SQLite's, which says it without this class
        if (e.getMessage() == null || !e.getMessage().startsWith("not implemented")) {
          throw e;
        }
        return null;
      }
    }

    /** @param call of a procedure, which SQLite and a MariaDB without system tables do not have: null */
    void addAllOf(Connection connection, String call) throws Exception {
      all.put("connection", connection);
      DatabaseMetaData about = add("metadata", connection::getMetaData);
      add("its tables", () -> about.getTables(null, null, "%", null)).next();
      Statement statement = add("statement", connection::createStatement);
      statement.addBatch("DELETE FROM stale");
      PreparedStatement prepared =
          add("prepared statement", () -> connection.prepareStatement("DELETE FROM stale WHERE id > ?"));
      prepared.setInt(1, 0);
      add("its parameters", prepared::getParameterMetaData);
      prepared.addBatch();
      add("callable statement", () -> call == null ? null : connection.prepareCall(call));
      addResults(connection);
      addValues(connection);
    }

    private void addResults(Connection connection) throws Exception {
      int type = ResultSet.TYPE_SCROLL_INSENSITIVE;
      boolean updates = connection.getMetaData().supportsResultSetConcurrency(type, ResultSet.CONCUR_UPDATABLE);
      Statement statement =
          updates ? connection.createStatement(type, ResultSet.CONCUR_UPDATABLE) : connection.createStatement();
      add("statement of a result", () -> statement);
      ResultSet result = add("result", () -> statement.executeQuery("SELECT id, name FROM stale ORDER BY id"));
      assertTrue(result.next());
      add("its columns", result::getMetaData);
      PreparedStatement inserting =
          connection.prepareStatement("INSERT INTO stale VALUES (0, 'keys')", Statement.RETURN_GENERATED_KEYS);
      inserting.execute();
      add("generated keys", inserting::getGeneratedKeys);
      execute(connection, "DELETE FROM stale WHERE id = 0");
    }

    private void addValues(Connection connection) throws Exception {
      java.sql.Array array = add("array", () -> connection.createArrayOf("VARCHAR", new Object[] {"one", "two"}));
      if (array != null) {
        add("its result", array::getResultSet);
      }
      Blob blob = add("blob", connection::createBlob);
      if (blob != null) {
        add("its output", () -> blob.setBinaryStream(1)).write(7);
      }
      add("clob", connection::createClob);
      add("nclob", connection::createNClob);
      add("sqlxml", connection::createSQLXML);
    }
  }

  /** Calls each method of JDBC that an object has. Returns those that did not say that the connection is closed. */
  private static Set<String> callAll(String name, Object object) throws Exception {
    Set<String> silent = new TreeSet<>();
    for (Class<?> each : interfaces(object.getClass(), new java.util.HashSet<>())) {
      for (Method method : each.getMethods()) {
        if (!Modifier.isStatic(method.getModifiers()) && !says(method, object)) {
          silent.add(HARMLESS.contains(method.getName()) ? method.getName() : name + ": " + method);
        }
      }
    }
    return silent;
  }

  private static Set<Class<?>> interfaces(Class<?> type, Set<Class<?>> found) {
    for (Class<?> each : type.getInterfaces()) {
      if (each.getPackageName().equals("java.sql")) {
        found.add(each);
      }
    }
    return type.getSuperclass() == null ? found : interfaces(type.getSuperclass(), found);
  }

  private static boolean says(Method method, Object object) throws Exception {
    Object[] arguments = new Object[method.getParameterCount()];
    for (int i = 0; i < arguments.length; i++) {
      Class<?> type = method.getParameterTypes()[i];
      arguments[i] = !type.isPrimitive() ? null : type == boolean.class ? (Object) false : number(type);
    }
    try {
      Object returned = method.invoke(object, arguments);
      if (method.getName().equals("isClosed") || method.getName().equals("isValid")) {
        assertEquals(method.getName().equals("isClosed"), returned, method.toString());
      }
      return false;
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof SQLException failure && "08003".equals(failure.getSQLState())) {
        return true;
      }
      throw new AssertionError(method + " of a closed connection throws " + e.getCause(), e.getCause());
    }
  }

  private static Object number(Class<?> type) {
    Object array = java.lang.reflect.Array.newInstance(type, 1); // of zeros
    return java.lang.reflect.Array.get(array, 0);
  }

  private static void nothingReachesTheNextUser(String url, String call) throws Exception {
    try (PooledDataSource source = source(url);
        Connection observer = DriverManager.getConnection(url)) {
      Kept kept = new Kept();
      try (Connection first = source.getConnection()) {
        execute(first, "CREATE TABLE stale (id int PRIMARY KEY, name varchar(20))");
        execute(first, "INSERT INTO stale VALUES (1, 'one'), (2, 'two'), (3, 'three')");
        kept.addAllOf(first, call);
      }
      try (Connection second = source.getConnection()) {
        second.setAutoCommit(false);
        execute(second, "INSERT INTO stale VALUES (4, 'uncommitted')");
        for (Map.Entry<String, Object> each : kept.all.entrySet()) {
          if (each.getValue() instanceof OutputStream output) {
            assertThrows(java.io.IOException.class, () -> output.write(1), each.getKey());
          } else {
            Set<String> silent = callAll(each.getKey(), each.getValue());
            silent.removeAll(HARMLESS);
            assertEquals(Set.of(), silent);
          }
        }
        assertFalse(second.getAutoCommit());
        assertEquals(4, count(second));
        assertEquals(3, count(observer));
        second.rollback();
        assertEquals(3, count(second));
      }
      assertEquals(1, source.stats().opened());
    }
  }

  @Test
  void nothingReachesTheNextUserOfPostgres() throws Exception {
    nothingReachesTheNextUser(postgres.url(), "{call nothing()}");
  }

  @Test
  void nothingReachesTheNextUserOfMariadb() throws Exception {
    nothingReachesTheNextUser(mariadb.url(), null);
  }

  @Test
  void nothingReachesTheNextUserOfSqlite() throws Exception {
    nothingReachesTheNextUser("jdbc:sqlite:" + sqlite, null);
  }

  @Test
  void nothingReachesTheNextUserOfH2() throws Exception {
    nothingReachesTheNextUser(h2(), "call abs(1)");
  }

  /** What a driver has made it gets back as its own, whether it came from a result or from the connection. */
  private static void valuesGoBack(String url) throws Exception {
    try (PooledDataSource source = source(url);
        Connection connection = source.getConnection()) {
      execute(connection, "CREATE TABLE lists (list varchar(20) array)");
      PreparedStatement insert = connection.prepareStatement("INSERT INTO lists VALUES (?)");
      insert.setArray(1, connection.createArrayOf("varchar", new Object[] {"one", "two"}));
      insert.executeUpdate();
      ResultSet result = connection.createStatement().executeQuery("SELECT list FROM lists");
      assertTrue(result.next());
      insert.setObject(1, result.getArray(1));
      insert.executeUpdate();
      insert.setObject(1, result.getObject(1, java.sql.Array.class));
      insert.executeUpdate();
      int found = 0;
      result = connection.createStatement().executeQuery("SELECT list FROM lists");
      while (result.next()) {
        ResultSet elements = ((java.sql.Array) result.getObject(1)).getResultSet();
        while (elements.next()) {
          found += elements.getString(2).length();
        }
      }
      assertEquals(3 * "onetwo".length(), found);
    }
  }

  @Test
  void valuesGoBackToPostgres() throws Exception {
    valuesGoBack(postgres.url());
  }

  @Test
  void valuesGoBackToH2() throws Exception {
    valuesGoBack(h2());
  }

  @Test
  void aLargeObjectOfPostgresEndsWithItsConnection() throws Exception {
    try (PooledDataSource source = source(postgres.url())) {
      source.setAutoCommit(false);
      Blob blob;
      OutputStream output;
      try (Connection first = source.getConnection()) {
        execute(first, "CREATE TABLE objects (object oid)", "INSERT INTO objects VALUES (lo_create(0))");
        first.commit();
        blob = object(first);
        output = blob.setBinaryStream(1);
        output.write(1);
      }
      try (Connection second = source.getConnection()) {
        OutputStream own = object(second).setBinaryStream(1); // has the number that the other had
        own.write(new byte[] {2, 3});
        own.flush();
        assertThrows(java.io.IOException.class, () -> output.write(4));
        assertThrows(java.io.IOException.class, output::flush);
        assertThrows(SQLException.class, () -> blob.setBytes(1, new byte[] {5}));
        output.close();
        blob.free();
        own.close();
        second.commit();
        assertEquals(2, object(second).length());
      }
    }
  }

  private static Blob object(Connection connection) throws SQLException {
    ResultSet result = connection.createStatement().executeQuery("SELECT object FROM objects");
    assertTrue(result.next());
    return result.getBlob(1);
  }
}
