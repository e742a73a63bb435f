// SPDX-License-Identifier: MIT
package libpool;

/**
 * Opens a connection of a key of a {@link Group}. Since 0.1.
 *
 * @param <C> the kind of connection
 * @param <X> what it may throw, which then is what a get throws
 */
@FunctionalInterface
public interface KeyedOpener<C, X extends Exception> {
  /**
   * Returns a new connection, never null. Runs in a thread of the key's pool.
   *
   * @param key the key
   * @return the connection
   * @throws X if it cannot be opened
   */
  C open(String key) throws X;
}
