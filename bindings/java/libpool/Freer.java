// SPDX-License-Identifier: MIT
package libpool;

import java.lang.reflect.Modifier;
import java.util.Arrays;

/**
 * Gives up the native pool when nobody can use its object any more. Connections that it has still are closed, with the
 * pool's closer if that knows nothing that could know the pool: else the pool would never be given up. With another
 * closer they are closed if they are AutoCloseable.
 */
final class Freer implements Runnable {
  private static final System.Logger LOG = System.getLogger("libpool");

  private final long handle;
  private final String name;
  private volatile boolean closed;
  private volatile Keeper keeper; // null: the pool has none
  private volatile boolean mayListen; // a thread of the pool's own
  private volatile Workers workers; // null: others open and close
  private volatile Closer<Object> closer;
  private volatile Mail.Subscription subscription; // of a pool with a driver; else null

  Freer(long handle, String name) {
    this.handle = handle;
    this.name = name;
  }

  /** It is closed in time. */
  void close() {
    closed = true;
  }

  /** The object goes, and another has the pool. */
  void leaveAlone() {
    closed = true;
    keeper = null;
    workers = null;
  }

  /** It ends with the pool. */
  void setKeeper(Keeper keeper, boolean mayListen) {
    this.keeper = keeper;
    this.mayListen = mayListen;
  }

  void endsWith(Mail.Subscription subscription) {
    this.subscription = subscription;
  }

  @SuppressWarnings("unchecked") // it gets what the pool's opener returned
  void closesWith(Workers workers, Closer<?> closer) {
    this.closer = knowsNothing(closer) ? (Closer<Object>) closer : PoolBuilder::closeIfPossible;
    this.workers = workers;
  }

  private static boolean knowsNothing(Object lambda) {
    for (Class<?> type = lambda.getClass(); type != Object.class; type = type.getSuperclass()) {
      if (!Arrays.stream(type.getDeclaredFields()).allMatch(field -> Modifier.isStatic(field.getModifiers()))) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void run() {
    if (keeper != null) {
      keeper.end();
    }
    if (!closed) {
      LOG.log(System.Logger.Level.WARNING, "{0}: nobody has this pool any more, and it was never closed", name);
    }
    if (keeper != null && mayListen) {
      Step.ring(handle); // its listener ends
    }
    if (subscription != null) {
      subscription.end();
    }
    try {
      if (workers != null) {
        closeAll();
      }
    } finally {
      Core.pool_free(handle);
    }
  }

  /** Nobody else uses the pool; so what is closed is out of it before it is closed in a thread of the pool. */
  private void closeAll() {
    Core.pool_close(handle, 0);
    for (LeaseInfo lost : Step.leases(handle)) {
      Core.pool_mark_unusable(lost.lease()); // so that it needs no reset
      close(Step.of(Step.end(lost.lease())));
    }
    for (Step step = next(); step.result > 0; step = next()) {
      close(step);
    }
  }

  private Step next() {
    return Step.of(Step.next(handle));
  }

  private void close(Step step) {
    if (step.work != Step.CLOSE) {
      return;
    }
    Object connection = Table.take(step.claim);
    close(Step.of(Step.done(step.claim)));
    Closer<Object> closer = this.closer;
    workers.close(() -> closeOne(closer, connection));
  }

  private void closeOne(Closer<Object> closer, Object connection) {
    try {
      closer.close(connection);
    } catch (Throwable e) {
      LOG.log(System.Logger.Level.WARNING, () -> name + ": a connection could not be closed", e);
    }
  }
}
