// SPDX-License-Identifier: MIT
package libpool;

import java.time.Duration;

/** Durations as the library counts them: in milliseconds, rounded up; -1 is for ever. */
final class Millis {
  private static final long PER_MS = 1_000_000;

  private Millis() {}

  static long of(Duration duration) {
    try {
      long ms = duration.toMillis();
      return ms >= 0 && duration.getNano() % PER_MS != 0 ? ms + 1 : ms;
    } catch (ArithmeticException e) {
      return -1; // longer than anybody can wait
    }
  }

  static long of(long ns) {
    return (ns + PER_MS - 1) / PER_MS;
  }
}
