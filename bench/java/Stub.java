// SPDX-License-Identifier: MIT
package bench;

import java.io.PrintWriter;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.util.logging.Logger;
import javax.sql.DataSource;

/** Opens connections that do nothing, at once. Their queries have as many rows as {@link #ROWS} says. */
public final class Stub implements DataSource {
  static final int ROWS = 1000;

  static Connection connection() {
    return new StubConnection();
  }

  static PreparedStatement statement() {
    return stub(PreparedStatement.class, Stub::answer);
  }

  private static <T> T stub(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(Stub.class.getClassLoader(), new Class<?>[] {type}, handler));
  }

  /** Its numbers are so small that the JVM has them as objects. */
  private static final class Rows implements InvocationHandler {
    private int left = ROWS;

    @Override
    public Object invoke(Object self, Method method, Object[] arguments) {
      return switch (method.getName()) {
        case "next" -> left-- > 0;
        case "getInt" -> left & 0x7f;
        case "getString" -> "text";
        default -> answer(self, method, arguments);
      };
    }
  }

  private static Object answer(Object self, Method method, Object[] arguments) {
    Class<?> type = method.getReturnType();
    if (type == void.class) {
      return null;
    }
    if (type == boolean.class) {
      return method.getName().equals("equals") && self == arguments[0];
    }
    if (type == int.class) {
      return method.getName().equals("hashCode") ? System.identityHashCode(self) : 0;
    }
    if (type == ResultSet.class) {
      return stub(ResultSet.class, new Rows());
    }
    return method.getName().equals("toString") ? "stub" : null;
  }

  @Override
  public Connection getConnection() {
    return connection();
  }

  @Override
  public Connection getConnection(String username, String password) {
    return connection();
  }

  @Override
  public PrintWriter getLogWriter() {
    return null;
  }

  @Override
  public void setLogWriter(PrintWriter writer) {}

  @Override
  public int getLoginTimeout() {
    return 0;
  }

  @Override
  public void setLoginTimeout(int seconds) {}

  @Override
  public Logger getParentLogger() throws SQLFeatureNotSupportedException {
    throw new SQLFeatureNotSupportedException();
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    throw new SQLException("this wraps nothing");
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return false;
  }
}
