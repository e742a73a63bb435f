// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;

/** A data source over a driver whose methods fail in every way. */
class HostileTest {
  private final AtomicInteger opened = new AtomicInteger();
  private final AtomicInteger closed = new AtomicInteger();
  private volatile Set<String> failing = Set.of();
  private volatile Throwable failure;

  private <T> T stub(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(HostileTest.class.getClassLoader(), new Class<?>[] {type}, handler));
  }

  private Object answer(Object self, Method method, Object[] arguments) throws Throwable {
    String name = method.getName();
    if (name.equals("close") && self instanceof Connection) {
      closed.incrementAndGet();
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
      assertThrows(IllegalStateException.class, () -> source.setMaximumPoolSize(3));
      assertTrue(source.stats().openFailures() > 0);
    }
    try (var source = new PooledDataSource()) {
      assertThrows(IllegalStateException.class, source::pause);
    }
  }
}
