// SPDX-License-Identifier: MIT
package libpool;

import java.sql.Connection;
import java.sql.Driver;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;
import java.util.Properties;
import javax.sql.ConnectionPoolDataSource;
import javax.sql.DataSource;
import javax.sql.PooledConnection;

/** Where a data source has its connections from. */
interface Source {
  /**
   * A connection that was opened.
   *
   * @param pooled null where the driver has no such thing
   */
  record Opened(Connection connection, PooledConnection pooled) {}

  Opened open() throws SQLException;

  /** Of a driver's object, which is asked for pooled connections if it has them. */
  static Source of(Object object, Login login) throws SQLException {
    if (object instanceof ConnectionPoolDataSource pooling) {
      return () -> {
        PooledConnection pooled = pooled(pooling, login.ask());
        return new Opened(connection(pooled), pooled);
      };
    }
    if (object instanceof DataSource plain) {
      return () -> opened(connection(plain, login.ask()));
    }
    throw new SQLException(object.getClass().getName() + " is neither a ConnectionPoolDataSource nor a DataSource");
  }

  private static PooledConnection pooled(ConnectionPoolDataSource source, Credentials who) throws SQLException {
    return present(
        who.username() == null
            ? source.getPooledConnection()
            : source.getPooledConnection(who.username(), who.password()));
  }

  private static Connection connection(DataSource source, Credentials who) throws SQLException {
    return who.username() == null ? source.getConnection() : source.getConnection(who.username(), who.password());
  }

  /** Of a driver, by its class or else whichever knows the URL. */
  static Source of(String url, String driverClassName, Map<String, Object> properties, Login login)
      throws SQLException {
    Map<String, Object> others = Map.copyOf(properties);
    if (driverClassName == null) {
      return hiding(url, () -> opened(DriverManager.getConnection(url, all(others, login.ask()))));
    }
    if (!(instantiate(driverClassName) instanceof Driver driver)) {
      throw new SQLException(driverClassName + " is no java.sql.Driver");
    }
    return hiding(
        url,
        () -> {
          Connection connection = driver.connect(url, all(others, login.ask()));
          if (connection == null) {
            throw new SQLException(driverClassName + " does not know the jdbcUrl", "08001");
          }
          return opened(connection);
        });
  }

  /** The same, but no error shows a password that is in the URL. */
  private static Source hiding(String url, Source source) {
    if (url.chars().noneMatch(c -> "?;&@".indexOf(c) >= 0)) {
      return source;
    }
    return () -> {
      try {
        return source.open();
      } catch (SQLException e) {
        throw without(url, e);
      }
    };
  }

  private static SQLException without(String url, SQLException e) {
    String text = e.getMessage();
    if (text == null || !text.contains(url)) {
      return e;
    }
    String driver = url.substring(0, url.indexOf(':', url.indexOf(':') + 1) + 1); // "jdbc:postgresql:"
    SQLException bare = new SQLException(text.replace(url, driver + "..."), e.getSQLState(), e.getErrorCode());
    bare.setStackTrace(e.getStackTrace());
    return bare;
  }

  private static Properties all(Map<String, Object> others, Credentials who) {
    Properties all = new Properties();
    others.forEach((name, value) -> all.put(name, isSimple(value) ? value.toString() : value));
    if (who.username() != null) {
      all.setProperty("user", who.username());
    }
    if (who.password() != null) {
      all.setProperty("password", who.password());
    }
    return all;
  }

  /** As text, for Properties.getProperty() gives a driver nothing else. */
  private static boolean isSimple(Object value) {
    return value instanceof Number || value instanceof Boolean || value instanceof Character || value instanceof Enum;
  }

  static Object instantiate(String name) throws SQLException {
    try {
      return load(name).getDeclaredConstructor().newInstance();
    } catch (ReflectiveOperationException e) {
      throw new SQLException("no object can be made of the class " + name, e);
    }
  }

  /** An application's classes may be known to its threads only. */
  private static Class<?> load(String name) throws ClassNotFoundException {
    ClassLoader ofThread = Thread.currentThread().getContextClassLoader();
    if (ofThread != null) {
      try {
        return ofThread.loadClass(name);
      } catch (ClassNotFoundException e) {
        // perhaps ours knows it
      }
    }
    return Class.forName(name);
  }

  private static Opened opened(Connection connection) throws SQLException {
    return new Opened(present(connection), null);
  }

  private static <T> T present(T opened) throws SQLException {
    if (opened == null) {
      throw new SQLException("the driver opened no connection");
    }
    return opened;
  }

  private static Connection connection(PooledConnection pooled) throws SQLException {
    try {
      return present(pooled.getConnection());
    } catch (Throwable e) {
      try {
        pooled.close();
      } catch (Throwable suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }
}
