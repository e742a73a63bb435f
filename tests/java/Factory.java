// SPDX-License-Identifier: MIT
package libpool;

import java.io.IOException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

/** Opens connections, or does what a scenario says instead. */
final class Factory {
  static final IOException FAILURE = new IOException("the factory failed");
  static final Error PANIC = new Error("the factory did what nobody expects");

  private final Fakes fakes;
  private final AtomicInteger hanging = new AtomicInteger();
  private volatile String mode = "work";
  private volatile CountDownLatch gate = new CountDownLatch(1);

  Factory(Fakes fakes) {
    this.fakes = fakes;
  }

  Fake open() throws Exception {
    switch (mode) {
      case "fail" -> throw FAILURE;
      case "panic" -> throw PANIC;
      case "hang" -> hang();
      case "hang_then_fail" -> {
        hang();
        throw FAILURE;
      }
      default -> {} // it works
    }
    return fakes.open();
  }

  private void hang() throws InterruptedException {
    CountDownLatch mine = gate;
    hanging.incrementAndGet();
    try {
      mine.await();
    } finally {
      hanging.decrementAndGet();
    }
  }

  /** How many hang: the pool counts them a moment before. */
  int hanging() {
    return hanging.get();
  }

  void set(String mode) {
    switch (mode) {
      case "work", "fail", "panic", "hang", "hang_then_fail" -> this.mode = mode;
      default -> throw new AssertionError("a factory does not " + mode);
    }
  }

  /** Those that hang go on; the next that hang, hang again. */
  void letGo() {
    CountDownLatch before = gate;
    gate = new CountDownLatch(1);
    before.countDown();
  }
}
