// SPDX-License-Identifier: MIT
package libpool;

import java.io.IOException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** A connection that notes what happens to it. */
final class Fake implements AutoCloseable {
  private final Fakes fakes;
  private final int number;
  private final AtomicInteger closed = new AtomicInteger();
  private final AtomicInteger resets = new AtomicInteger();
  private final AtomicReference<Thread> user = new AtomicReference<>();
  private volatile boolean dead;

  Fake(Fakes fakes, int number) {
    this.fakes = fakes;
    this.number = number;
  }

  /** Counted from 1, as they were opened. */
  int number() {
    return number;
  }

  /** Fails if somebody else uses it at this moment. */
  void use() {
    if (!isOpen()) {
      fakes.fault("a closed connection was lent");
    }
    if (!user.compareAndSet(null, Thread.currentThread())) {
      fakes.fault("two have one connection");
    }
    Thread.onSpinWait();
    if (!user.compareAndSet(Thread.currentThread(), null)) {
      fakes.fault("two had one connection");
    }
  }

  boolean isOpen() {
    return closed.get() == 0;
  }

  int closed() {
    return closed.get();
  }

  int resets() {
    return resets.get();
  }

  void kill() {
    dead = true;
  }

  boolean check() {
    return !dead;
  }

  void reset() throws IOException {
    resets.incrementAndGet();
    IOException failure = fakes.resetFailure();
    if (failure != null) {
      throw failure;
    }
  }

  @Override
  public void close() {
    if (closed.incrementAndGet() > 1) {
      fakes.fault("a connection was closed twice");
    }
  }
}
