// SPDX-License-Identifier: MIT
package libpool;

/**
 * The JDK may be cut short by the end of the stack while it starts a thread. What all virtual threads share is of no use
 * after that. So a caller that is about to start one first goes down as far as that may go: if the stack ends there,
 * nothing has happened.
 */
final class Stack {
  private static final int FRAMES = 256;
  static volatile long end; // so that the numbers below are needed

  private Stack() {}

  /** Throws a StackOverflowError where a thread must not be started. */
  static void require() {
    end = dive(FRAMES, 1, 2, 3, 4, 5, 6, 7);
  }

  /** All numbers are used after the call, so they stand in the frame, compiled or not. */
  private static long dive(int more, long a, long b, long c, long d, long e, long f, long g) {
    long below = more == 0 ? end : dive(more - 1, b, c, d, e, f, g, a);
    return below + a * b + c * d + e * f + g;
  }
}
