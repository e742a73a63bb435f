// SPDX-License-Identifier: MIT
package libpool;

/**
 * Closes a connection.
 *
 * @param <C> the kind of connection
 */
@FunctionalInterface
public interface Closer<C> {
  /**
   * Closes it. Its place is free afterwards in any case; what is thrown is logged and counted.
   *
   * @param connection the connection
   * @throws Exception what it likes
   */
  void close(C connection) throws Exception;
}
