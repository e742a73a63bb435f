// SPDX-License-Identifier: MIT
package libpool;

import java.util.concurrent.TimeUnit;

/**
 * The threads of one pool that open, check and close, so that no thread of the program has to wait for a server. They
 * are daemons, begin when there is something to do and end soon after it. They know nothing of the pool but its name.
 *
 * <p>They are threads of the system, though a newer Java has virtual ones. Those need a carrier, and all carriers may be held by
 * what waits for them: a virtual thread keeps its carrier while it waits in the initializer of a class or below native code.
 */
final class Workers {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final long LINGERS_MS = 1000;
  private static final int FEW = 16;

  private final String name;
  private final ClassLoader loader = Thread.currentThread().getContextClassLoader(); // of the one who makes the pool
  private final Works works = new Works(); // that no thread has yet; guarded by itself
  private int idle; // threads that wait for one; guarded by works
  private final Few closes = new Few();
  private final Few returns = new Few(); // these are apart, because all of those that close may hang
  private final Few aborts = new Few();

  /** In order. Where stack or memory is short, one is put in or it is not: no more than that can go wrong. */
  private static final class Works {
    private static final class Node {
      private final Runnable work;
      private Node next;

      private Node(Runnable work) {
        this.work = work;
      }
    }

    private Node first; // null: there is none
    private Node last;
    private int size;

    private void add(Runnable work) {
      Node node = new Node(work);
      if (first == null) {
        first = node;
      } else {
        last.next = node;
      }
      last = node;
      size++;
    }

    /** Null: there is none. */
    private Runnable poll() {
      Node node = first;
      if (node == null) {
        return null;
      }
      first = node.next;
      last = first == null ? null : last; // so that nothing refers to what is done
      size--;
      return node.work;
    }

    private boolean remove(Runnable work) {
      Node before = null;
      for (Node node = first; node != null; before = node, node = node.next) {
        if (node.work == work) {
          first = before == null ? node.next : first;
          last = node == last ? before : last;
          if (before != null) {
            before.next = node.next;
          }
          size--;
          return true;
        }
      }
      return false;
    }
  }

  Workers(String name) {
    this.name = "libpool-" + name;
  }

  /**
   * Does it in a thread of the pool; where there is no memory for one, at once. What throws a StackOverflowError here may
   * be done all the same, or not.
   */
  void run(Runnable work) {
    try {
      if (!isTaken(work)) {
        start();
      }
    } catch (OutOfMemoryError e) {
      LOG.log(System.Logger.Level.WARNING, () -> name + ": no thread could be started", e);
      if (takeBack(work)) {
        work.run();
      }
    }
  }

  /** It has nothing of the thread that needs it first. */
  private void start() {
    Thread thread = new Thread(null, this::workAll, name, 0, false);
    thread.setContextClassLoader(loader);
    thread.setDaemon(true);
    thread.start();
  }

  private boolean isTaken(Runnable work) {
    Stack.requireForThread();
    synchronized (works) {
      works.add(work);
      if (works.size > idle) {
        return false;
      }
      works.notify();
      return true;
    }
  }

  private boolean takeBack(Runnable work) {
    synchronized (works) {
      return works.remove(work);
    }
  }

  private void workAll() {
    for (Runnable next; (next = nextWork()) != null; ) {
      runSafely(next);
    }
  }

  private void runSafely(Runnable work) {
    try {
      work.run();
    } catch (Throwable e) { // memory is short, perhaps; the others shall be done
      warn(e);
    }
    Thread.interrupted(); // a connection may have interrupted its thread; that is not about the next
  }

  private void warn(Throwable e) {
    try {
      LOG.log(System.Logger.Level.WARNING, () -> name + ": what was due could not be done", e);
    } catch (Throwable again) {
      // then nobody reads of it
    }
  }

  /** Null: there was none for a while. */
  private Runnable nextWork() {
    synchronized (works) {
      idle++;
      long until = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LINGERS_MS);
      for (long leftMs = LINGERS_MS; works.first == null && leftMs > 0; ) {
        try {
          works.wait(leftMs);
        } catch (InterruptedException e) {
          // nobody has a reason to
        }
        leftMs = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime());
      }
      idle--;
      return works.poll();
    }
  }

  /** The same for a close. */
  void close(Runnable work) {
    closes.run(work);
  }

  /** The same for a reset, or for a lease that nobody wants. */
  void giveBack(Runnable work) {
    returns.run(work);
  }

  /** The same for the abort of a connection. */
  void abort(Runnable work) {
    aborts.run(work);
  }

  /** Some of the threads, which share work that may come all at once. */
  private final class Few {
    private final Works works = new Works(); // guarded by itself
    private int threads; // guarded by works

    private void run(Runnable work) {
      synchronized (works) {
        works.add(work);
        if (threads == FEW) {
          return;
        }
        threads++;
      }
      try {
        Workers.this.run(this::runAll);
      } catch (Throwable e) {
        synchronized (works) {
          threads--; // the next one sees to this one, too
        }
        throw e;
      }
    }

    private void runAll() {
      for (Runnable next; (next = next()) != null; ) {
        runSafely(next);
      }
    }

    private Runnable next() {
      synchronized (works) {
        Runnable next = works.poll();
        threads -= next == null ? 1 : 0;
        return next;
      }
    }
  }
}
