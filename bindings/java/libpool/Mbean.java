// SPDX-License-Identifier: MIT
package libpool;

import java.lang.management.ManagementFactory;
import java.lang.ref.Cleaner;
import java.lang.ref.WeakReference;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.jspecify.annotations.Nullable;

/**
 * What is registered with JMX of a data source. JMX keeps what it knows, but not the data source: one that is dropped
 * without a close is collected and its name removed.
 */
final class Mbean implements Runnable {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final Cleaner CLEANER = Cleaner.create();

  private final MBeanServer server = ManagementFactory.getPlatformMBeanServer();
  private final ObjectName name;

  private Mbean(String pool) throws JMException {
    boolean isPlain = pool.chars().allMatch(c -> Character.isLetterOrDigit(c) || "._- ()".indexOf(c) >= 0) && !pool.isBlank();
    name = new ObjectName("libpool:type=Pool,name=" + (isPlain ? pool : ObjectName.quote(pool)));
  }

  /** Returns what removes it; null, after a warning, if it cannot be, for instance because another has the same name. */
  static Cleaner.@Nullable Cleanable register(PooledDataSource source, String pool) {
    try {
      Mbean made = new Mbean(pool);
      made.server.registerMBean(view(new WeakReference<>(source)), made.name);
      return CLEANER.register(source, made);
    } catch (JMException e) {
      LOG.log(System.Logger.Level.WARNING, () -> pool + ": was not registered with JMX", e);
      return null;
    }
  }

  private static Object view(WeakReference<PooledDataSource> source) {
    return Proxy.newProxyInstance(
        PoolMXBean.class.getClassLoader(),
        new Class<?>[] {PoolMXBean.class},
        (proxy, method, arguments) -> call(source.get(), method, arguments));
  }

  private static Object call(PooledDataSource source, Method method, Object[] arguments) throws Throwable {
    if (source == null) {
      throw new IllegalStateException("nobody has this pool any more");
    }
    try {
      return method.invoke(source, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  /** Runs once, for after that the name may be another's. */
  @Override
  public void run() {
    try {
      server.unregisterMBean(name);
    } catch (JMException e) {
      LOG.log(System.Logger.Level.WARNING, () -> name + ": was not removed from JMX", e);
    }
  }
}
