// SPDX-License-Identifier: MIT
package libpool;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The right to use one connection until it is closed, best in a try-with-resources statement. Closing it gives the
 * connection back; once is enough, more often is harmless. Any thread may close it.
 *
 * @param <C> the kind of connection
 */
public final class Lease<C> implements AutoCloseable {
  private static final VarHandle NUMBER;

  static {
    try {
      NUMBER = MethodHandles.lookup().findVarHandle(Lease.class, "number", long.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Pool<C, ?> pool;
  C connection; // this and the following are set by the get, before anybody else knows the lease
  long number; // 0: ended
  Watch watch; // null: nobody looks for leaks

  Lease(Pool<C, ?> pool) {
    this.pool = pool;
  }

  /**
   * The connection, always the same object.
   *
   * @throws IllegalStateException if the lease was closed
   */
  public C conn() {
    if ((long) NUMBER.getOpaque(this) == 0) {
      throw stale();
    }
    return connection;
  }

  /** The same for a wrapper of it, which knows by itself whether it was closed; null if the lease was. */
  C peek() {
    return connection;
  }

  /** Gives the connection back: to the first who waits, or to be idle. */
  @Override
  public void close() {
    end(true);
  }

  /** The same as {@link #close()}, but the connection is closed and not lent again. */
  public void discard() {
    end(false);
  }

  /**
   * The same as {@link #discard()} for a connection that broke: the others may have lost the same server, so those that
   * are idle are checked, and until then not lent, where the pool has a checker.
   */
  public void discardBroken() {
    long lease = takeAlone();
    if (lease != 0) {
      forget();
      pool.putBroken(lease);
    }
  }

  /**
   * Notes what the lease is used for, until it is closed; {@link Pool#leases()} and events show it.
   *
   * @param tag a few words, or null for none
   * @throws IllegalStateException if the lease was closed
   */
  public void tag(String tag) {
    long lease = (long) NUMBER.getOpaque(this);
    if (lease == 0) {
      throw stale();
    }
    Core.pool_tag(lease, tag);
  }

  private void end(boolean usable) {
    long lease = usable && !pool.looksForLeaks() ? take() : takeAlone();
    if (lease == 0) {
      return;
    }
    try {
      forget();
      pool.put(lease, usable);
    } catch (StackOverflowError e) {
      number = lease; // it may be closed once more, which does no harm if it has ended after all
      throw e;
    }
  }

  private void forget() {
    connection = null;
    if (watch != null) {
      watch.end();
    }
  }

  /** If two do this at one moment both may get it, and the library refuses the second. An atomic swap costs more. */
  private long take() {
    long lease = (long) NUMBER.getOpaque(this);
    NUMBER.setOpaque(this, 0L);
    return lease;
  }

  /** Where leaks are looked for, only one may end that. */
  private long takeAlone() {
    return (long) NUMBER.getAndSet(this, 0L);
  }

  private static IllegalStateException stale() {
    return new IllegalStateException(Core.pool_strerror(CoreConstants.POOL_E_STALE));
  }
}
