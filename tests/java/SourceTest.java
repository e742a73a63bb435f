// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.DriverPropertyInfo;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.logging.Logger;
import javax.sql.ConnectionPoolDataSource;
import javax.sql.DataSource;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.postgresql.Driver;
import org.postgresql.ds.PGConnectionPoolDataSource;
import org.postgresql.ds.PGSimpleDataSource;
import org.postgresql.jdbc.PgConnection;

/** The properties of a data source, where its connections come from, and what is undone on return. */
class SourceTest {
  private static Postgres postgres;

  @BeforeAll
  static void start() throws Exception {
    postgres = new Postgres();
  }

  @AfterAll
  static void stop() throws Exception {
    postgres.close();
  }

  private static PooledDataSource source(Object... namesAndValues) {
    Properties properties = new Properties();
    properties.setProperty("minimumIdle", "0");
    for (int i = 0; i < namesAndValues.length; i += 2) {
      properties.setProperty(namesAndValues[i].toString(), namesAndValues[i + 1].toString());
    }
    if (properties.getProperty("dataSourceClassName") == null && properties.getProperty("jdbcUrl") == null) {
      properties.setProperty("jdbcUrl", postgres.url());
    }
    return new PooledDataSource(properties);
  }

  private static String ask(Connection connection, String query) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet result = statement.executeQuery(query)) {
      assertTrue(result.next());
      return result.getString(1);
    }
  }

  private static String refusal(Object... namesAndValues) {
    return assertThrows(IllegalArgumentException.class, () -> source(namesAndValues)).getMessage();
  }

  // ---- properties

  @Test
  void propertiesAreSetByTheirNames() throws Exception {
    Map<String, String> all =
        Map.ofEntries(
            Map.entry("jdbcUrl", "jdbc:x"),
            Map.entry("username", "u"),
            Map.entry("password", "p"),
            Map.entry("driverClassName", Driver.class.getName()),
            Map.entry("dataSourceClassName", "c"),
            Map.entry("poolName", "n"),
            Map.entry("maximumPoolSize", "7"),
            Map.entry("minimumIdle", "3"),
            Map.entry("connectionTimeout", "1000"),
            Map.entry("validationTimeout", "2000"),
            Map.entry("idleTimeout", "3000"),
            Map.entry("maxLifetime", "4000"),
            Map.entry("keepaliveTime", "5000"),
            Map.entry("leakDetectionThreshold", "6000"),
            Map.entry("initializationFailTimeout", "-1"),
            Map.entry("closeGrace", "7000"),
            Map.entry("budget", "process:b?limit=2"),
            Map.entry("budgetWeight", "2"),
            Map.entry("budgetFloor", "1"),
            Map.entry("exceptionOverrideClassName", BreakageTest.Keeps.class.getName()),
            Map.entry("autoCommit", "false"),
            Map.entry("readOnly", "TRUE"),
            Map.entry("transactionIsolation", "TRANSACTION_SERIALIZABLE"),
            Map.entry("catalog", "k"),
            Map.entry("schema", "s"),
            Map.entry("connectionInitSql", "i"),
            Map.entry("connectionTestQuery", "t"),
            Map.entry("dataSource.applicationName", "a"));
    Properties properties = new Properties();
    properties.putAll(all);
    try (var source = new PooledDataSource(properties)) {
      assertEquals("jdbc:x", source.getJdbcUrl());
      assertEquals("u", source.getUsername());
      assertEquals(Driver.class.getName(), source.getDriverClassName());
      assertEquals("c", source.getDataSourceClassName());
      assertEquals("n", source.getPoolName());
      assertEquals(7, source.getMaximumPoolSize());
      assertEquals(3, source.getMinimumIdle());
      assertEquals(1000, source.getConnectionTimeout());
      assertEquals(2000, source.getValidationTimeout());
      assertEquals(3000, source.getIdleTimeout());
      assertEquals(4000, source.getMaxLifetime());
      assertEquals(5000, source.getKeepaliveTime());
      assertEquals(6000, source.getLeakDetectionThreshold());
      assertEquals(-1, source.getInitializationFailTimeout());
      assertEquals(7000, source.getCloseGrace());
      assertEquals("process:b?limit=2", source.getBudget());
      assertEquals(2, source.getBudgetWeight());
      assertEquals(1, source.getBudgetFloor());
      assertEquals(BreakageTest.Keeps.class, source.getExceptionOverride().getClass());
      assertFalse(source.isAutoCommit());
      assertTrue(source.isReadOnly());
      assertEquals("TRANSACTION_SERIALIZABLE", source.getTransactionIsolation());
      assertEquals("k", source.getCatalog());
      assertEquals("s", source.getSchema());
      assertEquals("i", source.getConnectionInitSql());
      assertEquals("t", source.getConnectionTestQuery());
    }
  }

  @Test
  void whatIsNoTextIsSetAsWell() {
    Properties defaults = new Properties();
    defaults.setProperty("poolName", "n");
    Properties properties = new Properties(defaults);
    var object = new PGSimpleDataSource();
    properties.put("maximumPoolSize", 7);
    properties.put("autoCommit", false);
    properties.put("dataSource", object);
    properties.put("dataSource.portNumber", 5);
    try (var source = new PooledDataSource(properties)) {
      assertEquals("n", source.getPoolName());
      assertEquals(7, source.getMaximumPoolSize());
      assertFalse(source.isAutoCommit());
      assertSame(object, source.getDataSource());
      assertEquals(5, source.getDataSourceProperties().get("portNumber"));
    }
    properties.put("noSuchThing", 1);
    assertThrows(IllegalArgumentException.class, () -> new PooledDataSource(properties));
  }

  @Test
  void aBlankTextIsNone() throws Exception {
    String[] names = {
      "dataSourceClassName", "driverClassName", "connectionInitSql", "connectionTestQuery", "transactionIsolation", "catalog",
      "schema", "budget", "credentialsProviderClassName", "exceptionOverrideClassName"
    };
    try (var source = source("jdbcUrl", "jdbc:h2:mem:", "keepaliveTime", 1)) {
      for (String name : names) {
        new Bean(source).set(name, " ");
      }
      source.getConnection().close();
      Fakes.until(() -> source.stats().checks() > 0);
      assertEquals(0, source.stats().checkFailures());
      assertNull(source.getConnectionTestQuery());
    }
    try (var source = new PooledDataSource()) {
      source.setUrl("");
      assertNull(source.getJdbcUrl());
    }
  }

  @Test
  void anErrorShowsNoPasswordOfTheUrl() {
    Map<String, String> shown =
        Map.of(
            "jdbc:no:thing?user=me&password=geheim", "jdbc:no:...",
            "jdbc:no:me/geheim@thing", "jdbc:no:...",
            "thing;password=geheim", "...",
            "jdbc:no:thing", "jdbc:no:thing");
    shown.forEach(
        (url, text) -> {
          try (var source = source("jdbcUrl", url)) {
            SQLException e = assertThrows(SQLException.class, source::getConnection);
            assertEquals("No suitable driver found for " + text, e.getMessage());
            assertEquals("08001", e.getSQLState());
            assertFalse(source.report(Format.TEXT).contains("geheim"));
          }
        });
  }

  @Test
  void whatIsWrongIsNamed() {
    assertEquals("PooledDataSource has no property maxPoolSize", refusal("maxPoolSize", 3));
    assertEquals("PooledDataSource has no property metricRegistry", refusal("metricRegistry", true));
    assertEquals("PooledDataSource has no property ", refusal("", 3));
    assertEquals(
        "the property maximumPoolSize of PooledDataSource cannot be set so: its type is int",
        refusal("maximumPoolSize", "many"));
    assertEquals(
        "the property maximumPoolSize of PooledDataSource cannot be set so: "
            + "maximumPoolSize is 0; it must be 1 or more",
        refusal("maximumPoolSize", 0));
    for (String time : new String[] {"connectionTimeout", "idleTimeout", "maxLifetime", "validationTimeout"}) {
      assertTrue(refusal(time, -1).endsWith(time + " is -1; it must be 0 or more"));
    }
    assertTrue(refusal("autoCommit", "yes").contains("autoCommit"));
    for (String isolation : new String[] {"STRICT", "-1", "4294967295"}) {
      assertTrue(refusal("transactionIsolation", isolation).contains(isolation));
    }
    assertTrue(refusal("poolName", "shop\0keeper").endsWith("poolName contains a zero character"));
    assertThrows(NullPointerException.class, () -> new PooledDataSource(null));
    assertThrows(NullPointerException.class, () -> source().setPoolName(null));
    assertThrows(NullPointerException.class, () -> source().addDataSourceProperty("name", null));
  }

  @Test
  void aFileOfPropertiesIsLoaded() throws Exception {
    Path file = Files.createTempFile("pool", ".properties");
    try {
      Files.writeString(
          file, "jdbcUrl=" + postgres.url() + "\nmaximumPoolSize=2\ndataSource.ApplicationName=from a file\n");
      try (var source = PooledDataSource.load(file);
          Connection connection = source.getConnection()) {
        assertEquals("from a file", ask(connection, "SHOW application_name"));
      }
    } finally {
      Files.delete(file);
    }
  }

  // ---- where connections come from

  @Test
  void aDriversClassesAreMadeByTheirNames() throws Exception {
    for (Class<?> type : new Class<?>[] {PGSimpleDataSource.class, PGConnectionPoolDataSource.class}) {
      try (var source =
          source(
              "dataSourceClassName", type.getName(),
              "dataSource.serverName", "127.0.0.1",
              "dataSource.portNumber", postgres.port(),
              "dataSource.databaseName", "postgres",
              "username", "test",
              "maximumPoolSize", 1)) {
        for (int i = 0; i < 2; i++) {
          try (Connection connection = source.getConnection()) {
            assertEquals("test", ask(connection, "SELECT current_user"));
          }
        }
        assertTrue(source.isWrapperFor(type));
        assertEquals(type, source.unwrap(type).getClass());
        assertEquals(1, source.stats().opened());
      }
    }
  }

  /** As Oracle's and H2's classes are. */
  public static final class Shouting {
    private String url;

    public void setURL(String url) {
      this.url = url;
    }
  }

  @Test
  void aSetterInCapitalsIsFound() {
    var shouting = new Shouting();
    new Bean(shouting).set("url", "jdbc:x");
    assertEquals("jdbc:x", shouting.url);
    String message = assertThrows(IllegalArgumentException.class, () -> new Bean(shouting).set("uri", 1)).getMessage();
    assertEquals("Shouting has no property uri", message);
  }

  /** With types that some drivers' classes have. */
  public static final class Typed {
    private final Map<String, Object> values = new HashMap<>();

    public void setFlag(Boolean flag) {
      values.put("flag", flag);
    }

    public void setPort(Integer port) {
      values.put("port", port);
    }

    public void setWait(Long wait) {
      values.put("wait", wait);
    }

    public void setSecret(char[] secret) {
      values.put("secret", new String(secret));
    }

    public void setPorts(int[] ports) {
      values.put("ports", Arrays.stream(ports).boxed().toList());
    }

    public void setNames(String[] names) {
      values.put("names", List.of(names));
    }

    public void setSource(DataSource source) {
      values.put("source", source);
    }

    public void setState(Thread.State state) {
      values.put("state", state);
    }

    public void setRatio(double ratio) {
      values.put("ratio", ratio);
    }

    public void setPart(float part) {
      values.put("part", part);
    }
  }

  @Test
  void aTextBecomesWhatASetterTakes() {
    var typed = new Typed();
    Map<String, String> texts =
        Map.of(
            "flag", "true",
            "port", "1",
            "wait", "2",
            "secret", "s",
            "ports", "1, 2",
            "names", "a,b\\,c,\\\\,",
            "state", "New",
            "ratio", " 0.5",
            "source", PGSimpleDataSource.class.getName());
    texts.forEach(new Bean(typed)::set);
    assertEquals(List.of("a", "b,c", "\\", ""), typed.values.remove("names"));
    assertEquals(PGSimpleDataSource.class, typed.values.remove("source").getClass());
    assertEquals(
        Map.of(
            "flag", true,
            "port", 1,
            "wait", 2L,
            "secret", "s",
            "ports", List.of(1, 2),
            "state", Thread.State.NEW,
            "ratio", 0.5),
        typed.values);
    new Bean(typed).set("ports", "");
    new Bean(typed).set("names", "");
    assertEquals(List.of(List.of(), List.of()), List.of(typed.values.get("ports"), typed.values.get("names")));
  }

  @Test
  void aTextOfWhichASetterCanMakeNothingIsRefused() {
    String[][] wrong = {
      {"names", "a\\"}, {"ports", "1,x"}, {"source", "no.such.Class"}, {"source", "java.lang.String"}, {"wait", "2w"},
      {"state", "old"}, {"ratio", "x"}, {"part", "1"}
    };
    for (String[] each : wrong) {
      var e = assertThrows(IllegalArgumentException.class, () -> new Bean(new Typed()).set(each[0], each[1]));
      assertTrue(e.getMessage().startsWith("the property " + each[0] + " of Typed cannot be set so: "), e.getMessage());
    }
  }

  @Test
  void aTimeMayHaveAUnit() {
    Map<String, Long> times =
        Map.of("250ms", 250L, "30s", 30_000L, "10m", 600_000L, "2h", 7_200_000L, " 1d ", 86_400_000L, "7", 7L);
    times.forEach(
        (text, ms) -> {
          try (var source = source("maxLifetime", text, "closeGrace", text)) {
            assertEquals(ms, source.getMaxLifetime());
            assertEquals(ms, source.getCloseGrace());
          }
        });
    try (var source = source("idleTimeout", Long.MAX_VALUE + "d")) {
      assertEquals(Long.MAX_VALUE, source.getIdleTimeout());
    }
    for (String wrong : new String[] {"30 s", "30S", "-1s", "1.5s", "s", "99999999999999999999s", ""}) {
      assertTrue(refusal("idleTimeout", wrong).endsWith("its type is long"), wrong);
    }
    assertTrue(refusal("maximumPoolSize", "5m").endsWith("its type is int"));
  }

  /** Notes what it is to connect with, and does not. */
  public static final class Noting implements java.sql.Driver {
    private static volatile Properties noted;

    @Override
    public Connection connect(String url, Properties properties) {
      noted = properties;
      return null;
    }

    @Override
    public boolean acceptsURL(String url) {
      return true;
    }

    @Override
    public DriverPropertyInfo[] getPropertyInfo(String url, Properties properties) {
      return new DriverPropertyInfo[0];
    }

    @Override
    public int getMajorVersion() {
      return 1;
    }

    @Override
    public int getMinorVersion() {
      return 0;
    }

    @Override
    public boolean jdbcCompliant() {
      return false;
    }

    @Override
    public Logger getParentLogger() {
      return Logger.getGlobal();
    }
  }

  @Test
  void propertiesOfTheDriverAreAddedToThoseThatAreThere() throws Exception {
    Properties defaults = new Properties();
    defaults.setProperty("fallback", "f");
    Properties more = new Properties(defaults);
    more.setProperty("more", "m");
    try (var source = source("driverClassName", Noting.class.getName(), "dataSource.first", "1")) {
      source.getDataSourceProperties().setProperty("second", "2");
      source.setDataSourceProperties(more);
      assertThrows(SQLException.class, source::getConnection);
    }
    assertEquals(Map.of("first", "1", "second", "2", "more", "m", "fallback", "f"), Noting.noted);
  }

  @Test
  void aDriverIsGivenTextsAndOtherObjectsAsTheyAre() throws Exception {
    Duration object = Duration.ofSeconds(1);
    try (var source = source("driverClassName", Noting.class.getName(), "dataSource.text", "t")) {
      source.addDataSourceProperty("number", 5);
      source.addDataSourceProperty("flag", true);
      source.addDataSourceProperty("object", object);
      assertThrows(SQLException.class, source::getConnection);
    }
    assertEquals(Map.of("text", "t", "number", "5", "flag", "true", "object", object), Noting.noted);
  }

  @Test
  void aDriversClassIsUsedForTheUrl() throws Exception {
    try (var source = source("driverClassName", Driver.class.getName());
        Connection connection = source.getConnection()) {
      assertEquals("1", ask(connection, "SELECT 1"));
    }
    String[] wrong = {"no.such.Driver", "java.lang.String", "java.util.concurrent.TimeUnit"};
    for (String name : wrong) {
      String refusal = refusal("driverClassName", name);
      assertTrue(refusal.contains(name), refusal);
      try (var source = source("dataSourceClassName", name)) {
        String message = assertThrows(SQLException.class, source::getConnection).getMessage();
        assertTrue(message.contains(name), message);
      }
    }
    try (var source = source("driverClassName", Driver.class.getName(), "jdbcUrl", "jdbc:other:x")) {
      assertThrows(SQLException.class, source::getConnection);
    }
    try (var source =
        source("dataSourceClassName", PGSimpleDataSource.class.getName(), "dataSource.noSuchThing", 1)) {
      String message = assertThrows(IllegalArgumentException.class, source::getConnection).getMessage();
      assertEquals("PGSimpleDataSource has no property noSuchThing", message);
    }
  }

  @Test
  void aLoginEndsThoughTheDriverHasNoLimit() throws Exception {
    int[][] cases = {{4_600, 0, 5}, {30_000, 0, 30}, {900, 0, 1}, {0, 0, 0}, {30_000, 7, 7}};
    for (int[] each : cases) {
      var plain = new PGSimpleDataSource();
      var pooling = new PGConnectionPoolDataSource();
      try (var source = source("connectionTimeout", each[0]);
          var other = source("connectionTimeout", each[0])) {
        plain.setUrl(postgres.url());
        plain.setLoginTimeout(each[1]);
        source.setDataSource(plain);
        source.getConnection().close();
        pooling.setUrl(postgres.url());
        pooling.setLoginTimeout(each[1]);
        other.setConnectionPoolDataSource(pooling);
        other.getConnection().close();
      }
      assertEquals(List.of(each[2], each[2]), List.of(plain.getLoginTimeout(), pooling.getLoginTimeout()));
    }
  }

  @Test
  void anObjectThatCanPoolIsAskedForPooledConnections() throws Exception {
    var pooling = new PGConnectionPoolDataSource();
    pooling.setUrl(postgres.url());
    Set<String> called = new HashSet<>();
    DataSource both =
        (DataSource)
            Proxy.newProxyInstance(
                SourceTest.class.getClassLoader(),
                new Class<?>[] {DataSource.class, ConnectionPoolDataSource.class},
                (self, method, arguments) -> {
                  called.add(method.getName());
                  return method.invoke(pooling, arguments);
                });
    try (var source = source()) {
      source.setDataSource(both);
      source.getConnection().close();
    }
    assertEquals(Set.of("getLoginTimeout", "getPooledConnection"), called);
  }

  @Test
  void aServerThatComesLateIsWaitedFor() throws Exception {
    var plain = new PGSimpleDataSource();
    plain.setUrl(postgres.url());
    var attempts = new AtomicInteger();
    DataSource late =
        (DataSource)
            Proxy.newProxyInstance(
                SourceTest.class.getClassLoader(),
                new Class<?>[] {DataSource.class},
                (self, method, arguments) -> {
                  if (attempts.incrementAndGet() < 3) {
                    throw new SQLException("not yet", "08001");
                  }
                  return plain.getConnection();
                });
    try (var source = source("initializationFailTimeout", 60_000)) {
      source.setDataSource(late);
      source.getConnection().close();
      assertTrue(attempts.get() >= 3);
    }
    attempts.set(0);
    try (var source = source()) {
      source.setDataSource(late);
      assertEquals("not yet", assertThrows(SQLException.class, source::getConnection).getMessage());
    }
  }

  // ---- what a connection is when it is lent, and again when it comes back

  /** As jTDS: each connection that was idle for half a second would be replaced. */
  @Test
  void aDriverThatCannotCheckIsToldByTheFirstConnection() throws Exception {
    for (Throwable missing : new Throwable[] {new AbstractMethodError("isValid"), new SQLFeatureNotSupportedException("no")}) {
      try (var source = new PooledDataSource()) {
        source.setMinimumIdle(0);
        source.setDataSource(withoutIsValid(missing));
        SQLException told = assertThrows(SQLException.class, source::getConnection);
        assertEquals("the driver has no isValid(); set connectionTestQuery", told.getMessage());
        assertSame(missing, told.getCause());
      }
      try (var source = new PooledDataSource()) {
        source.setMinimumIdle(0);
        source.setDataSource(withoutIsValid(missing));
        source.setConnectionTestQuery("SELECT 1");
        source.getConnection().close();
      }
    }
  }

  private static DataSource withoutIsValid(Throwable missing) {
    return opening(
        real ->
            (proxy, method, arguments) -> {
              if (method.getName().equals("isValid")) {
                throw missing;
              }
              return method.invoke(real, arguments);
            });
  }

  /** A driver whose connections are real ones behind a handler. */
  private static DataSource opening(Function<Connection, InvocationHandler> handler) {
    ClassLoader loader = SourceTest.class.getClassLoader();
    return (DataSource)
        Proxy.newProxyInstance(
            loader,
            new Class<?>[] {DataSource.class},
            (proxy, method, arguments) ->
                method.getName().equals("getConnection")
                    ? Proxy.newProxyInstance(
                        loader,
                        new Class<?>[] {Connection.class},
                        handler.apply(DriverManager.getConnection(postgres.url())))
                    : method.getReturnType() == int.class ? 0 : null);
  }

  /** The properties that a driver gives may be those that it has itself. */
  @Test
  void whatWasChangedInTheDriversClientInfoTheNextDoesNotSee() throws Exception {
    Properties own = new Properties();
    own.setProperty("ApplicationName", "shop");
    try (var source = new PooledDataSource()) {
      source.setMinimumIdle(0);
      source.setDataSource(
          opening(
              real ->
                  (proxy, method, arguments) -> {
                    if (method.getName().equals("getClientInfo")) {
                      return own;
                    }
                    if (method.getName().equals("setClientInfo")) {
                      own.setProperty((String) arguments[0], (String) arguments[1]);
                      return null;
                    }
                    return method.invoke(real, arguments);
                  }));
      try (Connection connection = source.getConnection()) {
        Properties info = connection.getClientInfo();
        info.setProperty("ApplicationName", "mine");
        connection.setClientInfo("ApplicationName", info.getProperty("ApplicationName"));
      }
      assertEquals("shop", own.getProperty("ApplicationName"));
    }
  }

  @Test
  void connectionsAreLentAsTheSettingsSay() throws Exception {
    try (var source =
        source(
            "maximumPoolSize", 1,
            "transactionIsolation", "TRANSACTION_REPEATABLE_READ",
            "schema", "pg_catalog",
            "catalog", "postgres",
            "connectionInitSql", "SET statement_timeout = 12345",
            "autoCommit", false)) {
      for (int i = 0; i < 2; i++) {
        try (Connection connection = source.getConnection()) {
          assertEquals(Connection.TRANSACTION_REPEATABLE_READ, connection.getTransactionIsolation());
          assertEquals("pg_catalog", connection.getSchema());
          assertEquals("12345ms", ask(connection, "SHOW statement_timeout"));
          assertFalse(connection.getAutoCommit());
          connection.rollback();
          connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
          connection.setSchema("public");
          connection.setAutoCommit(true);
          connection.setHoldability(ResultSet.HOLD_CURSORS_OVER_COMMIT);
          connection.setNetworkTimeout(Runnable::run, 54321);
          connection.setClientInfo("ApplicationName", "me");
        }
        try (Connection connection = source.getConnection()) {
          assertEquals(0, connection.getNetworkTimeout());
          assertEquals(ResultSet.CLOSE_CURSORS_AT_COMMIT, connection.getHoldability());
          assertNotEquals("me", ask(connection, "SHOW application_name"));
        }
      }
      assertEquals(1, source.stats().opened());
    }
    try (var source = source("connectionInitSql", "this is no SQL")) {
      assertEquals("42601", assertThrows(SQLException.class, source::getConnection).getSQLState());
      assertEquals(0, source.stats().open());
    }
  }

  @Test
  void whatWasLeftOpenIsClosed() throws Exception {
    try (var source = source("maximumPoolSize", 1)) {
      Statement statement;
      ResultSet result;
      ResultSet tables;
      try (Connection connection = source.getConnection()) {
        statement = connection.prepareStatement("SELECT 1");
        result = connection.createStatement().executeQuery("SELECT 2");
        DatabaseMetaData about = connection.getMetaData();
        tables = about.getTables(null, null, "%", null);
        assertTrue(tables.next());
        connection.createStatement().execute("DO $$ BEGIN RAISE WARNING 'careful'; END $$");
        connection.setAutoCommit(false);
        connection.createStatement().execute("CREATE TABLE left_open (number int)");
      }
      assertTrue(statement.isClosed());
      assertThrows(SQLException.class, result::next);
      assertThrows(SQLException.class, tables::next);
      try (Connection connection = source.getConnection()) {
        assertEquals("0", ask(connection, "SELECT count(*) FROM pg_class WHERE relname = 'left_open'"));
        assertEquals(null, connection.getWarnings());
      }
      assertEquals(1, source.stats().opened());
    }
  }

  @Test
  void aFailedTransactionIsRolledBack() throws Exception {
    try (var source = source("maximumPoolSize", 1, "autoCommit", false)) {
      try (Connection connection = source.getConnection()) {
        assertThrows(SQLException.class, () -> ask(connection, "SELECT 1/0"));
        assertEquals("25P02", assertThrows(SQLException.class, () -> ask(connection, "SELECT 1")).getSQLState());
      }
      try (Connection connection = source.getConnection()) {
        assertEquals("1", ask(connection, "SELECT 1"));
      }
      assertEquals(1, source.stats().opened());
    }
  }

  @Test
  void autoCommitIsSetBackThoughAStatementChangedIt() throws Exception {
    for (boolean wanted : new boolean[] {true, false}) {
      try (var source = source("jdbcUrl", "jdbc:h2:mem:", "maximumPoolSize", 1, "autoCommit", wanted)) {
        try (Connection connection = source.getConnection(); Statement statement = connection.createStatement()) {
          statement.execute("SET AUTOCOMMIT " + (wanted ? "FALSE" : "TRUE"));
        }
        try (Connection connection = source.getConnection()) {
          assertEquals(wanted, connection.getAutoCommit());
        }
        assertEquals(1, source.stats().opened());
      }
    }
  }

  @Test
  void aConnectionIsWhatItWraps() throws Exception {
    try (var source = source()) {
      Connection connection = source.getConnection();
      Connection physical = connection.unwrap(Connection.class);
      assertSame(connection.unwrap(PgConnection.class), physical);
      assertTrue(connection.isWrapperFor(Connection.class));
      Statement statement = connection.createStatement();
      assertSame(statement.unwrap(org.postgresql.PGStatement.class), statement.unwrap(Statement.class));
      assertSame(physical, statement.unwrap(Statement.class).getConnection());
      assertSame(connection, connection.unwrap(ConnectionHandle.class));
      assertSame(connection, connection.unwrap(Object.class));
      assertThrows(SQLException.class, () -> connection.unwrap(String.class));
      assertFalse(connection.isWrapperFor(String.class));
      assertTrue(statement.unwrap(org.postgresql.PGStatement.class).getPrepareThreshold() > 0);
      try (Connection other = source.getConnection()) {
        assertNotSame(connection, other);
      }
      assertEquals(connection, connection);
      assertTrue(new HashSet<>(Set.of(connection, statement)).contains(connection));
      assertSame(source, source.unwrap(DataSource.class));
      assertThrows(SQLException.class, () -> source.unwrap(String.class));
      assertThrows(SQLFeatureNotSupportedException.class, () -> source.getConnection("u", "p"));
      try {
        connection.abort(Runnable::run);
      } catch (SecurityException e) {
        // older drivers ask for something that newer Javas do not have
      }
      assertTrue(connection.isClosed());
      connection.abort(Runnable::run);
      connection.close();
      Fakes.until(() -> source.stats().closedUnusable() == 1);
    }
  }

  @Test
  void aClosedSourceSaysSo() throws Exception {
    var source = source();
    Connection connection = source.getConnection();
    connection.close();
    source.close();
    assertTrue(source.isClosed());
    assertInstanceOf(SQLException.class, assertThrows(Exception.class, source::getConnection));
  }

  /** What comes back at once is enough for a start. */
  @Test
  void aPoolFillsSomeTimeAfterItsFirstOpen() throws Exception {
    var database = new GatedSource();
    try (var source = database.pool("shop", 3)) {
      source.setMinimumIdle(1);
      source.fillsAfterMs = TimeUnit.HOURS.toMillis(1);
      source.getConnection().close();
      assertEquals(List.of("0"), keptIdle(source));
    }
    try (var source = database.pool("shop", 3)) {
      source.setMinimumIdle(2);
      source.getConnection().close();
      Fakes.until(() -> source.getIdleConnections() == 2);
      assertEquals(List.of("2"), keptIdle(source));
    }
  }

  private static List<String> keptIdle(PooledDataSource source) {
    return source.report(Format.PROMETHEUS).lines()
        .filter(line -> line.startsWith("db_client_connection_idle_min{"))
        .map(line -> line.substring(line.indexOf("} ") + 2))
        .toList();
  }
}
