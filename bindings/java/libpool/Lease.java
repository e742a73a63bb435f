// SPDX-License-Identifier: MIT
package libpool;

import org.jspecify.annotations.Nullable;

/**
 * The right to use one connection until it is closed, best in a try-with-resources statement. Closing it gives the
 * connection back; once is enough, more often is harmless. Any thread may close it.
 *
 * @param <C> the kind of connection
 */
public final class Lease<C> extends Holding<C> implements AutoCloseable {
  Lease(Pool<C, ?> pool) {
    super(pool);
  }

  /**
   * The connection, always the same object.
   *
   * @return the connection
   * @throws IllegalStateException if the lease was closed
   *
   */
  public C conn() {
    if (peek() == 0) {
      throw stale();
    }
    return connection;
  }

  /** Gives the connection back: to the first waiter, or to be idle. */
  @Override
  public void close() {
    end(true, false);
  }

  /** The same as {@link #close()}, but the connection is closed and not lent again. */
  public void discard() {
    end(false, false);
  }

  /**
   * The same as {@link #discard()} for a connection that broke: the others may have lost the same server, so those that
   * are idle are checked, and until then not lent, where the pool has a checker.
   */
  public void discardBroken() {
    end(false, true);
  }

  /**
   * Notes what the lease is used for, until it is closed; {@link Pool#leases()} and events show it.
   *
   * @param tag a few words, or null for none
   * @throws IllegalStateException if the lease was closed
   */
  public void tag(@Nullable String tag) {
    long lease = peek();
    if (lease == 0) {
      throw stale();
    }
    Core.pool_tag(lease, tag == null ? null : Text.whole("the tag", tag));
  }

  private static IllegalStateException stale() {
    return new IllegalStateException(Core.pool_strerror(CoreConstants.POOL_E_STALE));
  }
}
