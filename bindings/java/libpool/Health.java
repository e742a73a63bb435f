// SPDX-License-Identifier: MIT
package libpool;

/**
 * How a pool is.
 *
 * @param state the word
 * @param reason a line for people: the word, the cause, how many connections there are, and the oldest lease
 */
public record Health(State state, String reason) {
  /** The four words. */
  public enum State {
    /** No get has to wait. */
    HEALTHY,
    /** Gets wait, and connections come back. */
    BUSY,
    /** Gets want a connection, and none came back for too long. */
    STUCK,
    /** Opens fail and no connection is left, or the pool is closed. */
    DOWN
  }

  /** @param text the number of the word, and behind it the line */
  static Health of(String text) {
    return new Health(State.values()[text.charAt(0) - '0'], text.substring(1));
  }
}
