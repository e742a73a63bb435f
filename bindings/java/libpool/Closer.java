// SPDX-License-Identifier: MIT
package libpool;

/**
 * Closes a connection.
 *
 * @param <C> the kind of connection
 */
@FunctionalInterface
public interface Closer<C> {
  /** Closes it. Its place is free afterwards in any case; what is thrown is logged and counted. */
  void close(C connection) throws Exception;
}
