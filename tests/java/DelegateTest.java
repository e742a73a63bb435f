// SPDX-License-Identifier: MIT
package libpool;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.io.StringReader;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Array;
import java.sql.Blob;
import java.sql.CallableStatement;
import java.sql.Clob;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Struct;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.junit.jupiter.api.Test;

/** What the driver hears, and what its user gets of it, with a driver that notes each call. */
class DelegateTest {
  private final List<String> calls = Collections.synchronizedList(new ArrayList<>());
  private final Map<String, InvocationHandler> answers = new HashMap<>(); // by the names of methods
  private final Object[] given = new Object[1]; // the last argument of the last setter of a statement

  private <T> T stub(Class<T> type) {
    return type.cast(Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {type}, this::answer));
  }

  private Object answer(Object self, Method method, Object[] arguments) throws Throwable {
    String name = method.getName();
    InvocationHandler answer = answers.get(name);
    if (answer != null) {
      return answer.invoke(self, method, arguments);
    }
    if (self instanceof Statement || self instanceof ResultSet) {
      calls.add(name);
      given[0] = arguments == null ? null : arguments[arguments.length - 1];
    }
    Class<?> type = method.getReturnType();
    if (type == boolean.class) {
      return name.equals("equals") ? self == arguments[0] : name.equals("getAutoCommit") || name.equals("isValid");
    }
    if (type == int.class) {
      return name.equals("hashCode") ? System.identityHashCode(self) : 0;
    }
    return type.isInterface() && type.getPackageName().equals("java.sql") ? stub(type) : null;
  }

  private interface Body {
    void run() throws SQLException;
  }

  private static Callable<Void> task(Body body) {
    return () -> {
      body.run();
      return null;
    };
  }

  private PooledDataSource source() {
    var source = new PooledDataSource();
    source.setDataSource(stub(DataSource.class));
    source.setMaximumPoolSize(1);
    source.setMinimumIdle(0);
    answers.put("getConnection", (self, method, arguments) -> stub(Connection.class));
    return source;
  }

  @Test
  void aStatementIsClosedOnceAndTheNewestFirst() throws Exception {
    List<Object> made = new ArrayList<>();
    List<Integer> closed = new ArrayList<>();
    answers.put(
        "createStatement",
        (self, method, arguments) -> {
          made.add(stub(Statement.class));
          return made.get(made.size() - 1);
        });
    try (var source = source()) {
      Connection connection = source.getConnection();
      List<Statement> statements = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        statements.add(connection.createStatement());
      }
      answers.put(
          "close",
          (self, method, arguments) -> {
            for (int i = 0; i < made.size(); i++) {
              if (made.get(i) == self) {
                closed.add(i);
              }
            }
            return null;
          });
      for (int i : new int[] {2, 5, 0, 2}) { // from the middle, the newest, the oldest, and one again
        statements.get(i).close();
      }
      assertThrows(SQLException.class, () -> statements.get(2).execute("SELECT 1"));
      assertTrue(statements.get(2).isClosed());
      connection.close();
      for (Statement each : statements) {
        each.close(); // perhaps the next user's, where the driver keeps statements
      }
      assertEquals(List.of(2, 5, 0, 4, 3, 1), closed);
    }
  }

  @Test
  void resultsOfMetadataAndOfValuesAreClosedWithTheConnection() throws Exception {
    answers.put("getObject", (self, method, arguments) -> stub(ResultSet.class));
    try (var source = source()) {
      Connection connection = source.getConnection();
      CallableStatement statement = connection.prepareCall("{? = call cursor()}");
      ResultSet cursor = (ResultSet) statement.getObject(1);
      assertSame(statement, cursor.getStatement());
      ResultSet nested = statement.executeQuery().getObject(1, ResultSet.class);
      assertSame(statement, nested.getStatement());
      ResultSet tables = connection.getMetaData().getTables(null, null, null, null);
      assertNull(tables.getStatement());
      ResultSet elements = connection.createArrayOf("int", new Object[] {}).getResultSet();
      calls.clear();
      connection.close();
      assertEquals(List.of("close", "close", "close", "close", "close"), calls); // these four and the statement
      for (ResultSet each : List.of(cursor, nested, tables, elements)) {
        assertEquals("08003", assertThrows(SQLException.class, each::next).getSQLState());
      }
    }
  }

  private void holdCancels(CountDownLatch begun, CountDownLatch mayEnd) {
    answers.put(
        "cancel",
        (self, method, arguments) -> {
          begun.countDown();
          mayEnd.await();
          calls.add("cancelled");
          return null;
        });
  }

  @Test
  void aCancelUnderWayIsOverBeforeTheNextUserComes() throws Exception {
    var begun = new CountDownLatch(1);
    var mayEnd = new CountDownLatch(1);
    holdCancels(begun, mayEnd);
    try (var source = source()) {
      Connection connection = source.getConnection();
      Statement statement = connection.createStatement();
      var cancel = Threads.begin(task(statement::cancel));
      begun.await();
      var close = new FutureTask<>(task(connection::close));
      Thread closer = new Thread(close);
      closer.start();
      Fakes.until(() -> closer.getState() == Thread.State.TIMED_WAITING);
      assertTrue(connection.isClosed());
      assertThrows(SQLException.class, statement::cancel);
      assertEquals(List.of(), calls);
      mayEnd.countDown();
      cancel.get();
      close.get();
      assertEquals(List.of("cancelled", "close"), calls);
      source.getConnection().close();
    }
  }

  /** On a virtual thread that did not, the one that cancels might never have the carrier again. */
  @Test
  void anInterruptedCloseSleepsUntilACancelIsOver() throws Exception {
    var begun = new CountDownLatch(1);
    var mayEnd = new CountDownLatch(1);
    holdCancels(begun, mayEnd);
    try (var source = source()) {
      Connection connection = source.getConnection();
      Statement statement = connection.createStatement();
      var cancel = Threads.begin(task(statement::cancel));
      begun.await();
      var close =
          new FutureTask<>(
              () -> {
                Thread.currentThread().interrupt();
                connection.close();
                return Thread.interrupted();
              });
      Thread closer = new Thread(close);
      closer.start();
      Fakes.until(() -> closer.getState() == Thread.State.TIMED_WAITING);
      mayEnd.countDown();
      cancel.get();
      assertTrue(close.get());
    }
  }

  /** Ends a connection that another thread uses. */
  private interface Ending {
    void end(PooledDataSource source, Connection connection) throws SQLException;
  }

  private static final List<Ending> ENDINGS =
      List.of((source, connection) -> connection.abort(Runnable::run), PooledDataSource::evictConnection);

  /** A server that is gone holds up a cancel, and the end of its connection is what helps. */
  @Test
  void anAbortAndAnEvictionWaitForNoCancel() throws Exception {
    for (Ending each : ENDINGS) {
      var begun = new CountDownLatch(1);
      var mayEnd = new CountDownLatch(1);
      holdCancels(begun, mayEnd);
      try (var source = source()) {
        Connection connection = source.getConnection();
        Statement statement = connection.createStatement();
        var cancel = Threads.begin(task(statement::cancel));
        begun.await();
        Threads.begin(task(() -> each.end(source, connection))).get(60, TimeUnit.SECONDS);
        source.getConnection().close(); // another one
        mayEnd.countDown();
        cancel.get();
        assertEquals(2, source.stats().opened());
      }
    }
  }

  @Test
  void anAbortAndAnEvictionEndACloseThatHangs() throws Exception {
    for (Ending each : ENDINGS) {
      var begun = new CountDownLatch(1);
      var isGone = new CountDownLatch(1);
      answers.put(
          "rollback",
          (self, method, arguments) -> {
            begun.countDown();
            isGone.await();
            throw new SQLException("the server is gone", "08006");
          });
      InvocationHandler ends =
          (self, method, arguments) -> {
            isGone.countDown();
            return null;
          };
      answers.put("abort", ends);
      answers.put("close", ends);
      answers.put("getAutoCommit", (self, method, arguments) -> begun.getCount() == 0);
      try (var source = source()) {
        Connection connection = source.getConnection();
        connection.setAutoCommit(false);
        var close = Threads.begin(task(connection::close));
        begun.await();
        each.end(source, connection);
        close.get(60, TimeUnit.SECONDS);
        Connection next = source.getConnection();
        each.end(source, connection); // which was given back, so nothing happens
        assertFalse(next.isClosed());
        next.close();
        assertEquals(2, source.stats().opened());
      }
    }
  }

  @Test
  void whatIsMadeWhileTheConnectionIsClosedIsClosedAtOnce() throws Exception {
    try (var source = source()) {
      Connection connection = source.getConnection();
      answers.put(
          "createStatement",
          (self, method, arguments) -> {
            connection.close();
            return stub(Statement.class);
          });
      assertEquals("08003", assertThrows(SQLException.class, connection::createStatement).getSQLState());
      assertEquals(List.of("close"), calls);
    }
  }

  /** As with MariaDB, whose close and network timeout wait for a statement that runs. */
  @Test
  void anEvictionAbortsWhatACloseWouldWaitFor() throws Exception {
    var runs = new CountDownLatch(1);
    var isAborted = new CountDownLatch(1);
    InvocationHandler waits =
        (self, method, arguments) -> {
          runs.countDown();
          isAborted.await();
          return self instanceof Statement ? (Object) false : null;
        };
    answers.put("execute", waits);
    answers.put(
        "abort",
        (self, method, arguments) -> {
          isAborted.countDown();
          return null;
        });
    try (var source = source()) {
      Connection connection = source.getConnection();
      Statement statement = connection.createStatement();
      var call = Threads.begin(task(() -> statement.execute("SELECT SLEEP(1000)")));
      runs.await();
      answers.put("close", waits);
      answers.put("setNetworkTimeout", waits);
      source.evictConnection(connection);
      source.getConnection().close();
      call.get(60, TimeUnit.SECONDS);
    }
  }

  /** A server that is silent would hold up the statement for longer than its own timeout. */
  @Test
  void aTestQueryHasALimitWhereTheDriverKnowsOne() throws Exception {
    List<Object> limits = new ArrayList<>();
    answers.put("getNetworkTimeout", (self, method, arguments) -> 7);
    answers.put(
        "setNetworkTimeout",
        (self, method, arguments) -> {
          limits.add(arguments[1]);
          return null;
        });
    answers.put("execute", (self, method, arguments) -> limits.add("execute"));
    try (var source = source()) {
      source.setConnectionTestQuery("SELECT 1");
      source.setValidationTimeout(2_000);
      source.getConnection().close();
      assertEquals(List.of(2_000, "execute", 7), limits);
    }
    answers.put(
        "getNetworkTimeout",
        (self, method, arguments) -> {
          throw new AbstractMethodError("an old driver");
        });
    limits.clear();
    try (var source = source()) {
      source.setConnectionTestQuery("SELECT 1");
      source.getConnection().close();
      assertEquals(List.of("execute"), limits);
    }
  }

  /** Both note at one moment what is to be undone. */
  @Test
  void whatTwoThreadsSetIsSetBack() throws Exception {
    Map<String, Object> set = new ConcurrentHashMap<>(Map.of("Schema", "own", "Catalog", "own"));
    var asked = new AtomicInteger();
    for (String each : set.keySet()) {
      answers.put(
          "get" + each,
          (self, method, arguments) -> {
            asked.incrementAndGet();
            while (asked.get() % 2 == 1) { // for the other; a thread that slept would be late
              Thread.yield();
            }
            return set.get(each);
          });
      answers.put("set" + each, (self, method, arguments) -> set.put(each, arguments[0]));
    }
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (var source = source()) {
      for (int i = 0; i < 10_000; i++) {
        try (Connection connection = source.getConnection()) {
          var bodies = List.of(task(() -> connection.setSchema("other")), task(() -> connection.setCatalog("other")));
          for (var each : threads.invokeAll(bodies)) {
            each.get();
          }
        }
        assertEquals(Map.of("Schema", "own", "Catalog", "own"), set);
      }
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void theDriverGetsItsOwnObjectsBack() throws Exception {
    List<Object> own = new ArrayList<>();
    for (String each : new String[] {"createArrayOf", "createBlob", "createStruct"}) {
      answers.put(
          each,
          (self, method, arguments) -> {
            own.add(stub(method.getReturnType()));
            given[0] = arguments == null ? null : arguments[1];
            return own.get(own.size() - 1);
          });
    }
    try (var source = source();
        Connection connection = source.getConnection()) {
      PreparedStatement statement = connection.prepareStatement("INSERT");
      Array array = connection.createArrayOf("int", new Object[] {1});
      Blob blob = connection.createBlob();
      statement.setArray(1, array);
      assertSame(own.get(0), given[0]);
      statement.setBlob(1, blob);
      assertSame(own.get(1), given[0]);
      statement.setObject(1, blob);
      assertSame(own.get(1), given[0]);
      Object[] attributes = {7, array, new Object[] {blob}};
      connection.createStruct("pair", attributes);
      assertArrayEquals(new Object[] {7, own.get(0), new Object[] {own.get(1)}}, (Object[]) given[0]);
      assertSame(array, attributes[1]);
    }
  }

  @Test
  void valuesWithinValuesAreGuardedToo() throws Exception {
    Object[] attributes = {"text", stub(Clob.class)};
    answers.put("getAttributes", (self, method, arguments) -> attributes);
    answers.put("getObject", (self, method, arguments) -> stub(Struct.class));
    answers.put("getBinaryStream", (self, method, arguments) -> new ByteArrayInputStream(new byte[] {1, 2}));
    answers.put("getCharacterStream", (self, method, arguments) -> new StringReader("text"));
    try (var source = source()) {
      Connection connection = source.getConnection();
      ResultSet result = connection.createStatement().executeQuery("SELECT");
      Object[] found = ((Struct) result.getObject(1)).getAttributes();
      Clob clob = (Clob) found[1];
      InputStream bytes = result.getBinaryStream(1);
      Reader characters = clob.getCharacterStream();
      assertEquals("text", found[0]);
      assertEquals(1, bytes.read());
      assertEquals('t', characters.read());
      connection.close();
      assertThrows(SQLException.class, clob::length);
      assertThrows(IOException.class, bytes::read);
      assertThrows(IOException.class, characters::read);
      bytes.close();
      characters.close();
      clob.free();
    }
  }

  /** Gets a connection in each frame and gives it back; every third one is left to the frame's end. */
  private static void dig(PooledDataSource source, Connection[] got, int depth) throws SQLException {
    got[depth] = source.getConnection();
    if (depth % 3 != 0) {
      got[depth].close();
    }
    dig(source, got, depth + 1);
  }

  private static void digBelow(int frames, PooledDataSource source, Connection[] got) throws SQLException {
    if (frames > 0) {
      digBelow(frames - 1, source, got);
    } else {
      dig(source, got, 0);
    }
  }

  @Test
  void aStackOverflowLosesNoConnection() throws Exception {
    try (var source = source()) {
      source.setMaximumPoolSize(10_000);
      source.getConnection().close();
      GetTest.overflow(
          40,
          frames -> {
            var got = new Connection[10_000];
            try {
              digBelow(frames, source, got);
            } finally {
              for (int i = 0; i < got.length && got[i] != null; i++) {
                got[i].close();
              }
            }
          });
      nothingIsLost(source);
    }
  }

  private static void nothingIsLost(PooledDataSource source) throws InterruptedException {
    source.flush(); // what was left behind is seen to at the latest now
    Fakes.until(() -> source.stats().leased() + source.stats().opening() == 0);
  }

  /** Gets a connection in each frame and gives it back. */
  private static void pass(int frames, PooledDataSource source, Connection[] got) throws SQLException {
    if (frames <= 0) {
      got[0] = source.getConnection();
      got[0].close();
    }
    pass(frames - 1, source, got);
  }

  /** Which is told when the get has its connection, and needs more stack than that. */
  @Test
  void aStackOverflowOfATrackerLosesNoConnection() throws Exception {
    var deep =
        new Tracker() {
          @Override
          public void acquired(long ns) {
            descend(8);
          }

          private void descend(int frames) {
            if (frames > 0) {
              descend(frames - 1);
            }
          }
        };
    try (var source = source()) {
      source.addTracker(deep);
      source.setConnectionTimeout(5_000);
      source.getConnection().close();
      GetTest.overflow(
          200,
          frames -> {
            var got = new Connection[1];
            try {
              pass(frames, source, got);
            } finally { // a close that had no stack at all may be called once more
              got[0].close();
            }
          });
      nothingIsLost(source);
    }
  }
}
