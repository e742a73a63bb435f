// SPDX-License-Identifier: MIT
package libpool;

/**
 * Makes a connection clean for its next user.
 *
 * @param <C> the kind of connection
 */
@FunctionalInterface
public interface Resetter<C> {
  /**
   * Runs when a lease ends, on the thread that ends it. If it throws, the connection is closed.
   *
   * @param connection the connection
   * @throws Exception what it likes
   */
  void reset(C connection) throws Exception;
}
