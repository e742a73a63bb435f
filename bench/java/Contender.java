// SPDX-License-Identifier: MIT
package bench;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;

/** Somebody who lends connections. Each has a loop of its own, so that its calls are compiled for it alone. */
abstract class Contender implements AutoCloseable {
  private final boolean yields;

  /** @param yields whether whoever has a connection lets others run */
  Contender(boolean yields) {
    this.yields = yields;
  }

  /** The same class once more, so that its calls are compiled for one source alone. */
  static Class<?> own(Class<?> type) throws IOException, IllegalAccessException {
    try (InputStream code = type.getResourceAsStream(type.getSimpleName() + ".class")) {
      return MethodHandles.lookup().defineHiddenClass(code.readAllBytes(), true).lookupClass();
    }
  }

  abstract String name();

  /** Gets a connection and gives it back, so many times. */
  abstract void turn(int times) throws Exception;

  /** What is done with a connection. */
  final void use(Object connection) {
    if (connection == null) {
      throw new AssertionError("nothing was lent");
    }
    if (yields) {
      Thread.yield();
    }
  }
}
