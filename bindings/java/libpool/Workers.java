// SPDX-License-Identifier: MIT
package libpool;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The threads of one pool that open, check and close, so that no thread of the program has to wait for a server. They
 * are daemons, begin when there is something to do and end soon after it. They know nothing of the pool but its name.
 *
 * <p>Virtual threads are taken from Java 24 on: before, a driver that waits in a synchronized block would hold on to the
 * carrier of a virtual thread, and with it hold up the program's own virtual threads.
 */
final class Workers {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final int FIRST_UNPINNED = 24;
  private static final long LINGERS_S = 1;
  private static final int CLOSERS = 16;
  private static final MethodHandle VIRTUAL = Runtime.version().feature() >= FIRST_UNPINNED ? virtual() : null;

  private final String name;
  private final ClassLoader loader = Thread.currentThread().getContextClassLoader(); // of the one who makes the pool
  private final ThreadPoolExecutor platform; // null: threads are virtual
  private final Queue<Runnable> closes = new ArrayDeque<>(); // guarded by itself
  private int closers; // guarded by closes

  Workers(String name) {
    this.name = "libpool-" + name;
    platform =
        VIRTUAL != null
            ? null
            : new ThreadPoolExecutor(
                0, Integer.MAX_VALUE, LINGERS_S, TimeUnit.SECONDS, new SynchronousQueue<>(), this::thread);
  }

  /** Makes a virtual thread of a name and what it does; null: there are none. */
  private static MethodHandle virtual() {
    try {
      Class<?> builder = Class.forName("java.lang.Thread$Builder");
      Class<?> ofVirtual = Class.forName("java.lang.Thread$Builder$OfVirtual");
      MethodHandles.Lookup lookup = MethodHandles.publicLookup();
      Object begun = lookup.findStatic(Thread.class, "ofVirtual", MethodType.methodType(ofVirtual)).invoke();
      Object bare =
          lookup
              .findVirtual(builder, "inheritInheritableThreadLocals", MethodType.methodType(builder, boolean.class))
              .invoke(begun, false);
      return lookup.findVirtual(builder, "unstarted", MethodType.methodType(Thread.class, Runnable.class)).bindTo(bare);
    } catch (Throwable e) {
      return null;
    }
  }

  /** It has nothing of the thread that needs it first. */
  private Thread thread(Runnable work) {
    Thread thread = new Thread(null, work, name, 0, false);
    thread.setContextClassLoader(loader);
    thread.setDaemon(true);
    return thread;
  }

  /** Does it in a thread of the pool; where there is none to be had, at once. It may throw nothing but errors. */
  void run(Runnable work) {
    try {
      if (platform != null) {
        platform.execute(work);
      } else {
        startVirtual(work);
      }
    } catch (Throwable e) { // no memory for a thread
      LOG.log(System.Logger.Level.WARNING, () -> name + ": no thread could be started", e);
      work.run();
    }
  }

  private void startVirtual(Runnable work) throws Throwable {
    Thread thread = (Thread) VIRTUAL.invokeExact(work);
    thread.setName(name);
    thread.setContextClassLoader(loader);
    thread.start();
  }

  /** The same for a close or reset, of which there may be many at once: they share a few threads. */
  void close(Runnable work) {
    synchronized (closes) {
      closes.add(work);
      if (closers == CLOSERS) {
        return;
      }
      closers++;
    }
    run(this::closeAll);
  }

  private void closeAll() {
    for (Runnable next; (next = nextClose()) != null; ) {
      try {
        next.run();
      } catch (Throwable e) { // memory is short, perhaps; the others shall be closed
        LOG.log(System.Logger.Level.WARNING, () -> name + ": a connection could not be closed", e);
      }
      Thread.interrupted(); // a connection may have interrupted its thread; that is not about the next
    }
  }

  private Runnable nextClose() {
    synchronized (closes) {
      Runnable next = closes.poll();
      closers -= next == null ? 1 : 0;
      return next;
    }
  }
}
