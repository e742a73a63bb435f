// SPDX-License-Identifier: MIT
package libpool;

import org.jspecify.annotations.Nullable;

/**
 * Tells the flight recorder of the JDK, where there is one, what takes time or goes wrong in a pool. A get that is served
 * at once does not come here, and where nothing is recorded a question about it costs a nanosecond.
 */
final class Flight {
  /** The classes of the events are loaded here, before the stack or memory may be too short for it. */
  private static final boolean IS_THERE =
      ModuleLayer.boot().findModule("jdk.jfr").isPresent() && FlightEvents.areThere();

  private Flight() {}

  /** Whether there may be something to tell. */
  static boolean isThere() {
    return IS_THERE;
  }

  /** Returns null if it is not recorded. */
  static @Nullable Object beginWait() {
    return IS_THERE ? FlightEvents.beginWait() : null;
  }

  /** Never throws, for what is told is done already. */
  static void endWait(Object wait, String pool, @Nullable String outcome) {
    try {
      FlightEvents.endWait(wait, pool, outcome);
    } catch (Throwable e) {
      // memory or the stack is short
    }
  }

  static <C, X extends Exception> C open(Opener<C, X> opener, String pool) throws X {
    Object open = IS_THERE ? FlightEvents.beginOpen() : null;
    if (open == null) {
      return opener.open();
    }
    String failure = null;
    try {
      return opener.open();
    } catch (Throwable e) {
      failure = e.getClass().getName();
      throw e;
    } finally {
      endOpen(open, pool, failure);
    }
  }

  private static void endOpen(Object open, String pool, @Nullable String failure) {
    try {
      FlightEvents.endOpen(open, pool, failure);
    } catch (Throwable e) {
      // memory or the stack is short
    }
  }

  static void timeout(String pool, String message) {
    if (IS_THERE) {
      FlightEvents.timeout(pool, message);
    }
  }

  static void leak(Leak leak) {
    if (IS_THERE) {
      FlightEvents.leak(leak);
    }
  }
}
