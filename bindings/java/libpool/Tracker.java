// SPDX-License-Identifier: MIT
package libpool;

/**
 * Is told what happens in a {@link PooledDataSource}, each time and at once, in the thread in which it happens; so it has
 * to be quick. What it throws is logged. As long as a data source has one, its gets and closes look at the clock, which
 * costs more than all the rest of them.
 */
public interface Tracker {
  /**
   * A get has got a connection.
   *
   * @param ns how long that took
   */
  default void acquired(long ns) {}

  /**
   * A get has got none because its time was over.
   *
   * @param ns how long it waited
   */
  default void timedOut(long ns) {}

  /**
   * A get has got none for another reason.
   *
   * @param ns how long that took
   */
  default void failed(long ns) {}

  /**
   * A connection was given back.
   *
   * @param ns how long it was out
   */
  default void used(long ns) {}

  /**
   * A connection was opened.
   *
   * @param ns how long that took
   */
  default void opened(long ns) {}

  /** The data source is closed; this may still be told of connections that come back. */
  default void closed() {}
}
