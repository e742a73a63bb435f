// SPDX-License-Identifier: MIT
package libpool;

/**
 * Finds out whether a connection is still good.
 *
 * @param <C> the kind of connection
 */
@FunctionalInterface
public interface Checker<C> {
  /** Returns whether it is good; who throws means that it is not. */
  boolean check(C connection) throws Exception;
}
