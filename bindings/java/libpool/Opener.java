// SPDX-License-Identifier: MIT
package libpool;

/**
 * Opens a connection.
 *
 * @param <C> the kind of connection
 * @param <X> what it may throw, which then is what a get throws
 */
@FunctionalInterface
public interface Opener<C, X extends Exception> {
  /**
   * Returns a new connection, never null. Runs in a thread of the pool; the initial ones are opened by the thread that builds it.
   *
   * @return the pool
   * @throws X if it cannot be opened
   */
  C open() throws X;
}
