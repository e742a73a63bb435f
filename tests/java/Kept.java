// SPDX-License-Identifier: MIT
package libpool;

import java.lang.reflect.Proxy;
import java.sql.Connection;
import java.time.Duration;
import javax.sql.DataSource;

/** An application with a class loader of its own, which keeps what it has closed. */
public final class Kept {
  private static AutoCloseable kept;
  private static Connection leaked;

  private Kept() {}

  public static void aPool() throws Exception {
    Pool<Object, RuntimeException> pool = Pool.builder(Object::new).minIdle(1).idleTimeout(Duration.ofHours(1)).build();
    kept = pool;
    pool.get().close();
  }

  public static void aPoolWithLeases() throws Exception {
    Pool<Object, RuntimeException> pool = Pool.builder(Object::new).build();
    kept = pool;
    try (var lease = pool.get()) {
      pool.close(Duration.ZERO);
      lease.tag("out");
    }
  }

  public static void aGroup() throws Exception {
    Group<Object, RuntimeException> group = Group.builder(key -> new Object()).build();
    kept = group;
    group.get("key").close();
  }

  public static void aDriverPool() throws Exception {
    DriverPool pool = DriverPool.open("jsonrpc", System.getProperty("libpool.address"));
    kept = pool;
    try (var lease = pool.get()) {
      lease.call("Echo", new byte[] {'1'});
    }
  }

  public static void aDataSource() throws Exception {
    source().getConnection().close();
  }

  public static void aDataSourceWithALeak() throws Exception {
    leaked = source().getConnection();
  }

  private static PooledDataSource source() {
    PooledDataSource source = new PooledDataSource();
    kept = source;
    source.setRegisterMbeans(true);
    source.setLeakDetectionThreshold(60_000);
    source.setCloseGrace(0);
    source.setDataSource(driver());
    return source;
  }

  private static DataSource driver() {
    return (DataSource)
        Proxy.newProxyInstance(
            Kept.class.getClassLoader(),
            new Class<?>[] {DataSource.class, Connection.class},
            (self, method, arguments) -> {
              Class<?> type = method.getReturnType();
              return type == Connection.class ? self : type == boolean.class ? (Object) false : null;
            });
  }

  public static void close() throws Exception {
    kept.close();
  }
}
