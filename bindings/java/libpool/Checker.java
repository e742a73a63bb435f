// SPDX-License-Identifier: MIT
package libpool;

/**
 * Finds out whether a connection is still good.
 *
 * @param <C> the kind of connection
 */
@FunctionalInterface
public interface Checker<C> {
  /**
   * Returns whether it is good; an exception means that it is not.
   *
   * @param connection the connection
   * @return whether it is good
   * @throws Exception what it likes
   */
  boolean check(C connection) throws Exception;
}
