// SPDX-License-Identifier: MIT
package libpool;

import static java.lang.reflect.Proxy.newProxyInstance;

import java.lang.reflect.InvocationTargetException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcDataSource;

/** A database in memory whose opens wait at a gate, or fail. */
final class GatedSource {
  private final JdbcDataSource h2 = new JdbcDataSource();
  private volatile CountDownLatch gate = new CountDownLatch(0);
  private final AtomicInteger held = new AtomicInteger();
  private volatile SQLException failure;

  /** The first open of all, which loads many classes, is over then. */
  GatedSource() throws SQLException {
    h2.setUrl("jdbc:h2:mem:");
    h2.getConnection().close();
  }

  void shut() {
    gate = new CountDownLatch(1);
  }

  void open() {
    gate.countDown();
  }

  void fail(SQLException failure) {
    this.failure = failure;
  }

  /** A pool over it that opens nothing by itself. */
  PooledDataSource pool(String name, int maximumPoolSize) {
    PooledDataSource pool = new PooledDataSource();
    pool.setDataSource(
        (DataSource)
            newProxyInstance(
                DataSource.class.getClassLoader(),
                new Class<?>[] {DataSource.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("getConnection")) {
                    return connect();
                  }
                  try {
                    return method.invoke(h2, arguments);
                  } catch (InvocationTargetException e) {
                    throw e.getCause();
                  }
                }));
    pool.setPoolName(name);
    pool.setMaximumPoolSize(maximumPoolSize);
    pool.setMinimumIdle(0);
    return pool;
  }

  private Connection connect() throws Exception {
    held.incrementAndGet();
    gate.await();
    held.decrementAndGet();
    if (failure != null) {
      throw failure;
    }
    return h2.getConnection();
  }

  /** A get in a thread of its own. */
  static CompletableFuture<Connection> get(PooledDataSource source) {
    CompletableFuture<Connection> got = new CompletableFuture<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                got.complete(source.getConnection());
              } catch (Throwable e) {
                got.completeExceptionally(e);
              }
            });
    thread.setDaemon(true);
    thread.start();
    return got;
  }

  static Connection take(CompletableFuture<Connection> got) throws Exception {
    try {
      return got.get(60, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw e.getCause() instanceof Exception cause ? cause : e;
    }
  }

  /** Lets some time of an open go by that waits at the gate, and returns how much at the least. */
  double secondsOfAnOpen() throws InterruptedException {
    Fakes.until(() -> held.get() > 0);
    return seconds();
  }

  /** Lets some time go by, and returns how much at the least. */
  static double seconds() throws InterruptedException {
    long since = System.nanoTime();
    Fakes.until(() -> System.nanoTime() - since >= TimeUnit.MILLISECONDS.toNanos(20));
    return .02;
  }
}
