// SPDX-License-Identifier: MIT
package libpool;

/**
 * What must not be cut short by the end of the stack is not begun where that is near. A caller first goes down as far as
 * what follows may go: if the stack ends there, nothing has happened.
 */
final class Stack {
  private static final int THREAD_FRAMES = 256;
  private static final int GET_FRAMES = 64; // so that what a get has found is enough for the close
  private static final int CLOSE_FRAMES = 32;
  static volatile long end; // so that the numbers below are needed

  private Stack() {}

  /**
   * Throws a StackOverflowError where a thread must not be started: what all virtual threads share is of no use after a
   * start that was cut short.
   */
  static void requireForThread() {
    end = dive(THREAD_FRAMES, 1, 2, 3, 4, 5, 6, 7);
  }

  /** The same where a lease could be taken and then be nobody's. */
  static void requireForGet() {
    end = dive(GET_FRAMES, 1, 2, 3, 4, 5, 6, 7);
  }

  /** The same where a lease could be ended, and its connection not be given back. */
  static void requireForClose() {
    end = dive(CLOSE_FRAMES, 1, 2, 3, 4, 5, 6, 7);
  }

  /** All numbers are used after the call, so they stand in the frame, compiled or not. */
  private static long dive(int more, long a, long b, long c, long d, long e, long f, long g) {
    long below = more == 0 ? end : dive(more - 1, b, c, d, e, f, g, a);
    return below + a * b + c * d + e * f + g;
  }
}
