// SPDX-License-Identifier: MIT
package bench;

/** Somebody who lends connections. Each has a loop of its own, so that its calls are compiled for it alone. */
abstract class Contender implements AutoCloseable {
  private final boolean yields;

  /** @param yields whether whoever has a connection lets others run */
  Contender(boolean yields) {
    this.yields = yields;
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
