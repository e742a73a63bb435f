// SPDX-License-Identifier: MIT
package libpool;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * What {@link PooledDataSource#getConnection()} gives: a connection whose close gives the real one back, and nothing of
 * which reaches the real one after that. Statements and results that come from it know it and not the real one.
 */
final class ConnectionHandle implements InvocationHandler {
  private final Lease<PhysicalConnection> lease;
  private final PhysicalConnection physical;
  private final Connection proxy = proxy(Connection.class, this);
  private final Set<AutoCloseable> leftOpen = ConcurrentHashMap.newKeySet(); // real statements, and results of metadata
  private volatile boolean closed;

  private ConnectionHandle(Lease<PhysicalConnection> lease) {
    this.lease = lease;
    physical = lease.conn();
  }

  static Connection of(Lease<PhysicalConnection> lease) {
    return new ConnectionHandle(lease).proxy;
  }

  private static <T> T proxy(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(ConnectionHandle.class.getClassLoader(), new Class<?>[] {type}, handler));
  }

  @Override
  public Object invoke(Object self, Method method, Object[] arguments) throws Throwable {
    switch (method.getName()) {
      case "close":
        close(false);
        return null;
      case "abort":
        if (!closed) {
          try {
            physical.connection().abort((java.util.concurrent.Executor) arguments[0]);
          } finally {
            close(true);
          }
        }
        return null;
      case "isClosed":
        return closed;
      case "isValid":
        return !closed && (boolean) call(self, physical.connection(), method, arguments);
      case "toString":
        return closed ? "a connection that was given back" : "pooled " + physical.connection();
      case "hashCode":
        return System.identityHashCode(self);
      case "equals":
        return self == arguments[0];
      case "unwrap":
        requireOpen();
        return call(self, physical.connection(), method, arguments);
      default:
        requireOpen();
        physical.changes(method.getName());
        return guard(self, call(self, physical.connection(), method, arguments));
    }
  }

  private void requireOpen() throws SQLException {
    if (closed) {
      throw new SQLException("the connection is closed", "08003");
    }
  }

  private synchronized boolean isFirstClose() {
    boolean first = !closed;
    closed = true;
    return first;
  }

  private void close(boolean unusable) {
    if (!isFirstClose()) {
      return;
    }
    for (AutoCloseable each : leftOpen) {
      try {
        each.close();
      } catch (Throwable e) { // also what a driver throws for no good reason; the connection must go back
        physical.note(e);
      }
    }
    if (physical.isBroken()) {
      lease.discardBroken();
    } else if (unusable) {
      lease.discard();
    } else {
      lease.close();
    }
  }

  private Object call(Object self, Object target, Method method, Object[] arguments) throws Throwable {
    String name = method.getName();
    if ((name.equals("unwrap") || name.equals("isWrapperFor")) && arguments[0] instanceof Class<?> type) {
      Object found = type.isInstance(self) ? self : type.isInstance(target) ? target : null;
      if (found != null) {
        return name.equals("unwrap") ? found : (Object) true;
      }
    }
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      physical.note(e.getCause());
      throw e.getCause();
    }
  }

  /** Statements, results and metadata are guarded, everything else is as it is. */
  private Object guard(Object parent, Object result) {
    if (result instanceof Statement statement) {
      leftOpen.add(statement);
      Class<? extends Statement> type =
          statement instanceof CallableStatement
              ? CallableStatement.class
              : statement instanceof PreparedStatement ? PreparedStatement.class : Statement.class;
      return child(type, parent, statement);
    }
    if (result instanceof ResultSet found) {
      if (parent instanceof DatabaseMetaData) { // others go with their statement
        leftOpen.add(found);
      }
      return child(ResultSet.class, parent, result);
    }
    return result instanceof DatabaseMetaData ? child(DatabaseMetaData.class, parent, result) : result;
  }

  private <T> T child(Class<T> type, Object parent, Object target) {
    return proxy(
        type,
        (self, method, arguments) -> {
          switch (method.getName()) {
            case "getConnection":
              requireOpen();
              return proxy;
            case "getStatement":
              Object statement = call(self, target, method, arguments);
              return statement == null || parent instanceof DatabaseMetaData ? null : parent;
            case "hashCode":
              return System.identityHashCode(self);
            case "equals":
              return self == arguments[0];
            case "close":
              leftOpen.remove(target);
              return call(self, target, method, arguments);
            case "unwrap":
              return call(self, target, method, arguments);
            default:
              return guard(self, call(self, target, method, arguments));
          }
        });
  }
}
